package peer

import (
	"fmt"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// Life is what is known of a process.
type Life uint8

// What may be known.
const (
	Unknown Life = iota // it is silent, or can't be reached; its session decides
	Alive
	Gone // it will never say a word again
)

// String returns the word for it.
func (l Life) String() string { return [...]string{"unknown", "alive", "gone"}[l] }

// Suspect is a process that is believed to run at an address.
type Suspect struct {
	Addr        string
	Node        kafka.NodeID
	Incarnation kafka.IncarnationID
}

// Finding is what a probe found, with the reason in words. Who tells who answered, when somebody did.
type Finding struct {
	Life   Life
	Reason string
	Who    wire.Identity
}

// Prober asks whether processes live (architecture D11): one whose machine refuses the connection, or where another
// incarnation answers, is gone, and its leaderships need not wait for its session to run out. Only silence says nothing.
type Prober struct {
	Peers *Peers
	// Self says who asks.
	Self func() wire.Identity
	// Timeout is for the whole probe.
	Timeout time.Duration
}

// Probe asks, and calls done once, in an event of its own. A connection that breaks before the answer is tried again: a
// process that is dying takes connections until it is dead.
func (p *Prober) Probe(s Suspect, done func(Finding)) {
	self := p.Self()
	q := &probe{
		prober: p, suspect: s, done: done, until: p.Peers.o.World.Now().Mono + p.Timeout, pause: time.Millisecond,
		call: wire.NodeCall{ClusterID: self.ClusterID, From: self.Member, To: wire.Member{Node: kafka.NoNode}},
	}
	q.ask()
}

// probe is one question under way.
type probe struct {
	prober  *Prober
	suspect Suspect
	done    func(Finding)
	call    wire.NodeCall
	until   time.Duration
	pause   time.Duration // before it is asked again
}

func (q *probe) ask() {
	peers := q.prober.Peers
	c := peers.Channel(q.suspect.Addr, nil)
	c.Tell(&q.call, q.left(), func(a wire.NodeAnswer, err error) {
		c.Close()
		how, lost := HowLost(err)
		switch {
		case lost && how == Broken && q.left() > q.pause:
			peers.o.World.After(q.pause, q.ask)
			q.pause = min(2*q.pause, 50*time.Millisecond)
		case lost && how == Refused:
			q.done(Finding{Life: Gone, Reason: fmt.Sprintf("nobody listens at %s any more: %v", q.suspect.Addr, err)})
		case err != nil && a.Incarnation == kafka.IncarnationID{}:
			q.done(Finding{Reason: fmt.Sprintf("%s does not say who is there: %v", q.suspect.Addr, err)})
		default:
			q.done(q.suspect.compare(a.Identity))
		}
	})
}

func (q *probe) left() time.Duration { return q.until - q.prober.Peers.o.World.Now().Mono }

// compare judges who answered instead of whom.
func (s *Suspect) compare(who wire.Identity) Finding {
	f := Finding{Life: Gone, Who: who}
	switch {
	case who.Incarnation == s.Incarnation:
		f.Life, f.Reason = Alive, fmt.Sprintf("incarnation %v of node %d answers at %s", s.Incarnation, who.Node, s.Addr)
	case who.Node != s.Node:
		f.Reason = fmt.Sprintf("node %d of cluster %q answers at %s, where node %d was", who.Node, who.ClusterID, s.Addr, s.Node)
	default:
		f.Reason = fmt.Sprintf("node %d was started anew: incarnation %v answers at %s, and not %v", s.Node, who.Incarnation, s.Addr, s.Incarnation)
	}
	return f
}
