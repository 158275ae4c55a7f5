package upkeep

import (
	"errors"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/record"
)

// large appends records of 5000 bytes to a partition.
func (r *rig) large(p *partition.Partition, n int) {
	r.t.Helper()
	for range n {
		b := record.NewBuilder(record.Plain())
		b.Append(r.w.Now().WallMs, nil, make([]byte, 5000))
		p.Append(partition.Append{Batch: must.Get(b.Build()), Acks: 1, Epoch: kafka.NoLeaderEpoch}, func(a partition.Appended) { must.OK(a.Err) })
		r.w.Run(time.Second)
	}
	p.FlushOld(true)
	r.w.Run(time.Second)
}

// A byte that rots where nobody reads, and an ordinary truncation of a follower, end nothing: the replica goes on, and so does
// retention of it and of the others.
func TestRetentionGoesOnAfterATruncationOverDamage(t *testing.T) {
	r := newRig(t, disk.NewMem(), "t", "u")
	p := r.all[0]
	for _, each := range r.all {
		r.large(each, 12)
	}
	f := must.Get(r.fs.Open("data/t-0/00000000000000000000.log", disk.Write))
	b := make([]byte, 1)
	const at = 5071 + 9 // the length of the second batch
	must.Get(f.ReadAt(b, at))
	b[0] ^= 0x40
	must.Get(f.WriteAt(b, at))
	must.OK(f.Close())
	p.Become(replica.Registration{Leader: 2, LeaderEpoch: 2, PartitionEpoch: 1, Replicas: []kafka.NodeID{1, 2}, ISR: []kafka.NodeID{2}})
	w, ok, err := partition.AsFollower(p).Where()
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	if c, ok, err := partition.AsFollower(p).OutOfRange(w.Position, 0, 11); !ok || err != nil || c.To != 11 {
		t.Fatalf("the follower is cut: %+v, %v, %v", c, ok, err)
	}
	New(r.o).Start()
	r.w.Run(time.Hour)
	if r.failed != nil {
		t.Fatalf("the node fails: %v", r.failed)
	}
	p.Become(replica.Registration{Leader: 1, LeaderEpoch: 3, PartitionEpoch: 2, Replicas: []kafka.NodeID{1}, ISR: []kafka.NodeID{1}})
	r.large(p, 1)
	r.w.Run(8 * 24 * time.Hour)
	if r.failed != nil {
		t.Fatalf("the node fails: %v", r.failed)
	}
	for i, end := range []kafka.Offset{12, 12} {
		if s := r.all[i].Standing(); s.LogStart != end || s.End != end {
			t.Errorf("%v: %+v, all of it is a week old", r.all[i].Name(), s)
		}
	}
}

// What is told of one partition ends the node only where it is neither the disk's nor the partition's own.
func TestWhatRetentionOfOnePartitionFailsWith(t *testing.T) {
	r := newRig(t, disk.NewMem(), "t")
	u := New(r.o)
	bug := errors.New("a bug")
	for _, c := range []struct {
		err, ends error
		said      int
	}{
		{nil, nil, 0},
		{&fault.Error{Op: "test", Kind: fault.Full}, nil, 0},
		{fault.Corruption("test", "a byte"), nil, 1},
		{bug, bug, 1},
	} {
		if got := u.tended(r.all[0], c.err); !errors.Is(got, c.ends) {
			t.Errorf("%v: %v", c.err, got)
		}
		r.wantSaid(c.said, "Retention of t-0 met damage; the next check tries again.")
	}
}
