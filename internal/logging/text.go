package logging

import (
	"context"
	"log/slog"
	"strconv"
	"time"
	"unicode/utf8"
)

// textHandler writes message and key=value lines; layout says how they are dressed.
type textHandler struct {
	out       *output
	level     slog.Leveler
	layout    layout
	component string
	fields    []byte // of WithAttrs, formatted once: " key=value key=value"
	prefix    string // of WithGroup: "group.group."
}

// layout is what the two text formats do differently.
type layout interface {
	// head is all that stands before the message.
	head(b []byte, t time.Time, l slog.Level) []byte
	// fields begins the attributes, tail ends the line.
	fields(b []byte) []byte
	tail(b []byte, component string) []byte
}

// Enabled tells whether records of the level are written.
func (h *textHandler) Enabled(_ context.Context, l slog.Level) bool {
	return l >= h.level.Level()
}

// Handle writes one line.
func (h *textHandler) Handle(_ context.Context, r slog.Record) error {
	buf := h.out.buffer()
	b := h.layout.head(*buf, r.Time, r.Level)
	b = appendMessage(b, r.Message)
	component := h.component
	b = h.layout.fields(b)
	b = append(b, h.fields...)
	r.Attrs(func(a slog.Attr) bool {
		if name, ok := h.names(a); ok {
			component = name
			return true
		}
		b = appendField(b, h.prefix, a)
		return true
	})
	if component == "" {
		component = defaultComponent
	}
	*buf = h.layout.tail(b, component)
	return h.out.write(buf)
}

// WithAttrs returns a handler whose lines have the attributes too.
func (h *textHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.fields = append(make([]byte, 0, len(h.fields)+64), h.fields...)
	for _, a := range attrs {
		if name, ok := h.names(a); ok {
			next.component = name
			continue
		}
		next.fields = appendField(next.fields, h.prefix, a)
	}
	return &next
}

// WithGroup returns a handler that writes later attributes as name.key.
func (h *textHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	next := *h
	next.prefix += name + "."
	return &next
}

// names returns the component when that is what the attribute sets.
func (h *textHandler) names(a slog.Attr) (string, bool) {
	if a.Key != componentKey || h.prefix != "" {
		return "", false
	}
	return string(appendMessage(nil, textOf(a.Value))), true
}

// appendField appends " prefix+key=value"; a group is its fields, and nothing when it has none.
func appendField(b []byte, prefix string, a slog.Attr) []byte {
	a.Value = a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return b
	}
	if a.Value.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, inner := range a.Value.Group() {
			b = appendField(b, prefix, inner)
		}
		return b
	}
	b = append(b, ' ')
	b = appendMessage(b, prefix)
	b = appendMessage(b, a.Key)
	b = append(b, '=')
	switch a.Value.Kind() {
	case slog.KindInt64:
		return strconv.AppendInt(b, a.Value.Int64(), 10)
	case slog.KindUint64:
		return strconv.AppendUint(b, a.Value.Uint64(), 10)
	case slog.KindBool:
		return strconv.AppendBool(b, a.Value.Bool())
	}
	return appendQuotable(b, textOf(a.Value))
}

// appendQuotable appends a value so that the next blank ends it.
func appendQuotable(b []byte, s string) []byte {
	if s == "" {
		return append(b, `""`...)
	}
	for _, c := range s {
		if c <= ' ' || c == '"' || c == '=' || c == utf8.RuneError || !strconv.IsPrint(c) {
			return strconv.AppendQuote(b, s)
		}
	}
	return append(b, s...)
}

// appendMessage appends text as it is but for control characters, which would break the line or drive the terminal.
func appendMessage(b []byte, s string) []byte {
	from := 0
	for i, c := range s {
		if c == '\t' || (c >= ' ' && c < 0x7f) || (c >= 0xa0 && c != utf8.RuneError && strconv.IsPrint(c)) || c == 0xa0 {
			continue
		}
		_, width := utf8.DecodeRuneInString(s[i:])
		b = append(b, s[from:i]...)
		quoted := strconv.AppendQuote(nil, s[i:i+width])
		b = append(b, quoted[1:len(quoted)-1]...)
		from = i + width
	}
	return append(b, s[from:]...)
}
