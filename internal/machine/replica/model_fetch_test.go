package replica

import (
	"slices"
	"sort"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// question is a follower's Fetch.
type question struct {
	node    kafka.NodeID
	broker  kafka.BrokerEpoch
	at      Position
	durable kafka.Offset
}

// reply is its answer.
type reply struct {
	code      kafka.ErrorCode
	diverging *EpochEnd
	entries   []entry
	high      kafka.Offset
}

// endFor is what a log says of an epoch's end (OffsetForLeaderEpoch).
func endFor(log []entry, e kafka.LeaderEpoch) EpochEnd {
	if len(log) == 0 || e < 0 || e > log[len(log)-1].epoch {
		return EpochEnd{kafka.NoLeaderEpoch, kafka.NoOffset}
	}
	n := sort.Search(len(log), func(i int) bool { return log[i].epoch > e })
	if n == 0 {
		return EpochEnd{e, 0}
	}
	return EpochEnd{log[n-1].epoch, kafka.Offset(n)}
}

// leaderEnd is endFor on a leader whose epoch may have no record yet.
func leaderEnd(log []entry, at, e kafka.LeaderEpoch) EpochEnd {
	latest := kafka.NoLeaderEpoch
	if len(log) > 0 {
		latest = log[len(log)-1].epoch
	}
	switch {
	case e <= latest || e > at || e < 0:
		return endFor(log, e)
	case e == at || latest < 0:
		return EpochEnd{e, kafka.Offset(len(log))}
	}
	return EpochEnd{latest, kafka.Offset(len(log))}
}

// ask sends a Fetch, unless one is under way that may still be answered.
func (n *modelNode) ask() {
	m := n.m
	if n.broker == 0 || n.fetching != 0 && m.now-n.fetching < 30*time.Millisecond {
		return
	}
	at, ok := n.rep.Following().Position(n.last())
	if !ok {
		return
	}
	n.fetching = m.now
	n.fetch++
	newest := n.fetch
	q := question{kafka.NodeID(n.id), n.broker, at, n.rep.durable}
	leader := m.nodes[at.Leader]
	m.send(n.id, leader.id, func() {
		if !leader.up || leader.seen < 0 {
			return
		}
		r := leader.answer(q)
		m.send(leader.id, n.id, n.here(func() {
			if newest == n.fetch {
				n.fetching = 0
			}
			n.take(q.at, r)
		}))
	})
}

// answer is the leader's side. A Fetch of another epoch must not change what the leader knows (R11).
func (n *modelNode) answer(q question) reply {
	if q.at.LeaderEpoch == n.rep.Registration().LeaderEpoch && n.rep.Leads() {
		return n.read(q)
	}
	known, high := slices.Clone(n.rep.followers), n.rep.HighWatermark()
	r := n.read(q)
	n.m.checks.refused(n, known, high)
	return r
}

func (n *modelNode) read(q question) (r reply) {
	m, rep := n.m, n.rep
	epoch := q.at.LeaderEpoch
	if m.mutant == noFencing {
		epoch = rep.Registration().LeaderEpoch
	}
	high := rep.HighWatermark()
	if r.code = rep.Leading().Admit(q.node, q.broker, epoch); r.code != kafka.ErrNone {
		return r
	}
	from := int(q.at.Offset)
	if q.at.LastEpoch >= 0 && m.mutant != truncateToHigh {
		e := leaderEnd(n.log, rep.Registration().LeaderEpoch, q.at.LastEpoch)
		if e.Epoch < 0 {
			r.code = kafka.ErrOffsetOutOfRange
			return r
		}
		if e.Epoch < q.at.LastEpoch || e.End < q.at.Offset {
			r.diverging = &e
			return r
		}
	}
	if from > len(n.log) {
		r.code = kafka.ErrOffsetOutOfRange
		return r
	}
	rep.Leading().Fetched(m.instant(), Progress{Node: q.node, BrokerEpoch: q.broker, End: q.at.Offset, Durable: q.durable}, n)
	if f := rep.follower(q.node); m.mutant == ignoredMember && f != nil && f.node == 3 {
		f.end, f.durable = rep.end, rep.end
		rep.advance()
	}
	n.settle(high)
	r.entries = slices.Clone(n.log[from:min(len(n.log), from+20)])
	r.high = rep.HighWatermark()
	return r
}

// take is the follower's side.
func (n *modelNode) take(asked Position, r reply) {
	f, high := n.rep.Following(), n.rep.HighWatermark()
	now, _ := f.Position(n.last())
	if n.m.mutant == noFencing {
		asked.Leader, asked.LeaderEpoch = now.Leader, now.LeaderEpoch
	}
	switch {
	case r.diverging != nil:
		if n.m.mutant == lateTruncation {
			asked = now
		}
		if o, ok := f.Diverged(asked, n.last(), *r.diverging, endFor(n.log, r.diverging.Epoch)); ok {
			n.m.checks.truncated(n, o)
			n.truncate(int(o.At))
		}
		return
	case r.code != kafka.ErrNone || !f.Stands(asked, n.last()):
		return
	}
	for _, e := range r.entries {
		n.append(e)
	}
	f.Told(r.high)
	n.settle(high)
}
