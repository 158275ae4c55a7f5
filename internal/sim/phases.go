package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/history/groups"
	"github.com/milena-io/milena/internal/history/records"
	"github.com/milena-io/milena/internal/kafka"
)

// patience is how long anything may take when nothing is wrong any more: a session, an election, a rebalance, with room.
const patience = 30 * time.Second

// converge demands that everything goes on once the faults are over: the nodes serve, every partition has a leader and all its
// replicas in sync, each producer gets records acknowledged everywhere, and readers come to the end.
func (r *run) converge() {
	demand := func(what string, done func() bool, why func() any) {
		if !r.w.RunUntil(patience, r.noticing(r.seldom(done))) {
			r.broken("liveness", "%v after the faults were over: not %s: %v", patience, what, why())
		}
		r.note("healed: %s", what)
	}
	demand("every node serves", r.up, func() any { return r.states() })
	marks := map[*lane]int{}
	for _, p := range r.crowd.producers {
		for _, l := range p.lanes {
			marks[l] = l.acked
		}
	}
	progress := func() (stuck []string) {
		for _, p := range r.crowd.producers {
			for _, l := range p.lanes {
				if p.acks == -1 && l.acked == marks[l] && !l.over {
					stuck = append(stuck, p.c.host+" on "+l.tp.String())
				}
			}
		}
		return stuck
	}
	if r.plan.Swarm.Variety.Voters {
		demand("every controller votes", func() bool { return len(r.voteless()) == 0 }, func() any { return r.voteless() })
	}
	demand("every partition takes writes", func() bool { return len(progress()) == 0 }, func() any { return append(progress(), r.behind()...) })
	demand("every group is stable", func() bool { return len(r.unsettled()) == 0 }, func() any { return r.unsettled() })
	demand("every replica is in sync", func() bool { return len(r.behind()) == 0 }, func() any { return r.behind() })
}

// seldom asks no more often than every few milliseconds whether something is done: to ask costs more than most events do.
func (r *run) seldom(done func() bool) func() bool {
	next := r.w.Now().Mono
	return func() bool {
		now := r.w.Now().Mono
		if now < next {
			return false
		}
		next = now + 3*time.Millisecond
		return done()
	}
}

// behind lists the partitions whose replicas are not all in sync, or that have no leader, as the first broker sees it.
func (r *run) behind() (out []string) {
	m := r.brokers[0]
	if m.node == nil {
		return []string{m.state()}
	}
	img := m.node.Probe().Image()
	for t := range img.Topics() {
		for n, p := range t.Partitions() {
			if tp := (kafka.TopicPartition{Topic: t.Name, Partition: n}); p.Leader < 0 || len(p.ISR()) < len(p.Replicas()) {
				out = append(out, fmt.Sprintf("%v led by %d, replicas %v, in sync %v, eligible %v, last known %v%s", tp, p.Leader, p.Replicas(), p.ISR(), p.ELR(), p.LastKnownELR(), r.watch.standing(kafka.TopicIDPartition{TopicID: t.ID, Partition: n})))
			}
		}
	}
	return out
}

// read stops the producers and has fresh consumers read everything.
func (r *run) read() {
	r.phase = reading
	for _, p := range r.crowd.producers {
		p.quiet = true
	}
	if !r.w.RunUntil(patience, func() bool {
		for _, p := range r.crowd.producers {
			for _, l := range p.lanes {
				if len(l.flight) > 0 {
					return false
				}
			}
		}
		return true
	}) {
		r.broken("liveness", "producers have not come to rest")
	}
	for _, k := range r.crowd.readers {
		k.over = true
	}
	c := newClient(r, "asks")
	left := 0
	var all []*consumer
	parts, ids := r.crowd.bounded()
	for i, tp := range parts {
		final := newConsumer(r, "final", r.plan.Swarm.Seed%2 == 0)
		all = append(all, final)
		left++
		r.begins(c, tp, func(start kafka.Offset) {
			r.ends(c, tp, func(end kafka.Offset) {
				p := final.assign(tp, end)
				p.id = ids[i]
				final.seek(p, start)
				left--
			})
		})
	}
	done := func() bool {
		return left == 0 && !slices.ContainsFunc(all, func(k *consumer) bool { return !k.positions[0].done() })
	}
	for read := kafka.Offset(-1); !r.w.RunUntil(patience, done); { // however much there is, for as long as they come further
		before := read
		read = 0
		for _, k := range all {
			for _, p := range k.positions {
				read += p.next
			}
		}
		if read == before {
			r.broken("liveness", "the final reads have not come to the end")
		}
	}
}

// judge has the checkers look at what was recorded.
func (r *run) judge() {
	h, _ := r.record.History()
	found := records.Check(h.Ops, records.Options{Final: r.phase == reading && len(r.findings) == 0})
	r.findings = append(r.findings, history.BadOf(found.Findings, history.Workload{
		Idempotent: r.plan.Swarm.Idempotent, Committed: r.plan.Swarm.Seed%2 == 0,
	})...)
	gathered := groups.Check(h.Groups, groups.Options{})
	r.findings = append(r.findings, history.BadOf(gathered.Findings, history.Workload{})...)
}
