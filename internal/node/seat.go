package node

import (
	"sync"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/remote"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// seat is a node's place among the controllers of its cluster. Whoever votes has a quorum.Quorum on its metadata log and everybody else, a
// broker above all, a quorum.Observer, one after the other and never both; either is the feed's source, and what the node asks of the active
// controller goes to whoever that is, perhaps itself.
type seat struct {
	n        *Node
	mail     mail
	vigil    vigil
	enlist   enlistment
	lookout  lookout
	control  *remote.Control
	forward  *remote.Forwarder
	upstream *remote.Upstream
	forming  *quorum.Forming

	mu     sync.Mutex
	place  place
	led    term      // as of the last advance
	heard  []*func() // who wants to know that more is committed
	wish   wish
	closed bool
}

// newSeat takes the seat; nothing is asked or formed before start.
func newSeat(n *Node) (*seat, error) {
	s := &seat{n: n}
	s.mail.seat, s.vigil.s, s.lookout.s, s.enlist.n = s, s, s, n
	o := remote.Options{
		World: n.o.World, Peers: n.replicas.others.peers, Self: n.settings.NodeID(), ClusterID: n.ClusterID, Await: n.feed.WaitFor, Where: s.where(),
	}
	if n.settings.node.Roles.Controller {
		o.Own = own{s}
	}
	s.control, s.forward = remote.NewControl(o), remote.NewForwarder(o)
	s.upstream = remote.NewUpstream(remote.UpstreamOptions{
		World: n.o.World, Peers: n.replicas.others.peers, ClusterID: n.ClusterID, Listener: n.settings.controllerListener(),
		Timeout: n.o.Values.Millis("controller.quorum.request.timeout.ms"),
	})
	return s, s.found()
}

// where is how the active controller is found.
func (s *seat) where() remote.Whereabouts {
	return remote.Whereabouts{
		Leader: s.leader, Voters: s.voters, Image: s.n.feed.Image, Seats: s.n.settings.seats(), Listener: s.n.settings.controllerListener(),
	}
}

// own returns this node's part of the quorum, nil where it has none.
func (s *seat) own() *quorum.Quorum { return s.at().quorum }

func (s *seat) leader() (kafka.NodeID, kafka.LeaderEpoch) {
	if p := s.at().part(); p != nil {
		return p.Leader()
	}
	return kafka.NoNode, kafka.NoLeaderEpoch
}

func (s *seat) voters() []record.Voter {
	if p := s.at().part(); p != nil {
		return p.Voters()
	}
	return nil
}

// sole reports whether this node is all of the quorum: then nobody else can lead.
func (s *seat) sole() bool {
	all := s.voters()
	return s.own() != nil && len(all) == 1 && all[0].ID == s.n.settings.NodeID()
}

func (s *seat) close() {
	s.mu.Lock()
	s.closed = true
	p, next := s.place, s.wish.next
	s.mu.Unlock()
	if next != nil {
		next.Stop()
	}
	s.lookout.close()
	s.forming.Stop()
	s.control.Close()
	s.forward.Close()
	s.mail.close()
	s.vigil.close()
	p.leave()
	s.upstream.Close()
}

// Committed makes the seat the feed's source, once it has a place. While that changes what the last place knew is told.
func (s *seat) Committed(from kafka.Offset, maxBytes int) (quorum.Committed, error) {
	for {
		p := s.at()
		c, err := p.part().Committed(from, maxBytes)
		if err == nil || s.at() == p {
			return c, err
		}
	}
}

// Watch implements feed.Source.
func (s *seat) Watch(f func()) (cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard[:len(s.heard):len(s.heard)], &f)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		var kept []*func()
		for _, h := range s.heard {
			if h != &f {
				kept = append(kept, h)
			}
		}
		s.heard = kept
	}
}

// Submit has a command decided by whoever leads. done is called once: with the reply, or with REQUEST_TIMED_OUT when it takes longer
// than the timeout, in which case the change may still happen.
func (s *seat) Submit(timeout time.Duration, cmd controller.Command, done func(reply any, err error)) {
	s.control.Submit(timeout, cmd, done)
}

// Forward passes a client's request on to the active controller and sees to its answer (KIP-590); false where that is here.
func (s *seat) Forward(r *wire.Request) bool { return !s.Active() && s.forward.Forward(r) }

// Describe tells how the metadata quorum stands, as far as this node knows.
func (s *seat) Describe() quorum.Description {
	if p := s.at().part(); p != nil {
		return p.Describe()
	}
	return quorum.Description{Leader: kafka.NoNode, Epoch: kafka.NoLeaderEpoch}
}

// KRaftVersion is the kraft.version of the metadata log: 1 in a cluster that is not known yet, since all that we form are.
func (s *seat) KRaftVersion() int16 {
	if p := s.at().part(); p != nil {
		return p.KRaftVersion()
	}
	return 1
}

// Active reports whether the active controller is on this node.
func (s *seat) Active() bool {
	q := s.own()
	return q != nil && q.Active()
}

var errUnformed = fault.New("controller", kafka.ErrNotController, "this node votes in no quorum yet")

// own is the controller of this process (remote.Own).
type own struct{ s *seat }

// Submit refuses what this node's disk has no room for, and everything while it has no part in the quorum.
func (o own) Submit(cmd controller.Command, done func(reply any, err error)) {
	q := o.s.own()
	err := error(errUnformed)
	if q != nil {
		err = o.s.n.storage.Space.Admit(cmd)
	}
	if err != nil {
		o.s.n.o.World.Go(func() { done(nil, err) })
		return
	}
	q.Submit(cmd, func(reply any, err error) { done(reply, err) })
}

// here is the controller of this process, as others ask it: it refuses what another leads, and answers in time.
type here struct{ s *seat }

// Submit implements nodes.Controller.
func (h here) Submit(timeout time.Duration, cmd controller.Command, done func(reply any, err error)) {
	deadlines := h.s.n.deadlines
	var once sync.Once
	var expiry *world.Deadline
	finish := func(reply any, err error) { once.Do(func() { done(reply, err) }) }
	expiry = deadlines.Add(timeout, func() {
		finish(nil, fault.New("controller", kafka.ErrRequestTimedOut, "The controller did not answer within %s.", timeout))
	})
	own(h).Submit(cmd, func(reply any, err error) {
		deadlines.Cancel(expiry)
		finish(reply, err)
	})
}
