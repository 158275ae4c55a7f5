package cli

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/milena-io/milena/internal/inspect"
)

// schemaOf describes what a command prints as JSON, from the type it prints.
func schemaOf(title string, t reflect.Type) map[string]any {
	s := schemaType(t)
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = title
	return s
}

func schemaType(t reflect.Type) map[string]any {
	switch t {
	case reflect.TypeFor[inspect.Payload]():
		object := map[string]any{"type": "object", "properties": map[string]any{"$base64": map[string]any{"type": "string"}}}
		return map[string]any{"oneOf": []any{map[string]any{"type": []string{"string", "null"}}, object}}
	case reflect.TypeFor[json.RawMessage]():
		return map[string]any{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		s := schemaType(t.Elem())
		if name, ok := s["type"].(string); ok {
			s["type"] = []string{name, "null"}
		}
		return s
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice, reflect.Array:
		return map[string]any{"type": "array", "items": schemaType(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaType(t.Elem())}
	case reflect.Struct:
		properties := map[string]any{}
		required := schemaFields(t, properties, []string{})
		return map[string]any{"type": "object", "properties": properties, "required": required}
	}
	return map[string]any{"type": "integer"}
}

func schemaFields(t reflect.Type, into map[string]any, required []string) []string {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			required = schemaFields(f.Type, into, required)
		case f.IsExported() && name != "-" && name != "":
			into[name] = schemaType(f.Type)
			if !strings.Contains(options, "omitempty") {
				required = append(required, name)
			}
		}
	}
	return required
}
