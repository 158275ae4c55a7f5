package logging

import (
	"fmt"
	"log/slog"
	"reflect"
	"time"
)

// textOf is a value as a person reads it.
func textOf(v slog.Value) string {
	v = v.Resolve()
	switch v.Kind() {
	case slog.KindString:
		return v.String()
	case slog.KindTime:
		return v.Time().Format(time.RFC3339Nano)
	case slog.KindAny:
		return textOfAny(v.Any())
	}
	return v.String()
}

// textOfAny calls the value's own method. A nil pointer whose method cannot bear it is a nil; another panic in a value's
// method is told in the line, as the line may be the one that explains it.
func textOfAny(x any) (s string) {
	defer func() {
		if p := recover(); p != nil {
			s = panicText(x, p)
		}
	}()
	switch x := x.(type) {
	case error:
		return x.Error()
	case fmt.Stringer:
		return x.String()
	case []byte:
		return string(x)
	}
	return fmt.Sprintf("%+v", x)
}

func panicText(x, p any) string {
	if v := reflect.ValueOf(x); v.Kind() == reflect.Pointer && v.IsNil() {
		return "<nil>"
	}
	return fmt.Sprintf("!PANIC: %v", p)
}
