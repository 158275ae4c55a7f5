package listen

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// TestServingAllocatesNothing: between the socket and the handler, and back, a Produce and a Fetch leave nothing for the
// collector, one after another and pipelined.
func TestServingAllocatesNothing(t *testing.T) {
	if raced {
		t.Skip("the race detector empties pools at random, so allocations say nothing")
	}
	answer := wire.ProduceAnswer{Version: 11, Partitions: []wire.ProducePartitionAnswer{{Topic: "t"}}}
	payload := wire.EncodeFetch(12, &wire.FetchAnswer{})
	w := world.NewReal()
	cfg := newConfig(&hand{}, 64<<20, &journal{}, &tally{}, func(req *wire.Request) {
		if req.Key == kafka.KeyProduce {
			req.Reply(wire.Reply{Body: &answer})
		} else {
			req.Reply(wire.Reply{Payload: payload})
		}
	})
	cfg.Observer = Unobserved{}
	srv, err := Start(Options{
		World: w, Log: cfg.Log, Observer: Unobserved{}, Listen: net.Listen, Idle: time.Hour, Stuck: time.Hour, Slow: time.Hour,
		Listeners: []Listener{{Name: "PLAINTEXT", Protocol: "PLAINTEXT", Addr: "127.0.0.1:0", Sessions: cfg, Dispatch: cfg.Table.Handle}},
	})
	if err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("tcp", srv.Addr("PLAINTEXT").String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = nc.Close()
		if err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	buf := make([]byte, 1<<16)
	read := func() {
		if _, err := io.ReadFull(nc, buf[:4]); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(nc, buf[:binary.BigEndian.Uint32(buf)]); err != nil {
			t.Fatal(err)
		}
	}
	small, large, fetch := frame(0, write(-1, 1000)), frame(0, write(-1, 100_000)), frame(0, consume())
	for _, c := range []struct {
		name    string
		bytes   []byte
		answers int
	}{
		{"a small produce", small, 1}, {"a large produce", large, 1}, {"a fetch", fetch, 1},
		{"five produces", bytes.Repeat(small, 5), 5},
	} {
		round := func() {
			if _, err := nc.Write(c.bytes); err != nil {
				t.Fatal(err)
			}
			for range c.answers {
				read()
			}
		}
		for range 50 {
			round()
		}
		runtime.GC() // not in the middle: it empties pools
		if n := testing.AllocsPerRun(300, round); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}
