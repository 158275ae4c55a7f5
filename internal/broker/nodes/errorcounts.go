package nodes

import (
	"reflect"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// tellsOf reports whether an error code stands anywhere in an answer. Answers to what clients ask of the controller name codes
// for topics, partitions and resources, each in its own way, and kmsg calls the field the same in all of them.
func tellsOf(m kmsg.Response, code kafka.ErrorCode) bool {
	return codeIn(reflect.ValueOf(m), int64(code))
}

func codeIn(v reflect.Value, code int64) bool {
	switch v.Kind() {
	case reflect.Pointer:
		return !v.IsNil() && codeIn(v.Elem(), code)
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Struct {
			return false
		}
		for i := range v.Len() {
			if codeIn(v.Index(i), code) {
				return true
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Name == "ErrorCode" && v.Field(i).Int() == code || f.Name != "UnknownTags" && codeIn(v.Field(i), code) {
				return true
			}
		}
	}
	return false
}
