package wire

import (
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// FuzzParseFetch: what parses can be walked again, with as many partitions as were counted, and kmsg reads it too; but for
// versions where it knows tags that only later ones have.
func FuzzParseFetch(f *testing.F) {
	rng := rand.New(rand.NewPCG(19, 20))
	for version := int16(4); version <= 18; version++ {
		for range 3 {
			m := randomMessage(rng, kmsg.NewPtrFetchRequest(), version, version >= fetchFlexible)
			if version >= fetchFlexible {
				tellDurable(rng, m)
			}
			f.Add(version, m.AppendTo(nil))
		}
	}
	f.Fuzz(func(t *testing.T, version int16, body []byte) {
		if version < 4 || version > 18 {
			return
		}
		r, err := ParseFetch(version, body)
		if err != nil {
			return
		}
		asked, forgotten := 0, 0
		for range r.All {
			asked++
		}
		for range r.Forget {
			forgotten++
		}
		if asked != r.Partitions || forgotten != r.Forgotten {
			t.Fatalf("counted %d and %d partitions, walked %d and %d", r.Partitions, r.Forgotten, asked, forgotten)
		}
		if version >= fetchFlexible && version < fetchHighWatermarks {
			return
		}
		m := kmsg.NewPtrFetchRequest()
		m.SetVersion(version)
		if err := m.ReadFrom(body); err != nil {
			t.Fatalf("kmsg does not read what we parsed: %v", err)
		}
	})
}
