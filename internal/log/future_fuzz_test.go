package log

import (
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
)

func FuzzParseMovedFrom(f *testing.F) {
	f.Add(formatMovedFrom([]kafka.DirectoryID{{1}, {2}}))
	f.Add([]byte("AQAAAAAAAAAAAAAAAAAAAA\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ids, err := ParseMovedFrom(data)
		if err != nil {
			return
		}
		again, err := ParseMovedFrom(formatMovedFrom(ids))
		if err != nil || !slices.Equal(again, ids) {
			t.Errorf("%v becomes %v, %v", ids, again, err)
		}
	})
}
