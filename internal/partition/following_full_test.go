package partition

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/replica"
)

// A full disk, wherever it strikes a follower that begins anew within the leader's first batch, or is cut, leaves one that says where
// its log ends and goes on from there when there is room.
func TestAFollowerOnAFullDisk(t *testing.T) {
	for _, within := range []bool{true, false} {
		for _, op := range []disk.Op{"", disk.OpOpen, disk.OpWrite, disk.OpSync, disk.OpSyncDir, disk.OpRename, disk.OpTruncate} {
			for _, times := range []int{0, 1, 2} {
				for skip := 0; followerFull(t, within, op, times, skip); skip++ {
				}
			}
		}
	}
}

// The way back fails, too: the write of the batch, and the name of the segment that it was to stand in.
func TestAFollowerThatCannotComeBack(t *testing.T) {
	c, faulty := fullCluster(t, true)
	c.fetch(1)
	if s := c.standing(1); s.End != 2 {
		t.Fatalf("it ends at %d, and not within the batch from 1 to 2", s.End)
	}
	faulty.Add(disk.Fault{Op: disk.OpWrite, Path: "00001.log", Times: 1, Err: disk.ErrNoSpace})
	faulty.Add(disk.Fault{Op: disk.OpRename, Path: "00001.log", Err: disk.ErrNoSpace})
	_ = c.tryFetch(1)
	faulty.Heal()
	s := c.standing(1)
	if w, _, _ := AsFollower(c.nodes[1].p).Where(); w.Offset != s.End || s.High > s.End {
		t.Fatalf("it stands at %+v and asks for %+v", s, w)
	}
	c.same(1, 2)
}

// fullCluster is a follower whose log goes apart from the leader's, and a disk of its that can be full. Where it goes apart is deleted
// or not.
func fullCluster(t *testing.T, deleted bool) (*cluster, *disk.Faulty) {
	c := newCluster(t, replica.Synced, 1, 1, 2, 3)
	n := c.nodes[1]
	faulty := disk.NewFaulty(n.fs)
	cfg := Config{Log: log.DefaultConfig(), MinISR: 1, Durability: replica.Synced}
	n.p = New(n.p.at(), name, &cfg, 0, func(log.Config) (*log.Log, error) {
		return log.Open(log.Options{FS: faulty, Path: "d/t-0", Partition: name, Config: cfg.Log, Now: c.w.Now()})
	})
	c.goApart()
	if deleted {
		c.nodes[2].p.DeleteRecords(2, time.Minute, func(kafka.Offset, error) {})
		c.w.Run(time.Second)
	}
	return c, faulty
}

// tryFetch is fetch where the follower's disk may be full.
func (c *cluster) tryFetch(id kafka.NodeID) error {
	c.t.Helper()
	f := AsFollower(c.nodes[id].p)
	w, ok, err := f.Where()
	if err != nil || !ok {
		return err
	}
	got, err := AsLeader(c.nodes[w.Leader].p).Read(asks(id, w))
	if fault.CodeOf(err) == kafka.ErrOffsetOutOfRange {
		leads := c.standing(w.Leader)
		_, _, err = f.OutOfRange(w.Position, leads.LogStart, leads.End)
		return err
	}
	if err != nil {
		c.t.Fatal(err)
	}
	defer got.Slice.Release()
	if d := got.Diverging; d != nil {
		_, _, err = f.Diverged(w.Position, *d)
		return err
	}
	records, err := got.Slice.AppendTo(nil)
	if err == nil {
		_, _, err = f.Take(Answer{Asked: w.Position, Records: records, High: got.High, LogStart: got.LogStart})
	}
	return err
}

// same brings a follower up to its leader, and fails unless their logs are the same then.
func (c *cluster) same(id, leader kafka.NodeID) {
	c.t.Helper()
	for range 3 {
		for range 5 {
			if err := c.tryFetch(id); err != nil {
				c.t.Fatal(err)
			}
		}
		c.w.Run(time.Second)
	}
	if got, want := c.standing(id), c.standing(leader); got.End != want.End || got.Durable != want.Durable || got.LogStart != want.LogStart || got.High != want.High {
		c.t.Fatalf("it stands at %+v, the leader at %+v", got, want)
	}
	if !bytes.Equal(contents(c.t, c.nodes[id]), contents(c.t, c.nodes[leader])) {
		c.t.Fatal("the logs differ")
	}
}

func followerFull(t *testing.T, deleted bool, op disk.Op, times, skip int) (hit bool) {
	t.Helper()
	what := fmt.Sprintf("deleted %v, %s %d fails for %d", deleted, op, skip, times)
	c, faulty := fullCluster(t, deleted)
	faulty.Add(disk.Fault{Op: op, Path: "/t-0", Skip: skip, Times: times, Err: disk.ErrNoSpace, Slow: func() { hit = true }})
	for range 5 {
		_ = c.tryFetch(1)
		s := c.standing(1)
		if w, ok, err := AsFollower(c.nodes[1].p).Where(); err != nil || !ok || w.Offset != s.End || s.High > s.End {
			t.Fatalf("%s: it stands at %+v and asks for %+v (%v)", what, s, w, err)
		}
	}
	faulty.Heal()
	c.same(1, 2)
	return hit
}
