package replica

import (
	"slices"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// modelNode is a broker with one replica: a log of records, of which a prefix is durable, and the machine.
type modelNode struct {
	m           *model
	id          int
	incarnation int
	up          bool
	log         []entry
	durable     int // what a power cut leaves
	cuts        int // truncations so far: a flush from before says nothing
	flushing    bool
	saved       kafka.Offset // checkpoint of the high watermark
	rep         *Replica
	broker      kafka.BrokerEpoch // 0 until registered
	seen        int               // of the controller's history
	fetch       int               // the newest fetch; answers to older ones may still come
	fetching    time.Duration     // when it went out; 0 for none under way
	wished      time.Duration     // when the wish was sent last
	waits       []acked
	wiped       bool // its disk was replaced, and the controller does not know yet
}

// holds reports whether a record is within a prefix of the log.
func (n *modelNode) holds(a acked, prefix int) bool {
	return a.offset < prefix && n.log[a.offset] == a.entry
}

func (n *modelNode) last() kafka.LeaderEpoch {
	if len(n.log) == 0 {
		return kafka.NoLeaderEpoch
	}
	return n.log[len(n.log)-1].epoch
}

// Member is what this node's metadata say of brokers.
func (n *modelNode) Member(id kafka.NodeID) (kafka.BrokerEpoch, bool) {
	b := n.m.ctl.history[n.seen].brokers[id]
	if f := n.rep.follower(id); n.m.mutant == anyBrokerEpoch && f != nil {
		return f.brokerEpoch, b.active
	}
	return b.epoch, b.active
}

func (n *modelNode) start() {
	n.incarnation++
	n.up, n.broker, n.seen, n.fetching, n.wished, n.flushing, n.waits = true, 0, -1, 0, 0, false, nil
	n.rep = New(kafka.NodeID(n.id), kafka.Offset(len(n.log)), kafka.Offset(n.durable), n.saved)
	n.rep.Configure(modelMin, Synced)
	if n.m.mutant == frozenHighIgnored {
		n.rep.Configure(1, Synced)
	}
	n.flush()
	n.repeat(20*time.Millisecond, 60*time.Millisecond, n.beat)
	n.repeat(2*time.Millisecond, 6*time.Millisecond, n.ask)
	n.repeat(40*time.Millisecond, 60*time.Millisecond, n.consider)
}

// repeat does something while this process lives.
func (n *modelNode) repeat(a, b time.Duration, f func()) {
	n.mine(n.m.between(a, b), func() { f(); n.repeat(a, b, f) })
}

// mine is after, for this process only.
func (n *modelNode) mine(d time.Duration, f func()) {
	incarnation := n.incarnation
	n.m.after(d, func() {
		if n.up && n.incarnation == incarnation {
			f()
		}
	})
}

// here is what is to run in this process when a message comes, if it still lives.
func (n *modelNode) here(f func()) func() {
	incarnation := n.incarnation
	return func() {
		if n.up && n.incarnation == incarnation {
			f()
		}
	}
}

// crash kills the process; with the power goes what is not durable, or a part of it.
func (n *modelNode) crash(power bool) {
	m := n.m
	if power {
		m.reached.powerCuts++
		n.log = n.log[:n.durable+m.rng.IntN(len(n.log)-n.durable+1)]
	}
	if !n.up {
		return
	}
	n.up = false
	dead := n.incarnation
	m.after(m.between(time.Millisecond, 300*time.Millisecond), func() {
		if !n.up && n.incarnation == dead && m.ctl.brokers[n.id].active && m.ctl.brokers[n.id].epoch == n.broker {
			m.ctl.fence(m, kafka.NodeID(n.id))
		}
	})
	m.after(m.between(2*time.Millisecond, 300*time.Millisecond), n.start)
}

// wipe kills the process and replaces its disk by an empty one, while another member of the ISR holds what it held.
func (n *modelNode) wipe() {
	m := n.m
	if !n.up || n.broker == 0 || len(without(m.ctl.reg.ISR, kafka.NodeID(n.id))) == 0 {
		return
	}
	for _, other := range m.nodes[1:] {
		if other.wiped {
			return
		}
	}
	m.reached.wiped++
	n.crash(false)
	n.log, n.durable, n.saved, n.wiped = nil, 0, 0, true
}

// beat registers, and keeps being registered.
func (n *modelNode) beat() {
	m := n.m
	if n.broker != 0 {
		broker := n.broker
		m.send(n.id, 0, func() { m.ctl.heartbeat(m, n.id, broker) })
		return
	}
	m.send(n.id, 0, n.here(func() { // of a process that is dead by now no registration is taken: its connection is gone
		if n.broker == 0 {
			n.broker = m.ctl.register(m, n)
		}
	}))
}

// metadata takes a state of the controller's.
func (n *modelNode) metadata(at int) {
	if !n.up || n.broker == 0 || at <= n.seen {
		return
	}
	s := n.m.ctl.history[at]
	if s.brokers[n.id].epoch != n.broker {
		return // of an earlier process: nothing in it is acted on
	}
	n.seen = at
	old := n.rep.Registration()
	began, _ := n.rep.Register(n.m.instant(), s.reg)
	now := n.rep.Registration()
	if now.LeaderEpoch != old.LeaderEpoch || !n.rep.Leads() {
		n.waits = nil // the clients look for another leader, and know nothing of what became of their records
	}
	switch {
	case began:
		n.m.checks.began(n, now.LeaderEpoch)
		n.m.checks.complete(n)
		if n.m.mutant == earlyExpansion {
			n.rep.epochStart = 0
		}
	case now.LeaderEpoch != old.LeaderEpoch && n.m.mutant == truncateToHigh && !n.rep.Leads():
		n.truncate(int(n.rep.HighWatermark()))
	}
	n.settle(0)
}

// write appends a client's record.
func (n *modelNode) write() {
	n.m.seq++
	n.append(entry{n.rep.Registration().LeaderEpoch, int(n.m.seq)})
	n.waits = append(n.waits, acked{len(n.log) - 1, n.log[len(n.log)-1]})
	n.settle(0)
}

func (n *modelNode) append(e entry) {
	n.log = append(n.log, e)
	n.m.checks.appended(n, len(n.log)-1)
	n.rep.Appended(kafka.Offset(len(n.log)))
	if n.m.mutant == ackBeforeFsync {
		n.rep.Flushed(kafka.Offset(len(n.log)))
	}
	n.flush()
}

func (n *modelNode) truncate(to int) {
	if to >= len(n.log) {
		return
	}
	n.m.reached.truncations++
	n.log = slices.Clone(n.log[:to])
	n.durable = min(n.durable, to)
	n.cuts++
	n.rep.Truncated(kafka.Offset(to))
}

// flush makes durable what there is, some time later.
func (n *modelNode) flush() {
	if n.flushing || n.durable == len(n.log) {
		return
	}
	n.flushing = true
	upTo, cuts := len(n.log), n.cuts
	took := n.m.between(200*time.Microsecond, 5*time.Millisecond)
	if !n.m.calm && n.m.rng.IntN(50) == 0 {
		took *= 40 // the disk hangs for a while
	}
	n.mine(took, func() {
		n.flushing = false
		if cuts == n.cuts {
			n.durable = upTo
			n.rep.Flushed(kafka.Offset(upTo))
			n.settle(0)
		}
		n.flush()
	})
}

// settle answers clients and sends a wish, after anything happened. was is the high watermark of before, where it is asked.
func (n *modelNode) settle(was kafka.Offset) {
	m := n.m
	m.checks.high(n, was)
	if m.rng.IntN(20) == 0 {
		n.saved = n.rep.HighWatermark()
	}
	for n.rep.Leads() && len(n.waits) > 0 && kafka.Offset(n.waits[0].offset) < n.rep.Acknowledged() && n.rep.EnoughInSync() {
		a := n.waits[0]
		n.waits = n.waits[1:]
		m.reached.acks++
		m.checks.acknowledged(m, n, a)
	}
	if _, ok := n.rep.Leading().Wish(); ok && n.wished == 0 {
		n.wish()
	}
}

// wish sends AlterPartition, of which every copy may come at any time.
func (n *modelNode) wish() {
	m := n.m
	w, ok := n.rep.Leading().Wish()
	if !ok {
		return
	}
	n.wished = m.now
	broker := n.broker
	m.send(n.id, 0, func() {
		code, epoch := m.ctl.alter(m, kafka.NodeID(n.id), broker, w)
		m.send(0, n.id, n.here(func() {
			n.wished = 0
			o := OutcomeOf(code)
			if o == Unknown {
				n.wished = m.now // again when its time is over
			}
			n.rep.Leading().Answered(m.instant(), w, o, epoch)
			n.settle(0)
		}))
	})
}

// consider is what time asks for.
func (n *modelNode) consider() {
	m := n.m
	if n.seen < 0 {
		return
	}
	if w, ok := n.rep.Leading().Wish(); ok && n.wished != 0 && m.now-n.wished > 100*time.Millisecond {
		if m.mutant != forgottenWish {
			n.rep.Leading().Answered(m.instant(), w, Unknown, 0) // its time is over
		} else {
			n.rep.Leading().Answered(m.instant(), w, Refused, 0)
		}
		n.wish()
	} else if !ok {
		n.wished = 0
	}
	n.rep.Leading().Consider(m.instant(), modelLag, n)
	n.settle(0)
	for _, other := range m.nodes[1:] {
		m.checks.samePrefix(n, other)
	}
}
