package node

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/world"
)

// The power fails at any moment of a move, there and back, with clients writing: the next start finds one log, with every record
// that was acknowledged by then, goes on with the move, and ends where it was going or where it was.
func TestThePowerFailsWhileAReplicaMoves(t *testing.T) {
	const images = 250
	r := newRig(t, "log.dirs", threeDirs, "milena.disk.reserve.bytes", "0")
	r.create("t", 3)
	r.spread("t", "0", 0)
	r.rest()
	j := r.fs.Record()
	type ack struct{ events, records int }
	acks := []ack{{0, 1}}
	n := 1
	write := func() {
		r.spread("t", fmt.Sprint(n), 0)
		n++
		acks = append(acks, ack{j.Len(), n})
	}
	for _, to := range []string{"d/c", "d/b", "d/c", "d/a"} {
		c := r.connect("PLAINTEXT")
		r.moves("t", 0, to)
		for range 6 {
			c.send(producing("t", 0, 1, plain("unsynced"))) // in between, so that the copy is behind at times
			write()
			r.w.Run(2 * time.Millisecond)
		}
		r.rest()
		r.wantHome("t", 0, to)
		write()
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range images {
		at := rng.IntN(j.Len() + 1)
		known := acks[0]
		for _, a := range acks {
			if a.events <= at {
				known = a
			}
		}
		replay := j.Replay()
		replay.To(at, nil)
		all := replay.Images()
		number := rng.Uint64()
		if size, _ := all.Len(); i%2 == 0 {
			number %= min(size, 2) // what was synced and no more, or everything
		}
		mem, _ := all.Image(number)
		ok := t.Run(fmt.Sprintf("%d of %d, image %d", at, j.Len(), number), func(t *testing.T) { recovers(t, r, mem, known.records) })
		if !ok {
			return
		}
	}
}

// recovers starts a node on an image and wants the records that were acknowledged, in their order.
func recovers(t *testing.T, like *rig, mem *disk.Mem, records int) {
	s := &rig{t: t, w: world.NewVirtual(5), fs: mem, logs: &lines{}, set: like.set}
	s.boot()
	check := func() {
		t.Helper()
		got := slices.DeleteFunc(s.all("t", 0, 0), func(v string) bool { return v == "unsynced" })
		if len(got) < records {
			t.Fatalf("%d records are left, %d were acknowledged\n%v\n%v\n%v", len(got), records, s.named("d/a", "t-0"), s.named("d/b", "t-0"), s.named("d/c", "t-0"))
		}
		for i, v := range got {
			if v != fmt.Sprint(i) {
				t.Fatalf("record %d is %s", i, v)
			}
		}
	}
	check()
	s.w.Run(5 * time.Second)
	check()
	img := s.n.feed.Image()
	p, _ := img.TopicNamed("t").Partition(0)
	v := s.n.storage.WithID(p.Directory(1))
	if v == nil {
		t.Fatalf("the metadata has t-0 in %v", p.Directory(1))
	}
	s.wantHome("t", 0, v.Path)
	wantCode(t, s.write("t", 0, plain("goes on")).ErrorCode, kafka.ErrNone)
}
