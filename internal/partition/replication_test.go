package partition

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/world"
)

// node is one broker's replica in a cluster of a test; it is its own Replication and takes note of what it is told.
type node struct {
	id      kafka.NodeID
	fs      *disk.Mem
	p       *Partition
	failed  []error
	wishes  int
	durable int
	epochs  map[kafka.NodeID]kafka.BrokerEpoch
}

func (n *node) Member(id kafka.NodeID) (kafka.BrokerEpoch, bool) {
	return n.epochs[id], n.epochs[id] > 0
}
func (n *node) Wish(*Partition)    { n.wishes++ }
func (n *node) Durable(*Partition) { n.durable++ }

// cluster is replicas of one partition in a virtual world; fetches are made by hand.
type cluster struct {
	t      testing.TB
	w      *world.Virtual
	nodes  map[kafka.NodeID]*node
	d      replica.Durability
	minISR int
}

func newCluster(t testing.TB, d replica.Durability, minISR int, ids ...kafka.NodeID) *cluster {
	c := &cluster{t: t, w: world.NewVirtual(5), nodes: map[kafka.NodeID]*node{}, d: d, minISR: minISR}
	for _, id := range ids {
		c.start(id, disk.NewMem())
	}
	return c
}

func (c *cluster) start(id kafka.NodeID, fs *disk.Mem) *node {
	n := &node{id: id, fs: fs, epochs: map[kafka.NodeID]kafka.BrokerEpoch{1: 1, 2: 1, 3: 1}}
	env := &Env{World: c.w, Flusher: disk.NewFlusher(c.w, "d"), Logger: slog.New(slog.DiscardHandler), Self: id, Replication: n,
		Failed: func(err error) { n.failed = append(n.failed, err) }}
	cfg := Config{Log: log.DefaultConfig(), MinISR: c.minISR, Durability: c.d}
	if err := errors.Join(fs.MkdirAll("d"), fs.SyncDir(".")); err != nil {
		c.t.Fatal(err)
	}
	n.p = New(env, name, &cfg, 0, func(log.Config) (*log.Log, error) {
		return log.Open(log.Options{FS: fs, Path: "d/t-0", Partition: name, Config: cfg.Log, Now: c.w.Now()})
	})
	c.nodes[id] = n
	return n
}

// become tells every node of a registration.
func (c *cluster) become(leader kafka.NodeID, epoch kafka.LeaderEpoch, partitionEpoch kafka.PartitionEpoch, isr ...kafka.NodeID) {
	for _, id := range []kafka.NodeID{1, 2, 3} {
		if n := c.nodes[id]; n != nil {
			n.p.Become(replica.Registration{Leader: leader, LeaderEpoch: epoch, PartitionEpoch: partitionEpoch, Replicas: []kafka.NodeID{1, 2, 3}, ISR: isr})
		}
	}
}

func (c *cluster) append(to kafka.NodeID, acks int16, values ...string) *Appended {
	out := &Appended{Err: errPending}
	c.nodes[to].p.Append(Append{Batch: batch(c.t, values...), Acks: acks, Epoch: kafka.NoLeaderEpoch}, func(a Appended) { *out = a })
	return out
}

func asks(n kafka.NodeID, w Where) ReplicaRead {
	return ReplicaRead{
		Node: n, BrokerEpoch: 1, CurrentEpoch: w.LeaderEpoch, LastEpoch: w.LastEpoch, From: w.Offset, LogStart: w.LogStart,
		Durable: w.Durable, MaxBytes: 1 << 20, MinOne: true,
	}
}

// fetch has a follower fetch once, and reports whether it stands otherwise than before.
func (c *cluster) fetch(id kafka.NodeID) (changed bool) {
	c.t.Helper()
	f := AsFollower(c.nodes[id].p)
	w, ok, err := f.Where()
	if err != nil || !ok {
		c.t.Fatalf("node %d does not follow: %v", id, err)
	}
	got, err := AsLeader(c.nodes[w.Leader].p).Read(asks(id, w))
	if err != nil {
		c.t.Fatal(err)
	}
	defer got.Slice.Release()
	if d := got.Diverging; d != nil {
		_, ok, err = f.Diverged(w.Position, *d)
	} else {
		records, bad := got.Slice.AppendTo(nil)
		if bad != nil {
			c.t.Fatal(bad)
		}
		_, ok, err = f.Take(Answer{Asked: w.Position, Records: records, High: got.High, LogStart: got.LogStart})
	}
	if err != nil || !ok {
		c.t.Fatalf("node %d did not take the answer: %v", id, err)
	}
	now, _, _ := f.Where()
	return now != w
}

// sync has a follower fetch until nothing changes, without time passing.
func (c *cluster) sync(id kafka.NodeID) {
	for c.fetch(id) {
	}
}

func (c *cluster) standing(id kafka.NodeID) Standing { return c.nodes[id].p.Standing() }

// contents is the log of a node, byte for byte.
func contents(t testing.TB, n *node) []byte {
	t.Helper()
	o := n.p.log.Offsets()
	got, err := n.p.log.Read(o.LogStart, log.ReadOptions{MaxBytes: 1 << 20, MinOne: true, Upper: o.End})
	if err != nil {
		t.Fatal(err)
	}
	defer got.Release()
	b, err := got.AppendTo(nil)
	if err != nil || len(b) == 0 {
		t.Fatal("nothing to read", err)
	}
	return b
}
