package cli

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// newLayout reads a --format. Its verbs are the client library's, and a %h without braces stands for all headers as
// key=value with a comma between, as kcat prints them; the library wants braces there.
func newLayout(format string) (func(b []byte, r *kgo.Record) []byte, error) {
	var parts []*kgo.RecordFormatter
	for i, part := range cutHeaders(format) {
		if i > 0 {
			parts = append(parts, nil)
		}
		f, err := kgo.NewRecordFormatter(part)
		if err != nil {
			return nil, err
		}
		parts = append(parts, f)
	}
	return func(b []byte, r *kgo.Record) []byte {
		for _, p := range parts {
			if p == nil {
				b = appendHeaders(b, r.Headers)
			} else {
				b = p.AppendRecord(b, r)
			}
		}
		return b
	}, nil
}

func appendHeaders(b []byte, headers []kgo.RecordHeader) []byte {
	for i, h := range headers {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, h.Key...), '='), h.Value...)
	}
	return b
}

// cutHeaders cuts a format at every %h without braces. What stands in braces belongs to a verb: a %h there may be
// strftime's month.
func cutHeaders(format string) []string {
	var out []string
	from, depth := 0, 0
	for i := 0; i < len(format); i++ {
		switch rest := format[i:]; {
		case strings.HasPrefix(rest, "%%"), strings.HasPrefix(rest, "%{"), strings.HasPrefix(rest, "%}"), strings.HasPrefix(rest, `\`):
			i++
		case depth == 0 && strings.HasPrefix(rest, "%h") && !strings.HasPrefix(rest, "%h{"):
			out = append(out, format[from:i])
			i++
			from = i + 1
		case depth == 0 && len(rest) > 2 && rest[0] == '%' && rest[2] == '{':
			depth = 1
			i += 2
		case depth > 0 && rest[0] == '{':
			depth++
		case depth > 0 && rest[0] == '}':
			depth--
		}
	}
	return append(out, format[from:])
}
