package wire

import (
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// FuzzParseProduce: what parses can be walked again, with as many partitions as were counted, and kmsg reads it too.
func FuzzParseProduce(f *testing.F) {
	rng := rand.New(rand.NewPCG(11, 12))
	for version := int16(3); version <= 13; version++ {
		for range 3 {
			f.Add(version, randomMessage(rng, kmsg.NewPtrProduceRequest(), version, version >= produceFlexible).AppendTo(nil))
		}
	}
	f.Fuzz(func(t *testing.T, version int16, body []byte) {
		if version < 3 || version > 13 {
			return
		}
		p, err := ParseProduce(version, body)
		if err != nil {
			return
		}
		n := 0
		for range p.All {
			n++
		}
		if n != p.Partitions {
			t.Fatalf("counted %d partitions, walked %d", p.Partitions, n)
		}
		m := kmsg.NewPtrProduceRequest()
		m.SetVersion(version)
		if err := m.ReadFrom(body); err != nil {
			t.Fatalf("kmsg does not read what we parsed: %v", err)
		}
	})
}
