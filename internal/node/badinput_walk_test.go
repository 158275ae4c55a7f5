package node

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// sampler fills requests with values that make sense to a node with one topic, so that what follows a lie is served.
type sampler struct {
	id      kafka.TopicID
	records []byte
	counted bool // partitions are asked for by number instead of by assignment
}

func (s *sampler) request(key kafka.APIKey, version int16) kmsg.Request {
	m := kmsg.RequestForKey(int16(key))
	s.fill(reflect.ValueOf(m).Elem(), "")
	m.SetVersion(version)
	return m
}

func (s *sampler) fill(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Type != reflect.TypeFor[kmsg.Tags]() {
				s.fill(v.Field(i), f.Name)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		s.fill(v.Elem(), name)
	case reflect.Slice:
		switch {
		case name == "Records":
			v.SetBytes(s.records)
		case s.counted && strings.HasSuffix(name, "Assignment"):
		case v.Type().Elem().Kind() == reflect.Uint8:
			v.SetBytes([]byte("bytes"))
		default:
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			s.fill(v.Index(0), name)
			s.fill(v.Index(1), name)
		}
	case reflect.Array:
		reflect.Copy(v, reflect.ValueOf(s.id))
	case reflect.String:
		v.SetString("a")
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if v.SetInt(sampleNumber(name)); s.counted && (name == "NumPartitions" || name == "Count") {
			v.SetInt(3)
		}
	}
}

func sampleNumber(name string) int64 {
	switch {
	case strings.HasSuffix(name, "Millis"):
		return 100
	case strings.HasSuffix(name, "Epoch"), name == "ReplicaID", name == "ID", name == "Acks", name == "NumPartitions", name == "ReplicationFactor":
		return -1
	case strings.Contains(name, "MaxBytes"):
		return 1 << 16
	case name == "Replicas", name == "Count", strings.HasSuffix(name, "Limit"):
		return 1
	case name == "ResourceType":
		return 2
	}
	return 0
}

// clientAPIs are those that a listener of clients offers.
func clientAPIs(r *rig) (out []wire.API) {
	for _, a := range wire.APIs() {
		if api, ok := r.n.Table("PLAINTEXT").API(a.Key); ok && !api.Internal {
			out = append(out, api)
		}
	}
	return out
}

const sampleCorrelation = 77

func sampleFrame(m kmsg.Request) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")).AppendRequest(nil, m, sampleCorrelation)
}

// fate is what came of a frame.
type fate struct {
	frames int
	closed bool
	took   int64 // bytes of memory that were allocated meanwhile, by the whole node
}

// suffer sends bytes on a connection of their own, waits for a while and breaks the connection.
func (r *rig) suffer(b []byte) fate {
	r.t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	l := r.connect("PLAINTEXT")
	l.l.Send(b)
	r.w.RunUntil(10*time.Millisecond, func() bool { return len(l.frames) > 0 || l.l.Ended() })
	runtime.ReadMemStats(&after)
	out := fate{frames: len(l.frames), closed: l.l.Ended(), took: int64(after.TotalAlloc - before.TotalAlloc)}
	if len(l.frames) > 0 {
		if got := binary.BigEndian.Uint32(l.frames[0]); got != sampleCorrelation {
			r.t.Fatalf("an answer to %d: sent %x", got, b)
		}
	}
	l.l.Cut()
	return out
}

// TestBadInputTruncated cuts a request of every API and version at every byte, and its length with it. Nothing is served
// of it: the connection is closed, and nothing stays charged.
func TestBadInputTruncated(t *testing.T) {
	r := newRig(t)
	s := &sampler{id: r.create("a", 2), records: plain("x")}
	cases := 0
	for _, api := range clientAPIs(r) {
		for version := api.Served; version <= api.Max; version++ {
			whole := sampleFrame(s.request(api.Key, version))
			for n := range len(whole) - 4 {
				cut := framed(whole[4 : 4+n]...)
				if got := r.suffer(cut); got.frames != 0 || !got.closed {
					t.Fatalf("%v v%d, the first %d of %d bytes: %+v\n%x", api.Key, version, n, len(whole)-4, got, cut)
				} else if most := int64(64<<10 + 100*len(cut)); got.took > most {
					t.Fatalf("%v v%d, the first %d of %d bytes take %d bytes of memory", api.Key, version, n, len(whole)-4, got.took)
				}
				cases++
			}
		}
		if used := r.n.edge.budget.Used(); used != 0 {
			t.Fatalf("after %v %d bytes stay charged", api.Key, used)
		}
	}
	if cases < 5000 {
		t.Fatalf("only %d cases", cases)
	}
	r.healthy()
}

// lies are what a length, a count or a number is overwritten with.
var lies = [][]byte{
	{0xff}, {0x7f}, {0x80}, {0x7f, 0xff}, {0x7f, 0xff, 0xff, 0xff}, {0x80, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff, 0x0f}, {0xff, 0xff, 0xff, 0xff, 0x07},
}

// TestBadInputLies overwrites every byte of a request of every API with numbers that lie, in each of the versions between
// which the encoding changes. Whatever it says afterwards is answered or closes the connection, takes memory for the bytes
// that came and not for what they claim, and leaves the broker well.
func TestBadInputLies(t *testing.T) {
	for key := range clientAPIs(newRig(t)) {
		r := newRig(t)
		api := clientAPIs(r)[key]
		t.Run(fmt.Sprint(api.Key), func(t *testing.T) {
			r.t = t
			r.lies(api)
		})
	}
}

func (r *rig) lies(api wire.API) {
	id := r.create("a", 2)
	versions := map[int16]bool{api.Served: true, api.Max: true, max(api.Flexible, api.Served): true, max(api.Flexible-1, api.Served): true}
	for version := api.Served; version <= api.Max; version++ {
		if !versions[version] {
			continue
		}
		for _, counted := range []bool{false, true} {
			s := &sampler{id: id, records: plain("x"), counted: counted}
			r.lie(sampleFrame(s.request(api.Key, version)), fmt.Sprintf("%v v%d", api.Key, version))
		}
	}
	r.healthy()
}

func (r *rig) lie(whole []byte, what string) {
	for at := 12; at < len(whole); at++ {
		for _, lie := range lies {
			bad := append([]byte(nil), whole...)
			copy(bad[at:], lie)
			if got := r.suffer(bad); got.took > 256<<10 || got.frames > 1 {
				r.t.Fatalf("%s with %x at %d: %+v\n%x", what, lie, at, got, bad)
			}
		}
	}
}
