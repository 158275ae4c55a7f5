package node

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/wire"
)

// FuzzBroker feeds a whole node with one request of any bytes, twice, after a good one: it answers or closes, stays well, and
// starts again from what that left on disk.
func FuzzBroker(f *testing.F) {
	seed := newRig(&testing.T{})
	s := &sampler{id: seed.create("a", 2), records: plain("x")}
	for _, api := range clientAPIs(seed) {
		for _, version := range []int16{api.Served, api.Max} {
			for _, s.counted = range []bool{false, true} {
				f.Add(sampleFrame(s.request(api.Key, version))[4:])
			}
		}
	}
	o := record.Plain()
	for _, o.Codec = range []record.Codec{record.Gzip, record.Snappy, record.LZ4, record.Zstd} {
		f.Add(sampleFrame(producing("a", 0, -1, built(o, "one", "two")))[4:])
	}
	f.Fuzz(func(t *testing.T, frame []byte) { bears(t, frame, "PLAINTEXT", 0) })
}

// FuzzController does the same to the listener of controllers, with what nodes ask each other. A broker that is fenced or forgotten by that
// is back after its next heartbeat.
func FuzzController(f *testing.F) {
	seed := newRig(&testing.T{})
	s := &sampler{id: seed.create("a", 2), records: plain("x")}
	for _, a := range wire.APIs() {
		api, ok := seed.n.Table("CONTROLLER").API(a.Key)
		if !ok {
			continue
		}
		for _, version := range []int16{api.Served, api.Max} {
			f.Add(sampleFrame(s.request(api.Key, version))[4:])
		}
	}
	api, _ := wire.Lookup(kafka.KeyNodeMessages)
	for _, call := range []wire.NodeCall{
		{To: wire.Member{Node: kafka.NoNode}},
		{ClusterID: seed.n.ClusterID(), From: wire.Member{Node: 7}, To: seed.n.member(), Messages: [][]byte{{8, 1}, {}}, Greeting: "x"},
	} {
		f.Add(call.AppendTo(wire.BeginRequest(nil, &api, 0, 1, "test"))[4:])
	}
	f.Fuzz(func(t *testing.T, frame []byte) { bears(t, frame, "CONTROLLER", 3*time.Second) })
}

// bears sends a whole node a frame on a listener, twice, and has it be well after some while, and once more after it was killed.
func bears(t *testing.T, frame []byte, listener string, rest time.Duration) {
	if len(frame) > 4096 {
		return
	}
	r := newRig(t)
	r.create("a", 2)
	r.write("a", 0, plain("x"))
	for range 2 {
		l := r.connect(listener)
		l.l.Send(framed(frame...))
		r.w.Run(200 * time.Millisecond)
		l.l.Cut()
	}
	r.w.Run(rest)
	r.healthy()
	r.kill()
	r.healthy()
}
