package node

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
)

// follower is a consumer at the end of a partition, and a producer, on sockets of their own.
type follower struct {
	w      *wired
	nc     net.Conn
	fetch  []byte
	write  []byte
	offset uint64
	at     int // of the fetch offset in the frame
	buf    []byte
}

func newFollower(t testing.TB, size int, settings ...string) *follower {
	t.Helper()
	w := newWired(t, append(settings, "milena.durability", "cache")...)
	f := &follower{w: w, nc: w.dial(), write: encoded(producing("t", 0, 1, plain(string(make([]byte, size))))), buf: make([]byte, 1<<20)}
	req := w.fetches(12, 1<<20, 1)
	req.Topics[0].Partitions[0].FetchOffset = 0x1122334455667788
	f.fetch = encoded(req)
	for binary.BigEndian.Uint64(f.fetch[f.at:]) != 0x1122334455667788 {
		f.at++
	}
	return f
}

// round waits for the next record, writes it and gets it.
func (f *follower) round() {
	binary.BigEndian.PutUint64(f.fetch[f.at:], f.offset)
	f.offset++
	if _, err := f.nc.Write(f.fetch); err != nil {
		f.w.t.Fatal(err)
	}
	f.w.exchange(f.write)
	if _, err := io.ReadFull(f.nc, f.buf[:4]); err != nil {
		f.w.t.Fatal(err)
	}
	if _, err := io.ReadFull(f.nc, f.buf[:binary.BigEndian.Uint32(f.buf)]); err != nil {
		f.w.t.Fatal(err)
	}
}

// TestFollowingAllocatesNothing: a record on its way from its producer to a consumer that waits for it leaves nothing for the
// collector, whether the newest records are kept in memory or not.
func TestFollowingAllocatesNothing(t *testing.T) {
	for _, most := range []string{"33554432", "0"} {
		f := newFollower(t, 1000, "milena.tail.cache.max.bytes", most)
		wantAllocations(t, 0, f.round)
	}
}
