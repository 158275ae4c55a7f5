package quorum

import (
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/world"
)

// view is what a feed would make of an observer.
type view struct {
	state map[string]string
	next  kafka.Offset
	snaps int // how many snapshots it was given
}

// look follows the observer.
func (nd *simNode) look(c *cluster) {
	for nd.ob != nil {
		got, err := nd.ob.Committed(nd.view.next, 1<<16)
		if err != nil {
			c.t.Fatalf("node %d cannot read what it has: %v", nd.key.NodeID, err)
		}
		at := nd.view.next
		if s := got.Snapshot; s != nil {
			nd.view.state = map[string]string{}
			nd.view.snaps++
			if err := s.Each(func(r staterecord.Record) error { nd.view.apply(r); return nil }); err != nil {
				c.t.Fatal(err)
			}
			if s.End < nd.view.next {
				c.t.Fatalf("node %d goes back from %d to %d", nd.key.NodeID, nd.view.next, s.End)
			}
			at = s.End
		}
		for _, b := range got.Batches {
			if !b.IsControl() {
				err = eachValue(b, func(_ kafka.Offset, value []byte) error {
					r, err := staterecord.Decode(value)
					nd.view.apply(r)
					return err
				})
			}
			if err != nil || at >= 0 && b.BaseOffset() != at {
				c.t.Fatalf("a batch at %d where %d was due: %v", b.BaseOffset(), at, err)
			}
			at = b.NextOffset()
		}
		if at == nd.view.next {
			return
		}
		nd.view.next = at
	}
}

func (v *view) apply(r staterecord.Record) {
	if c, ok := r.(*staterecord.Config); ok {
		v.state[c.Name] = *c.Value
	}
}

// observer adds a node that has nothing, or restarts one as an observer on what it has.
func (c *cluster) observer(nd *simNode) {
	c.t.Helper()
	var err error
	if !alive(nd) {
		nd.proc = world.NewProcess(c.w)
		if err := nd.fs.MkdirAll(testDir); err != nil {
			c.t.Fatal(err)
		}
		if nd.log, err = openFileLog(nd.fs); err != nil {
			c.t.Fatal(err)
		}
	}
	var seats []Voter
	for i := range c.nodes {
		seats = append(seats, c.seat(kafka.NodeID(i+1)))
	}
	var known kafka.Offset
	if nd.q != nil && nd.q.o.World == nd.proc { // it voted until now
		known = nd.q.committed
	}
	nd.q, nd.view = nil, view{next: kafka.NoOffset}
	nd.ob, err = OpenObserver(ObserverOptions{World: nd.proc, FS: nd.fs, Dir: testDir, Log: nd.log, Flusher: disk.NewFlusher(nd.proc, "data"),
		Self: nd.key, Upstream: upstream{c, nd}, Seats: seats, Config: ObserverConfig{SnapshotBytes: c.conf.SnapshotBytes, ChunkBytes: 300},
		Committed: known, Voting: func() { c.promote(nd) }, Failed: func(err error) { nd.failed = err },
		Image: func() Image {
			return Image{End: nd.view.next, WallMs: 1, Records: (&keyStore{committed: nd.view.state}).Snapshot()}
		}})
	if err != nil {
		c.t.Fatalf("node %d: %v", nd.key.NodeID, err)
	}
	nd.ob.Watch(func() { nd.look(c) })
	nd.look(c)
	nd.ob.Start()
}

func alive(nd *simNode) bool { return nd.proc != nil && nd.proc.Alive() }

// restart starts a node on what its disk has, as what it then is.
func (c *cluster) restart(nd *simNode) {
	c.t.Helper()
	if refs, err := listSnapshots(nd.fs, testDir); err != nil || len(refs) == 0 {
		c.observer(nd)
		return
	}
	if err := c.tryStart(nd); err != nil {
		c.t.Fatalf("node %d does not start: %v", nd.key.NodeID, err)
	}
}

// newcomer is a node that was never there.
func (c *cluster) newcomer() *simNode {
	nd := &simNode{key: Key{kafka.NodeID(len(c.nodes) + 1), kafka.DirectoryID(c.w.UUID())}, fs: disk.NewMem()}
	c.nodes = append(c.nodes, nd)
	if err := nd.fs.MkdirAll(testDir); err != nil {
		c.t.Fatal(err)
	}
	for _, d := range []string{"", "data"} {
		if err := nd.fs.SyncDir(d); err != nil {
			c.t.Fatal(err)
		}
	}
	c.observer(nd)
	return nd
}

