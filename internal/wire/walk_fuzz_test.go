package wire

import (
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// FuzzDecode feeds whole frames: what the walk lets pass, kmsg must decode without panic and within the charge.
func FuzzDecode(f *testing.F) {
	rng := rand.New(rand.NewPCG(5, 6))
	client := "client"
	for _, api := range APIs() {
		for version := api.Served; version <= api.Max; version++ {
			m := randomMessage(rng, kmsg.RequestForKey(int16(api.Key)), version, api.flexibleIn(version))
			f.Add(frameOf(&api, version, m.AppendTo(nil), &client))
		}
	}
	table := everything()
	f.Fuzz(func(t *testing.T, frame []byte) {
		var charged int64
		var d Decoded
		var err error
		const noise = 16 << 10 // the request's own struct, errors, and the fuzzer's goroutines
		for try := 1; ; try++ {
			took := allocated(func() {
				d, err = table.Decode(frame, func(n int64) bool { charged = n; return n < 1<<26 })
			})
			if took <= charged+noise {
				break
			}
			if try == 3 {
				t.Fatalf("took %d bytes, charged %d", took, charged)
			}
		}
		if err != nil {
			return
		}
		if d.Memory != charged {
			t.Fatalf("charged %d, told %d", charged, d.Memory)
		}
		if (d.Body == nil) != (d.Key == kafka.KeyProduce || d.Key == kafka.KeyFetch || d.UnknownVersion) {
			t.Fatalf("%v v%d without a body", d.Key, d.Version)
		}
	})
}
