package log

import (
	"testing"

	"github.com/milena-io/milena/internal/kafka"
)

func FuzzNote(f *testing.F) {
	f.Add("")
	f.Add(kafka.IncarnationID{1}.String() + "\n" + kafka.IncarnationID{2}.String() + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		all := parseNote(text)
		if len(all) > 0 && len(text) < 22*len(all) {
			t.Fatalf("%d ids from %d bytes", len(all), len(text))
		}
	})
}