func (c *cluster) seat(id kafka.NodeID) Voter {
	nd := c.nodes[id-1]
	return Voter{ID: id, Directory: nd.key.DirectoryID, MaxKRaft: 1,
		Endpoints: []record.Endpoint{{Name: "CONTROLLER", Host: "127.0.0.1", Port: uint16(9092 + id)}}}
}

// promote has an observer become a voter, as a node does.
func (c *cluster) promote(nd *simNode) {
	if nd.ob == nil {
		return
	}
	ob, proc := nd.ob, nd.proc
	nd.ob = nil
	ob.Close(func(err error) {
		if !proc.Alive() {
			return
		}
		if err != nil {
			c.t.Fatal(err)
		}
		if err := c.vote(nd); err != nil {
			c.t.Fatalf("node %d does not become a voter: %v", nd.key.NodeID, err)
		}
	})
}

// demote has a voter become an observer.
func (c *cluster) demote(nd *simNode) {
	if nd.q == nil || !alive(nd) {
		return
	}
	nd.q.Close()
	c.observer(nd)
}

// unseated is what a node does that votes no more.
func (c *cluster) unseated(nd *simNode) func() {
	if !c.moving {
		return nil
	}
	return func() { c.demote(nd) }
}

// judged has an observer look at a message, as a node does.
func (c *cluster) judged(nd, from *simNode, msg []byte) {
	votes, err := nd.ob.Judge(from.key, msg)
	if votes {
		c.promote(nd)
	}
	if err != nil && c.moving {
		c.refused(nd, from)
	}
}

// refused tells a sender that it is no voter, as the answer to its message does.
func (c *cluster) refused(by, from *simNode) {
	c.w.After(time.Millisecond, func() {
		if !c.cut[[2]kafka.NodeID{by.key.NodeID, from.key.NodeID}] {
			c.demote(from)
		}
	})
}

// upstream is the way of an observer's questions.
type upstream struct {
	c  *cluster
	nd *simNode
}

func (u upstream) Fetch(to Voter, a Pull, done func(Pulled, error)) {
	travel(u, to, func(err error) { done(Pulled{Leader: kafka.NoNode}, err) }, func(q *Quorum, back func(func())) {
		q.Fetch(a, func(p Pulled, err error) { back(func() { done(p, err) }) })
	})
}

func (u upstream) FetchSnapshot(to Voter, a PullChunk, done func(Chunk, error)) {
	travel(u, to, func(err error) { done(Chunk{Leader: kafka.NoNode}, err) }, func(q *Quorum, back func(func())) {
		q.FetchSnapshot(a, func(p Chunk, err error) { back(func() { done(p, err) }) })
	})
}

// travel carries a question and its answer: late, lossy, cut where a test cut it.
func travel(u upstream, to Voter, failed func(error), ask func(q *Quorum, back func(func()))) {
	c, from := u.c, u.nd
	late := func() time.Duration { return time.Duration(c.w.Rand().IntN(3000)) * time.Microsecond }
	lost := func(a, b kafka.NodeID) bool {
		return c.cut[[2]kafka.NodeID{a, b}] || c.w.Rand().IntN(100) < c.loss
	}
	home := func(f func()) {
		if from.proc.Alive() {
			f()
		}
	}
	proc := from.proc
	at := to.ID
	c.w.After(late(), func() {
		if at < 1 || int(at) > len(c.nodes) || lost(from.key.NodeID, at) {
			return
		}
		target := c.nodes[at-1]
		c.note("ask", from.key.NodeID, at)
		if !alive(target) || target.q == nil {
			home(func() { failed(fault.New("test", kafka.ErrNotLeaderOrFollower, "node %d does not vote", at)) })
			return
		}
		ask(target.q, func(f func()) {
			if alive(target) && !lost(at, from.key.NodeID) {
				c.w.After(late(), func() {
					if proc.Alive() {
						f()
					}
				})
			}
		})
	})
}
