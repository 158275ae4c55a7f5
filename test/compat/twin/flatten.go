package twin

import (
	"fmt"
	"hash/crc32"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// equalizer makes equal what differs between two brokers by nature: ids, the port, the folder, the time.
type equalizer struct {
	names   map[[16]byte]string // topic ids that were seen beside a name
	replace *strings.Replacer
}

func newEqualizer(bootstrap, dir string) *equalizer {
	return &equalizer{names: map[[16]byte]string{}, replace: strings.NewReplacer(bootstrap, "BOOTSTRAP", dir, "DIR")}
}

// learn remembers the name of every topic id in an answer.
func (e *equalizer) learn(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			e.learn(v.Elem())
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			for i := range v.Len() {
				e.learn(v.Index(i))
			}
		}
	case reflect.Struct:
		id := v.FieldByName("TopicID")
		for _, field := range []string{"Topic", "Name"} {
			if name := text(v.FieldByName(field)); name != "" && id.IsValid() && id.Type() == reflect.TypeFor[[16]byte]() {
				e.names[id.Interface().([16]byte)] = name
			}
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				e.learn(v.Field(i))
			}
		}
	}
}

// text is a string or *string field, "" when it is neither.
func text(v reflect.Value) string {
	if v.IsValid() && v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.IsValid() && v.Kind() == reflect.String {
		return v.String()
	}
	return ""
}

// flatten writes every field below v under its path.
func (e *equalizer) flatten(path string, v reflect.Value, into map[string]string) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			into[path] = "null"
			return
		}
		e.flatten(path, v.Elem(), into)
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() || f.Name == "UnknownTags" || (f.Name == "Version" && path == "") {
				continue
			}
			e.flatten(path+"."+f.Name, v.Field(i), into)
		}
	case reflect.Slice:
		e.flattenSlice(path, v, into)
	case reflect.Array:
		if id, ok := v.Interface().([16]byte); ok {
			into[path] = e.id(id)
			return
		}
		into[path] = fmt.Sprint(v.Interface())
	default:
		into[path] = e.scalar(path, v)
	}
}

func (e *equalizer) flattenSlice(path string, v reflect.Value, into map[string]string) {
	if v.IsNil() {
		into[path] = "null"
		return
	}
	if v.Type().Elem().Kind() == reflect.Uint8 {
		into[path] = fmt.Sprintf("%d bytes, crc %08x", v.Len(), crc32.ChecksumIEEE(v.Bytes()))
		return
	}
	if v.Type().Elem().Kind() != reflect.Struct {
		var parts []string
		for i := range v.Len() {
			parts = append(parts, e.string(fmt.Sprint(v.Index(i).Interface())))
		}
		into[path] = "[" + strings.Join(parts, " ") + "]"
		return
	}
	into[path] = "list"
	for i := range v.Len() {
		element := path + "[" + e.identity(v.Index(i), i) + "]"
		for n := 2; into[element] != ""; n++ {
			element = fmt.Sprintf("%s[%s again %d]", path, e.identity(v.Index(i), i), n)
		}
		into[element] = "present"
		e.flatten(element, v.Index(i), into)
	}
}

// identity names an element by what it is about, so that the order of lists does not matter where Kafka's is not
// defined.
func (e *equalizer) identity(v reflect.Value, index int) string {
	for _, name := range []string{"ApiKey", "Topic", "Name", "TopicID", "Partition", "NodeID", "BrokerID", "ReplicaID", "Group", "ResourceName",
		"Key", "Feature", "Dir"} {
		f := v.FieldByName(name)
		if !f.IsValid() || (f.Kind() == reflect.Pointer && f.IsNil()) {
			continue
		}
		if id, ok := f.Interface().([16]byte); ok {
			return e.id(id)
		}
		if f.Kind() == reflect.Pointer {
			f = f.Elem()
		}
		if s := fmt.Sprint(f.Interface()); s != "" {
			return e.string(s)
		}
		if name == "Group" {
			return "the empty name"
		}
	}
	return strconv.Itoa(index)
}

func (e *equalizer) id(id [16]byte) string {
	if id == [16]byte{} {
		return "no id"
	}
	if name := e.names[id]; name != "" {
		return "id of " + name
	}
	return "some id"
}

var uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
var shortID = regexp.MustCompile(`\b[A-Za-z0-9_-]{22}\b`)
var loopback = regexp.MustCompile(`127\.0\.0\.1:\d+`)
var moment = regexp.MustCompile(`-?\b\d{13,}\b`)

func (e *equalizer) string(s string) string {
	s = moment.ReplaceAllString(uuid.ReplaceAllString(e.replace.Replace(s), "UUID"), "TIME")
	return loopback.ReplaceAllString(shortID.ReplaceAllString(s, "ID"), "ADDRESS")
}

// natural are fields that differ by nature.
var natural = map[string]bool{"Port": true, "TotalBytes": true, "UsableBytes": true}

// ofMetadataLog says whether a field is an offset of the metadata log. Apache Kafka writes a record that says nothing into
// it twice a second, so that not even two of its nodes agree.
func ofMetadataLog(path, field string) bool {
	return field == "FinalizedFeaturesEpoch" ||
		strings.HasPrefix(path, ".Topics[__cluster_metadata].") && (field == "LogEndOffset" || field == "HighWatermark")
}

func (e *equalizer) scalar(path string, v reflect.Value) string {
	field := path[strings.LastIndex(path, ".")+1:]
	if natural[field] {
		return "any"
	}
	// Which id a session or a producer gets is the broker's choice; whether it gets one is not.
	if (field == "SessionID" && v.Int() > 0) || (field == "ProducerID" && v.Int() >= 0) {
		return "some"
	}
	if ofMetadataLog(path, field) && v.Int() > 0 {
		return "some"
	}
	if v.Kind() == reflect.String {
		return e.string(v.String())
	}
	if v.Kind() == reflect.Int64 {
		if at := time.UnixMilli(v.Int()); time.Since(at).Abs() < 2*time.Hour {
			return "now"
		}
	}
	return fmt.Sprint(v.Interface())
}
