package quorum

import (
	"encoding/binary"
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/world"
)

// barriers is the reads that wait for proof that this node has seen everything committed before they were asked.
type barriers struct {
	lastID  uint64
	waiting []*barrier // in the order they came
	term    uint64     // in which this leader asked for proof
	upTo    uint64     // Raft's number of the last read that it was for
}

type barrier struct {
	id    uint64
	asked bool   // Raft knows of it
	index uint64 // once confirmed: what has to be committed here; 0 before
	timer world.Timer
	done  func(error)
}

// ReadBarrier calls done once every change that was committed anywhere before the call is committed and visible here.
// It works on followers too: they ask the leader. Without a leader it fails; an answer that is lost times out.
func (q *Quorum) ReadBarrier(done func(error)) {
	q.locked(func() {
		if q.err != nil {
			err := q.err
			q.later(func() { done(err) })
			return
		}
		if q.lead.role.lead == raft.None {
			err := q.lead.notController("quorum.ReadBarrier", "a consistent read needs a leader")
			q.later(func() { done(err) })
			return
		}
		if q.reads.lastID == 0 {
			q.reads.lastID = q.o.World.Uint64() >> 1 // answers to an earlier incarnation must not fit
		}
		q.reads.lastID++
		b := &barrier{id: q.reads.lastID, done: done}
		b.timer = q.o.World.After(2*q.o.Config.ElectionTimeout, func() { q.locked(func() { q.reads.expire(q, b) }) })
		q.reads.waiting = append(q.reads.waiting, b)
		q.reads.ask(q)
	})
}

// ask passes reads to Raft. A lone leader would confirm them at once, so they wait until it is active: what an earlier
// incarnation committed is not known as committed before.
func (r *barriers) ask(q *Quorum) {
	if q.lead.role.leading && !q.lead.role.active {
		return
	}
	for _, b := range r.waiting {
		if !b.asked {
			b.asked = true
			q.engine.node.ReadIndex(binary.BigEndian.AppendUint64(nil, b.id))
		}
	}
}

// proof notes which reads a heartbeat of this leader's is to confirm.
func (r *barriers) proof(m *raftpb.Message) {
	if ctx := m.GetContext(); m.GetType() == raftpb.MsgHeartbeat && len(ctx) == 8 {
		r.term, r.upTo = m.GetTerm(), binary.LittleEndian.Uint64(ctx)
	}
}

// unasked reports whether an answer to a heartbeat confirms reads that there are not: the library takes it for its word (v3.7.0, read_only.go).
func (r *barriers) unasked(m *raftpb.Message) bool {
	ctx := m.GetContext()
	return len(ctx) == 8 && (r.term != m.GetTerm() || binary.LittleEndian.Uint64(ctx) > r.upTo)
}

// confirmed notes the indexes that Raft gave.
func (r *barriers) confirmed(q *Quorum, states []raft.ReadState) {
	for _, s := range states {
		for _, b := range r.waiting {
			if len(s.RequestCtx) == 8 && binary.BigEndian.Uint64(s.RequestCtx) == b.id {
				b.index = s.Index
			}
		}
	}
	if len(states) > 0 {
		r.settle(q)
	}
}

// settle releases the reads whose index is committed here.
func (r *barriers) settle(q *Quorum) {
	if len(r.waiting) == 0 {
		return
	}
	next, _ := q.engine.store.pos.indexOf(q.committed)
	end := q.committed
	r.waiting = slices.DeleteFunc(r.waiting, func(b *barrier) bool {
		if b.index == 0 || b.index >= next {
			return false
		}
		b.timer.Stop()
		q.later(func() { q.await(end, func() { b.done(nil) }) })
		return true
	})
}

func (r *barriers) expire(q *Quorum, late *barrier) {
	r.waiting = slices.DeleteFunc(r.waiting, func(b *barrier) bool {
		if b == late {
			q.later(func() {
				b.done(fault.New("quorum.ReadBarrier", kafka.ErrRequestTimedOut, "the leader of the metadata quorum did not answer"))
			})
		}
		return b == late
	})
}

func (r *barriers) fail(q *Quorum, err error) {
	for _, b := range r.waiting {
		b.timer.Stop()
		q.later(func() { b.done(err) })
	}
	r.waiting = nil
}

// await runs f once this node shows everything below the offset.
func (q *Quorum) await(end kafka.Offset, f func()) {
	if q.o.Await == nil {
		f()
		return
	}
	q.o.Await(end, f)
}
