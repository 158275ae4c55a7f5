package sim

import (
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/history/replicas"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/partition"
)

// noticing has the watch look at a partition in the moment in which the first node acts on a change of it, or of how many in sync a
// write takes: who joined the in-sync replicas an instant too early has caught up at the next look. It is asked between any two events.
func (r *run) noticing(done func() bool) func() bool {
	return func() bool {
		r.watch.notice()
		return done()
	}
}

func never() bool { return false }

func (w *watch) notice() {
	for _, m := range w.r.machines {
		if m.node == nil {
			continue
		}
		img := m.node.Probe().Image()
		if img == m.acts {
			continue
		}
		m.acts = img
		w.quorum.acts(m, img.Offset())
		if w.newest != nil && img.Offset() <= w.newest.Offset() {
			continue
		}
		w.newest = img
		for t := range img.Topics() {
			least := w.r.minISR(img, t.Name)
			for n, p := range t.Partitions() {
				id := kafka.TopicIDPartition{TopicID: t.ID, Partition: n}
				of := w.watched[id]
				if of == nil || of.at != p.PartitionEpoch || of.min != least {
					was := w.leads(of)
					w.look(id, nil)
					if t.Name == topic {
						w.ambush.elected(was, p)
						w.late.changed()
					}
				}
			}
		}
	}
}

// leads is who led a partition when it was looked at last.
func (w *watch) leads(of *watched) lead {
	if of == nil {
		return lead{node: kafka.NoNode, epoch: kafka.NoLeaderEpoch}
	}
	return of.leads
}

// cut hears of a node that has cut a log on a leader's word, and looks at it: what was answered in one epoch is not to be obeyed in
// another (R10).
func (w *watch) cut(host string, line slog.Record) {
	named, to, asked := "", kafka.NoOffset, kafka.NoLeaderEpoch
	line.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "partition":
			named = a.Value.String()
		case "offset":
			to = kafka.Offset(a.Value.Int64())
		case "leaderEpoch":
			asked = kafka.LeaderEpoch(a.Value.Int64())
		}
		return true
	})
	i := slices.IndexFunc(w.r.machines, func(m *machine) bool { return m.host() == host })
	at := strings.LastIndexByte(named, '-')
	if w.newest == nil || i < 0 || at < 0 || w.r.machines[i].node == nil {
		return
	}
	t := w.newest.TopicNamed(named[:at])
	number, err := strconv.Atoi(named[at+1:])
	if t == nil || err != nil {
		return
	}
	id := kafka.TopicIDPartition{TopicID: t.ID, Partition: int32(number)}
	w.ambush.at(aCut, w.r.machines[i])
	p := w.r.machines[i].node.Probe().Replica(id)
	if _, known := w.newest.Partition(id); !known || p == nil {
		return
	}
	c := replicas.Truncation{Node: w.r.machines[i].id, To: to}
	c.Asked.LeaderEpoch, c.Is.LeaderEpoch = asked, partition.Probe(p).Registration.LeaderEpoch
	m := w.r.machines[i]
	w.r.w.After(0, func() { // the node is in the middle of what it does
		w.learn() // nothing is noticed any more once all has healed, and it may act on what it has just heard
		if _, known := w.newest.Partition(id); known {
			w.look(id, func(s *replicas.State) { s.Truncations = append(s.Truncations, c) })
			w.returned(m, id)
		}
	})
}

// dying takes a last look at a process that is about to end: what it has promised by now is held against its disk.
func (w *watch) dying(m *machine) {
	if m.node == nil || w.watched == nil {
		return
	}
	w.learn()
	w.forget()
	for _, id := range w.ids() {
		_, known := w.newest.Partition(id)
		if x := w.watched[id].seen[m.id]; x != nil && known {
			w.see(m, id, x)
		}
	}
}

// serves looks at a process that has just begun, at a moment that nobody expects: before its logs are flushed the first time they are
// durable only if what the last process left was made so.
func (w *watch) serves(m *machine) {
	if w.watched == nil || w.r.plan.Swarm.Cached {
		return
	}
	proc := m.proc
	w.r.w.After(time.Duration(w.dice.IntN(10))*time.Millisecond, func() {
		if m.proc != proc || m.node == nil {
			return
		}
		w.dying(m)
		left := w.worst(m.fs)
		for _, id := range w.ids() {
			if x := w.watched[id].seen[m.id]; x != nil {
				_, end := logOn(left, w.watched[id].tp, id.TopicID)
				w.promised(x, w.watched[id].tp, end)
			}
		}
	})
}

// promised holds S1 and S5: what a replica called durable is on its disk whatever becomes of the rest.
func (w *watch) promised(x *sight, tp kafka.TopicPartition, end kafka.Offset) {
	if w.r.plan.Swarm.Cached || tp.Topic == kafka.OffsetsTopic || !x.Up || x.Durable <= max(end, x.Start) {
		return
	}
	w.r.findings = append(w.r.findings, history.Finding{Name: "S1 durable", Verdict: history.Always,
		Text: fmt.Sprintf("%v: node %d called everything durable up to %d, and its disk has it up to %d", tp, x.Node, x.Durable, end)})
}

// returned holds S7: what was cut away is on no disk any more, whatever becomes of what isn't durable.
func (w *watch) returned(m *machine, id kafka.TopicIDPartition) {
	of := w.watched[id]
	x := of.seen[m.id]
	if w.r.plan.Swarm.Cached || of.tp.Topic == kafka.OffsetsTopic || m.node == nil || !w.see(m, id, x) || !x.Up {
		return
	}
	on, _ := logOn(w.worst(m.fs), of.tp, id.TopicID)
	for _, b := range on {
		if b.Last >= x.End {
			w.r.findings = append(w.r.findings, history.Finding{Name: "S7 cut", Verdict: history.Always,
				Text: fmt.Sprintf("%v: node %d has cut its log to %d, and a power cut brings %d to %d of epoch %d back", of.tp, m.id, x.End, b.Base, b.Last, b.Epoch)})
			return
		}
	}
}
