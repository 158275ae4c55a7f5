package inspect

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/milena-io/milena/internal/staterecord"
)

// metadataFields shows a metadata record under Kafka's field names, in the order of Kafka's schema. A tagged field at
// its default and a field that the record's version lacks are left out, as kafka-dump-log does.
func metadataFields(r staterecord.Record, version int16) json.RawMessage {
	v := reflect.ValueOf(r).Elem()
	var out object
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if since, ok := fieldSince(r, name); ok && version < since {
			continue
		}
		if def, ok := tagDefault(r, name); ok && isDefault(v.Field(i), def) {
			continue
		}
		out.add(fieldName(r, name), fieldValue(v.Field(i)))
	}
	return out.raw()
}

// fieldName turns our name into Kafka's.
func fieldName(r any, name string) string {
	switch name {
	case "Endpoints":
		return "endPoints"
	case "Removing", "Adding":
		return strings.ToLower(name) + "Replicas"
	case "LeaderRecovery":
		return "leaderRecoveryState"
	case "ELR":
		return "eligibleLeaderReplicas"
	case "Level":
		return "featureLevel"
	case "Min", "Max":
		return strings.ToLower(name) + "SupportedVersion"
	case "State":
		return "zkMigrationState"
	case "Type", "Name":
		if _, ok := r.(staterecord.QuotaEntity); ok {
			return "entity" + name
		}
	}
	name = strings.NewReplacer("ID", "Id", "ISR", "Isr", "ELR", "Elr").Replace(name)
	return strings.ToLower(name[:1]) + name[1:]
}

// fieldSince tells the first version of a record's schema that has an untagged field.
func fieldSince(r staterecord.Record, name string) (int16, bool) {
	switch r.(type) {
	case *staterecord.RegisterBroker:
		switch name {
		case "IsMigratingZkBroker":
			return 2, true
		case "InControlledShutdown":
			return 1, true
		}
	case *staterecord.Partition:
		if name == "Directories" {
			return 1, true
		}
	}
	return 0, false
}

// tagDefault tells the default of a tagged field; nil stands for null or an empty list.
func tagDefault(r staterecord.Record, name string) (any, bool) {
	switch r.(type) {
	case *staterecord.Partition:
		switch name {
		case "LeaderRecovery":
			return int64(0), true
		case "Settling":
			return int64(staterecord.SettlingUnchanged), true
		case "ELR", "LastKnownELR":
			return nil, true
		}
	case *staterecord.PartitionChange:
		switch name {
		case "PartitionID", "TopicID":
			return nil, false
		case "Leader":
			return int64(staterecord.LeaderUnchanged), true
		case "LeaderRecovery":
			return int64(staterecord.RecoveryUnchanged), true
		case "Settling":
			return int64(staterecord.SettlingUnchanged), true
		}
		return nil, true
	case *staterecord.RegisterBroker:
		return nil, name == "LogDirs" || name == "CordonedLogDirs"
	case *staterecord.BrokerRegistrationChange:
		switch name {
		case "Fenced", "InControlledShutdown":
			return int64(0), true
		}
		return nil, name == "LogDirs" || name == "CordonedLogDirs"
	case *staterecord.BeginTransaction, *staterecord.AbortTransaction:
		return nil, true
	}
	return nil, false
}

func isDefault(v reflect.Value, def any) bool {
	if n, ok := def.(int64); ok {
		return v.Int() == n
	}
	return v.IsNil()
}

// fieldValue shows a value as Kafka's JSON: ids as text, bytes as base64, doubles with a fraction.
func fieldValue(v reflect.Value) any {
	if s, ok := v.Interface().(fmt.Stringer); ok && v.Kind() == reflect.Array {
		return s.String()
	}
	switch v.Kind() {
	case reflect.Float64:
		return javaDouble(v.Float())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Interface() // encoding/json makes base64 of it
		}
		out := make([]any, v.Len())
		for i := range out {
			out[i] = fieldValue(v.Index(i))
		}
		return out
	case reflect.Struct:
		var o object
		for i := range v.NumField() {
			o.add(fieldName(v.Interface(), v.Type().Field(i).Name), fieldValue(v.Field(i)))
		}
		return o.raw()
	}
	return v.Interface()
}

func javaDouble(f float64) any {
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.ContainsAny(text, ".nN") {
		text += ".0"
	}
	return json.RawMessage(text)
}
