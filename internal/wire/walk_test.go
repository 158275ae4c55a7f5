package wire

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// TestEveryAPIAndVersion encodes random requests of every API and version with kmsg: the walk ends exactly at their
// last byte, decoding gives the same request again, and what it allocates was charged.
func TestEveryAPIAndVersion(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	table := everything()
	for _, api := range APIs() {
		e := table.find(api.Key)
		for version := api.Served; version <= api.Max; version++ {
			for range 50 {
				m := randomMessage(rng, kmsg.RequestForKey(int16(api.Key)), version, api.flexibleIn(version))
				body := m.AppendTo(nil)
				walked, err := e.schema.walk("test", version, body)
				if err != nil {
					t.Fatalf("%v v%d: %v\n%x", api.Key, version, err, body)
				}
				if walked.Bytes != len(body) {
					t.Fatalf("%v v%d: walked %d of %d bytes", api.Key, version, walked.Bytes, len(body))
				}
				checkDecoding(t, &api, version, body, walked.Decoded)
				// What follows a body is ignored, as by Kafka.
				if w, err := e.schema.walk("test", version, append(body, 1, 2, 3)); err != nil || w.Bytes != len(body) {
					t.Fatalf("%v v%d: with bytes behind it: %+v, %v", api.Key, version, w, err)
				}
			}
		}
	}
}

func checkDecoding(t *testing.T, api *API, version int16, body []byte, charged int64) {
	t.Helper()
	const noise = 1 << 10 // of the runtime
	var took int64
	for range 3 { // now and then the runtime allocates something of its own meanwhile
		m := kmsg.RequestForKey(int16(api.Key))
		m.SetVersion(version)
		var err error
		took = allocated(func() { err = m.ReadFrom(body) })
		if err != nil {
			t.Fatalf("%v v%d: the walk passed what kmsg does not read: %v\n%x", api.Key, version, err, body)
		}
		if took <= charged+noise {
			return
		}
	}
	t.Fatalf("%v v%d: decoding %d bytes took %d bytes of memory, charged were %d\n%x", api.Key, version, len(body), took, charged, body)
}

// TestTruncatedAndLying cuts every request at every byte, which the walk must refuse, and overwrites every byte with
// values that counts and lengths lie with: what still passes must decode within its charge.
func TestTruncatedAndLying(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	table := everything()
	for _, api := range APIs() {
		e := table.find(api.Key)
		for version := api.Served; version <= api.Max; version++ {
			m := randomMessage(rng, kmsg.RequestForKey(int16(api.Key)), version, api.flexibleIn(version))
			body := m.AppendTo(nil)
			for cut := range body {
				if _, err := e.schema.walk("test", version, body[:cut]); err == nil {
					t.Fatalf("%v v%d: cut at %d of %d bytes it still passes\n%x", api.Key, version, cut, len(body), body)
				}
			}
			for at := range body {
				for _, lie := range []byte{0xff, 0x7f, 0x80, 0x00} {
					bad := append([]byte(nil), body...)
					bad[at] = lie
					if w, err := e.schema.walk("test", version, bad); err == nil {
						checkDecoding(t, &api, version, bad[:w.Bytes], w.Decoded)
					}
				}
			}
		}
	}
}

// TestTagBombIsRefused: kmsg alone loops over the claimed count for a minute.
func TestTagBombIsRefused(t *testing.T) {
	for _, n := range []uint64{3, 1 << 26, 1<<32 - 1} {
		body := binary.AppendUvarint([]byte{2, 'a', 2, 'b'}, n)
		if _, err := everything().find(kafka.KeyApiVersions).schema.walk("test", 3, body); err == nil {
			t.Fatalf("%d tags in no bytes pass", n)
		}
	}
}

// TestAmplificationIsCharged: a megabyte that claims a million topics is charged with what its decoding takes.
func TestAmplificationIsCharged(t *testing.T) {
	const n = 1 << 18
	body := binary.BigEndian.AppendUint32(nil, n)
	body = append(body, make([]byte, 2*n)...) // empty names
	body = append(body, 1)                    // auto-create, v4
	walked, err := everything().find(kafka.KeyMetadata).schema.walk("test", 4, body)
	if err != nil {
		t.Fatal(err)
	}
	api, _ := everything().API(kafka.KeyMetadata)
	checkDecoding(t, &api, 4, body, walked.Decoded)
	if walked.Decoded < 32*n {
		t.Fatalf("charged only %d bytes", walked.Decoded)
	}
	frame := frameOf(&api, 4, body, nil)
	var asked int64
	if _, err := everything().Decode(frame, func(n int64) bool { asked = n; return false }); err == nil || asked != walked.Decoded {
		t.Fatalf("decoded although %d bytes of memory were refused (%v)", asked, err)
	}
}

func TestNullsAreRefusedWhereKafkaRefuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		key     kafka.APIKey
		version int16
		body    []byte
		ok      bool
	}{
		{"Metadata v0 null topics", kafka.KeyMetadata, 0, []byte{0xff, 0xff, 0xff, 0xff}, false},
		{"Metadata v1 null topics are all", kafka.KeyMetadata, 1, []byte{0xff, 0xff, 0xff, 0xff}, true},
		{"Heartbeat null group", kafka.KeyHeartbeat, 4, []byte{0, 0, 0, 0, 1, 1, 0, 0}, false},
		{"Heartbeat", kafka.KeyHeartbeat, 4, []byte{1, 0, 0, 0, 1, 1, 0, 0}, true},
		{"SyncGroup null assignment", kafka.KeySyncGroup, 4,
			[]byte{1, 0, 0, 0, 1, 1, 0, 2, 1, 0, 0, 0}, false},
		{"DescribeTopicPartitions null cursor", kafka.KeyDescribeTopicPartitions, 0, []byte{1, 0, 0, 0, 1, 0xff, 0}, true},
		{"DescribeGroups negative count", kafka.KeyDescribeGroups, 0, []byte{0xff, 0xff, 0xff, 0xfe}, false},
	} {
		if _, err := everything().find(c.key).schema.walk("test", c.version, c.body); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestUnknownTagsAreCharged: kmsg keeps them in maps, which cost far more than their bytes.
func TestUnknownTagsAreCharged(t *testing.T) {
	api, _ := everything().API(kafka.KeyDeleteGroups)
	one := func(n int) []byte { // a request with no groups and n tags
		body := binary.AppendUvarint([]byte{1}, uint64(n))
		for i := range n {
			body = append(binary.AppendUvarint(body, uint64(i)), 0)
		}
		return body
	}
	topics, _ := everything().API(kafka.KeyMetadata)
	many := binary.AppendUvarint(nil, 5001) // 5000 topics of v9 with a tag each
	for range 5000 {
		many = append(many, 1, 1, 9, 0)
	}
	many = append(many, 0, 0, 0, 0)
	for _, c := range []struct {
		api     *API
		version int16
		body    []byte
	}{{&api, 2, one(1)}, {&api, 2, one(9)}, {&api, 2, one(1000)}, {&api, 2, one(50_000)}, {&topics, 9, many}} {
		w, err := everything().find(c.api.Key).schema.walk("test", c.version, c.body)
		if err != nil {
			t.Fatal(err)
		}
		checkDecoding(t, c.api, c.version, c.body, w.Decoded)
	}
}
