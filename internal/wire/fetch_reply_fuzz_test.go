package wire

import (
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// FuzzParseFetchReply: what parses can be walked again, with as many partitions as were counted.
func FuzzParseFetchReply(f *testing.F) {
	rng := rand.New(rand.NewPCG(21, 22))
	for version := int16(4); version <= 18; version++ {
		for range 3 {
			f.Add(version, randomMessage(rng, kmsg.NewPtrFetchResponse(), version, version >= fetchFlexible).AppendTo(nil))
		}
	}
	f.Fuzz(func(t *testing.T, version int16, body []byte) {
		if version < 4 || version > 18 {
			return
		}
		r, err := ParseFetchReply(version, body)
		if err != nil {
			return
		}
		walked, records := 0, 0
		for p := range r.All {
			walked++
			records += len(p.Records)
		}
		if walked != r.Partitions || records > len(body) {
			t.Fatalf("counted %d partitions, walked %d with %d bytes of records in %d", r.Partitions, walked, records, len(body))
		}
	})
}
