package node

import (
	"time"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/peer"
)

// Failure is noticed at once (architecture D11): a connection to another voter that broke starts a probe, and whose process is
// proven gone leads nothing any more, neither the quorum nor a partition. Silence proves nothing.

// term is who leads the quorum.
type term struct {
	leader kafka.NodeID
	epoch  kafka.LeaderEpoch
	active bool
}

// doubt asks whether the voter at an address lives, to which a connection ended.
func (s *seat) doubt(addr string) {
	q := s.own()
	if q == nil || s.n.life.Over() {
		return
	}
	for _, v := range q.Voters() {
		if address(v) == addr {
			s.probe(addr, v.ID)
			return
		}
	}
}

// probe asks for the process of a node, and acts on its being gone.
func (s *seat) probe(addr string, id kafka.NodeID) {
	suspect := peer.Suspect{Addr: addr, Node: id}
	b := s.n.feed.Image().Broker(id)
	if b != nil {
		suspect.Incarnation = b.Incarnation
	}
	since := s.n.o.World.Now().Mono
	p := peer.Prober{Peers: s.n.replicas.others.peers, Self: s.n.identity, Timeout: probeTimeout}
	p.Probe(suspect, func(f peer.Finding) {
		q := s.own()
		if f.Life != peer.Gone || s.n.life.Over() {
			return
		}
		s.n.log("kafka.raft").Info("The process of another node is gone.", "node", int32(id), "reason", f.Reason)
		q.LeaderGone(id)
		if b != nil {
			s.bury(b, since)
		}
	})
}

// bury has the controller of this process move what a dead broker led; where another controls, that learns of it itself.
func (s *seat) bury(b *image.Broker, suspected time.Duration) {
	if b.Fenced || !s.Active() {
		return
	}
	own{s}.Submit(controller.BrokerDead{Broker: b.ID, Epoch: b.Epoch}, func(_ any, err error) {
		if err == nil {
			s.n.replicas.seen.failover(s.n.o.World.Now().Mono - suspected)
		}
	})
}

// advanced looks at who leads, each time the log has moved on: what another was asked is asked of the new one, and a new controller
// asks each broker whether it lives, since it may have died with the old one.
func (s *seat) advanced() {
	q := s.own()
	if q == nil {
		return
	}
	leader, epoch := q.Leader()
	now := term{leader, epoch, q.Active()}
	s.mu.Lock()
	was := s.led
	s.led = now
	s.mu.Unlock()
	if now == was {
		return
	}
	s.n.o.World.Go(func() {
		if now.leader != was.leader || now.epoch != was.epoch {
			s.control.Moved()
			s.forward.Moved()
		}
		if now.active && !was.active {
			s.rollCall()
		}
	})
}

// rollCall asks each broker that counts as alive.
func (s *seat) rollCall() {
	for b := range s.n.feed.Image().Brokers() {
		if b.ID != s.n.settings.NodeID() && !b.Fenced {
			since := s.n.o.World.Now().Mono
			s.n.suspect(b, func(dead bool) {
				if dead {
					s.bury(b, since)
				}
			})
		}
	}
}
