package logging

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"unicode/utf8"
)

// jsonHandler writes one object a line: time, level, msg, component, then the attributes, groups as objects.
type jsonHandler struct {
	out       *output
	level     slog.Leveler
	component string
	fields    []byte   // of WithAttrs, formatted once; objects that it opened are open at its end
	open      int      // how many objects fields leaves open
	pending   []string // groups to open before the next attribute; one that gets none is not written
}

// Enabled tells whether records of the level are written.
func (h *jsonHandler) Enabled(_ context.Context, l slog.Level) bool {
	return l >= h.level.Level()
}

// Handle writes one line.
func (h *jsonHandler) Handle(_ context.Context, r slog.Record) error {
	component := h.component
	if len(h.pending) == 0 && h.open == 0 {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == componentKey {
				component = textOf(a.Value)
			}
			return true
		})
	}
	if component == "" {
		component = defaultComponent
	}
	buf := h.out.buffer()
	b := append(*buf, '{')
	if !r.Time.IsZero() {
		b = append(b, `"time":"`...)
		b = r.Time.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
		b = append(b, `",`...)
	}
	b = append(b, `"level":"`...)
	b = append(b, levelName(r.Level)...)
	b = append(b, `","msg":`...)
	b = appendJSONString(b, r.Message)
	b = append(b, `,"component":`...)
	b = appendJSONString(b, component)
	b = append(b, h.fields...)
	b, opened := h.appendAttrs(b, r.NumAttrs(), r.Attrs)
	for range h.open + opened {
		b = append(b, '}')
	}
	*buf = append(b, '}')
	return h.out.write(buf)
}

// WithAttrs returns a handler whose lines have the attributes too.
func (h *jsonHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	fields := append(make([]byte, 0, len(h.fields)+64), h.fields...)
	fields, opened := h.appendAttrs(fields, len(attrs), func(each func(slog.Attr) bool) {
		for _, a := range attrs {
			if a.Key == componentKey && h.top() {
				next.component = textOf(a.Value)
			}
			each(a)
		}
	})
	next.fields = fields
	if opened > 0 {
		next.open += opened
		next.pending = nil
	}
	return &next
}

// WithGroup returns a handler that puts later attributes into an object.
func (h *jsonHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	next := *h
	next.pending = append(append([]string(nil), h.pending...), name)
	return &next
}

// top tells whether attributes go into the line's own object.
func (h *jsonHandler) top() bool { return h.open == 0 && len(h.pending) == 0 }

// appendAttrs appends attributes, opening pending groups before the first that is written, and returns how many.
func (h *jsonHandler) appendAttrs(b []byte, count int, each func(func(slog.Attr) bool)) ([]byte, int) {
	if count == 0 {
		return b, 0
	}
	before := len(b)
	for _, name := range h.pending {
		b = append(appendJSONString(comma(b), name), ":{"...)
	}
	after, top := len(b), h.top()
	each(func(a slog.Attr) bool {
		if !top || a.Key != componentKey {
			b = appendMember(b, a)
		}
		return true
	})
	if len(b) == after {
		return b[:before], 0
	}
	return b, len(h.pending)
}

// comma separates from the member before, if there is one. Only an object's brace ends in {, as strings end in quotes.
func comma(b []byte) []byte {
	if n := len(b); n == 0 || b[n-1] != '{' {
		return append(b, ',')
	}
	return b
}

// appendMember appends "key":value, and nothing for an empty attribute or group. A group without a key is inlined.
func appendMember(b []byte, a slog.Attr) []byte {
	a.Value = a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return b
	}
	if a.Value.Kind() != slog.KindGroup {
		b = append(appendJSONString(comma(b), a.Key), ':')
		return appendJSONValue(b, a.Value)
	}
	before := len(b)
	if a.Key != "" {
		b = append(appendJSONString(comma(b), a.Key), ":{"...)
	}
	after := len(b)
	for _, inner := range a.Value.Group() {
		b = appendMember(b, inner)
	}
	if len(b) == after {
		return b[:before]
	}
	if a.Key != "" {
		b = append(b, '}')
	}
	return b
}

func appendJSONValue(b []byte, v slog.Value) []byte {
	switch v.Kind() {
	case slog.KindInt64:
		return strconv.AppendInt(b, v.Int64(), 10)
	case slog.KindUint64:
		return strconv.AppendUint(b, v.Uint64(), 10)
	case slog.KindBool:
		return strconv.AppendBool(b, v.Bool())
	case slog.KindFloat64:
		if f := v.Float64(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return strconv.AppendFloat(b, f, 'g', -1, 64)
		}
	case slog.KindAny:
		switch v.Any().(type) {
		case json.Marshaler:
		case error, fmt.Stringer, []byte:
			return appendJSONString(b, textOf(v))
		}
		return appendMarshalled(b, v.Any())
	}
	return appendJSONString(b, textOf(v)) // durations as 1.5s, times as RFC 3339
}

func appendMarshalled(b []byte, x any) (out []byte) {
	defer func() {
		if p := recover(); p != nil {
			out = appendJSONString(b, panicText(x, p))
		}
	}()
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(x); err != nil {
		return appendJSONString(b, fmt.Sprintf("!ERROR: %v", err))
	}
	return append(b, bytes.TrimRight(buf.Bytes(), "\n")...)
}

// appendJSONString appends a JSON string; what is not UTF-8 becomes U+FFFD.
func appendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < ' ' || (c >= 0x7f && c < 0xa0):
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c == '\u2028' || c == '\u2029': // line ends to a JavaScript reader
			b = append(b, '\\', 'u', '2', '0', '2', hex[c&15])
		default:
			b = utf8.AppendRune(b, c)
		}
	}
	return append(b, '"')
}
