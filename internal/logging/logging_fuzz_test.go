package logging_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/milena-io/milena/internal/logging"
)

// Whatever a client calls itself, a record is one line of printable text, and JSON stays JSON.
func FuzzLine(f *testing.F) {
	f.Add("message", "key", "value", "component")
	f.Add("a\nb", "k\x1b[2J", "\u2028\u0085", "c\r\n")
	f.Add("\xff", "", "\u202e{\"", "\\")
	f.Fuzz(func(t *testing.T, msg, key, value, component string) {
		for _, format := range []string{logging.Kafka, logging.JSON, logging.Pretty} {
			var out bytes.Buffer
			slog.New(logging.New(&out, logging.Options{Format: format})).With("component", component).WithGroup(key).Info(msg, key, value)
			line, ended := bytes.CutSuffix(out.Bytes(), []byte("\n"))
			if !ended || !utf8.Valid(line) {
				t.Fatalf("%s: %q", format, out.Bytes())
			}
			for _, c := range string(line) {
				if c != '\t' && unicode.IsControl(c) || c == '\u2028' {
					t.Fatalf("%s: %q has %U", format, line, c)
				}
			}
			if format == logging.JSON {
				var m map[string]any
				if err := json.Unmarshal(line, &m); err != nil || utf8.ValidString(msg) && m["msg"] != msg {
					t.Fatalf("%q: %v", line, err)
				}
			}
		}
	})
}
