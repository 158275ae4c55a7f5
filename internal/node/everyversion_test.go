package node

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// TestEveryVersionIsAnswered asks every API that is advertised at every version from the lowest to the highest, with
// each field filled, and reads the answer at that version to its last byte. Produce is advertised from 0 for old clients'
// sake and served from 3 (KAFKA-18659).
func TestEveryVersionIsAnswered(t *testing.T) {
	r := newRig(t)
	s := &sampler{id: r.create("a", 2), records: plain("x")}
	asked := 0
	for _, api := range clientAPIs(r) {
		for v := api.Min; v <= api.Max; v++ {
			if api.Key == kafka.KeyProduce && v < 3 {
				continue
			}
			req := s.request(api.Key, v)
			l := r.connect("PLAINTEXT")
			l.send(req)
			f := l.receive(time.Minute)
			if f == nil {
				t.Errorf("%v version %d is not answered", api.Key, v)
				continue
			}
			parse(t, f, req)
			l.l.Cut()
			asked++
		}
	}
	if asked < 100 {
		t.Errorf("%d versions were asked", asked)
	}
}

// TestOldClientsFindAVersion holds every release of Kafka from 2.1 on, the oldest whose clients Kafka 4 serves (KIP-896),
// against what is advertised: each API that such a client knows and we offer has a version that both speak.
func TestOldClientsFindAVersion(t *testing.T) {
	r := newRig(t)
	ours := map[int16]wire.API{}
	for _, api := range clientAPIs(r) {
		ours[int16(api.Key)] = api
	}
	for name, old := range map[string]*kversion.Versions{
		"2.1": kversion.V2_1_0(), "2.4": kversion.V2_4_0(), "2.8": kversion.V2_8_0(), "3.0": kversion.V3_0_0(), "3.5": kversion.V3_5_0(), "3.9": kversion.V3_9_0(),
	} {
		both := 0
		for key, api := range ours {
			highest, known := old.LookupMaxKeyVersion(key)
			if !known {
				continue
			}
			if highest < api.Min {
				t.Errorf("a client of %s speaks %v up to version %d, which is served from %d", name, kafka.APIKey(key), highest, api.Min)
				continue
			}
			both++
		}
		if both < 15 {
			t.Errorf("a client of %s finds %d APIs", name, both)
		}
	}
	// A producer pinned to 2.1 writes and a consumer pinned to it reads.
	r.create("a", 1)
	old := kversion.V2_1_0()
	produce, _ := old.LookupMaxKeyVersion(int16(kmsg.Produce))
	fetch, _ := old.LookupMaxKeyVersion(int16(kmsg.Fetch))
	in := producing("a", 0, -1, plain("x"))
	in.Version = produce
	wantCode(t, ask[*kmsg.ProduceResponse](r, in).Topics[0].Partitions[0].ErrorCode, kafka.ErrNone)
	out := fetching("a", 0, 0)
	out.Version = fetch
	if got := values(t, ask[*kmsg.FetchResponse](r, out).Topics[0].Partitions[0].RecordBatches); len(got) != 1 || got[0] != "x" {
		t.Errorf("a consumer of 2.1 reads %q", got)
	}
}
