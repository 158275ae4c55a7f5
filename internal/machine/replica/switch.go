package replica

import "github.com/milena-io/milena/internal/kafka"

// Configure sets min.insync.replicas and the durability mode; it reports whether the high watermark moved.
//
// To page-cache durability a partition goes at once. Back it goes in two phases (architecture D5): what was committed until
// now may be in page caches alone, and a member of the ISR that loses its cache must still lose its place. So the rules of
// the page cache hold until every ISR member, this leader included, reports durable what the leader's log held at the switch.
// Acknowledgements need not wait for that: from the switch on they are given for what is durable (Acknowledged).
func (r *Replica) Configure(minISR int, d Durability) bool {
	r.minISR = max(minISR, 1)
	if d == Synced && r.wanted == Cached {
		r.switchAt = r.end
	}
	r.wanted = d
	if d == Cached {
		r.rules = Cached
	}
	return r.advance()
}

// settleSwitch ends the first phase. Only the leader can tell; one that is elected meanwhile begins anew from its own end.
func (r *Replica) settleSwitch() {
	if r.rules == r.wanted || !r.Leads() {
		return
	}
	if _, durable, known := r.inSync(); known && durable >= r.switchAt {
		r.rules = r.wanted
	}
}

// take begins a leadership by the rules that the controller holds the partition to (ADR 0036). Where it settles still this leader begins the
// first phase anew from its own end. Where it does not, an earlier leader has ended the first phase, and everything that was committed
// is durable on every member, whatever this node saw of the switch.
func (r *Replica) take(settling bool) {
	switch {
	case r.wanted == Cached:
	case settling:
		r.rules = Cached
	default:
		r.rules = Synced
	}
}

// hasSettled reports whether the controller is to hear that the switch is over for it, too: everything that was committed, by the page cache as well,
// is durable on every ISR member. From then on the high watermark does not pass what is durable. The only replica has nothing to tell: it keeps its
// place by either rules.
func (r *Replica) hasSettled() bool {
	if !r.reg.Settling || r.rules != Synced || !r.Leads() || len(r.reg.Replicas) < 2 {
		return false
	}
	_, durable, known := r.inSync()
	return known && durable >= r.high
}

// Settled reports whether Consider would tell the controller that a switch is over.
func (l Leading) Settled() bool { return l.r.hasSettled() && !l.r.wish.under }

// Rules returns the durability that the partition is held to: while a switch from Cached to Synced is under way still Cached.
func (r *Replica) Rules() Durability { return r.rules }

// Acknowledged returns the offset below which acks=all is answered. Unless Cached is wanted this is also durable on every ISR
// member: what was committed from page caches before is not acknowledged a second time, to a retry, without being durable.
func (r *Replica) Acknowledged() kafka.Offset {
	if r.wanted == Cached {
		return r.high
	}
	_, durable, _ := r.inSync()
	return min(r.high, durable)
}
