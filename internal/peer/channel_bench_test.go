package peer_test

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/wire"
)

// fetching is a site that answers Fetch with the same n bytes of records each time, and a function that asks for them.
func fetching(b *testing.B, n int) (ask func()) {
	var answer *wire.Payload
	s := newSite(b, map[kafka.APIKey]wire.Handler{kafka.KeyFetch: func(req *wire.Request) {
		if answer == nil {
			answer = fetched(req.Version, n)
		}
		req.Reply(wire.Reply{Payload: answer})
	}})
	c := s.channel(s.addr)
	b.Cleanup(c.Close)
	api, _ := s.peers.API(kafka.KeyFetch)
	done := make(chan int, 1)
	var body []byte // encoded once: what is measured is the channel
	r := peer.Request{
		API: api, Timeout: time.Minute,
		Body: func(dst []byte, version int16) []byte {
			if body == nil {
				body = fetchBody(n)(nil, version)
			}
			return append(dst, body...)
		},
		Done: func(a peer.Answer, err error) {
			if err != nil {
				b.Error(err)
				done <- 0
				return
			}
			got := 0
			if reply, err := wire.ParseFetchReply(a.Version, a.Body); err == nil {
				for p := range reply.All {
					got += len(p.Records)
				}
			}
			a.Release()
			done <- got
		},
	}
	return func() {
		c.Ask(r)
		if got := <-done; got != n {
			b.Fatalf("%d bytes of %d", got, n)
		}
	}
}

// BenchmarkAsk is a round trip by loopback, both sides in this process.
func BenchmarkAsk(b *testing.B) {
	ask := fetching(b, 100)
	ask()
	b.ReportAllocs()
	for b.Loop() {
		ask()
	}
}

// BenchmarkFetchOfAMebibyte is a follower's fetch of 1 MiB by loopback, both sides in this process, the records walked in place.
func BenchmarkFetchOfAMebibyte(b *testing.B) {
	ask := fetching(b, 1<<20)
	for range 3 {
		ask()
	}
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		ask()
	}
}
