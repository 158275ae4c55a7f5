package staterecord_test

import (
	"bytes"
	"testing"

	"github.com/milena-io/milena/internal/staterecord"
)

// FuzzDecode: whatever bytes come, Decode returns an error or a record whose own bytes are stable.
func FuzzDecode(f *testing.F) {
	for _, g := range goldens(f) {
		f.Add(g.bytes)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		r, version, err := staterecord.DecodeVersion(value)
		if err != nil {
			return
		}
		once := staterecord.AppendVersion(nil, r, version)
		again, err := staterecord.Decode(once)
		if err != nil {
			t.Fatalf("%s: its own bytes do not read back: %v", r.Type(), err)
		}
		if twice := staterecord.AppendVersion(nil, again, version); !bytes.Equal(once, twice) {
			t.Fatalf("%s: written twice, %x and %x", r.Type(), once, twice)
		}
	})
}
