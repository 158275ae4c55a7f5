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
		if s.mail.address(v) == addr {
			s.probe(addr, v.ID)
			return
		}
	}
}

// probe asks for the process of a voter, and acts on its being gone: the one that was heard last, or else the one that is registered.
// Of a process that never said a word, who answers in its place proves nothing.
func (s *seat) probe(addr string, id kafka.NodeID) {
	suspect := peer.Suspect{Addr: addr, Node: id, Incarnation: s.mail.whoWas(addr)}
	b := s.n.feed.Image().Broker(id)
	if suspect.Incarnation.IsZero() && b != nil {
		suspect.Incarnation = b.Incarnation
	}
	since := s.n.o.World.Now().Mono
	p := peer.Prober{Peers: s.n.replicas.others.peers, Self: s.n.identity, Timeout: probeTimeout}
	p.Probe(suspect, func(f peer.Finding) {
		refused := f.Who.Incarnation.IsZero()
		if f.Life != peer.Gone || s.n.life.Over() || !refused && suspect.Incarnation.IsZero() {
			return
		}
		if q := s.own(); q != nil {
			q.LeaderGone(id)
		}
		if b != nil && f.Who.Incarnation != b.Incarnation {
			s.bury(b, since, f.Reason)
		}
	})
}

// bury has the controller of this process move what a dead broker led; where another controls, that learns of it itself.
func (s *seat) bury(b *image.Broker, suspected time.Duration, reason string) {
	now := s.n.feed.Image().Broker(b.ID)
	if now == nil || now.Epoch != b.Epoch || now.Fenced || !s.Active() || !s.vigil.buries(b) {
		return
	}
	s.n.log("kafka.controller").Warn("The process of a broker has ended: it is fenced, and others lead what it led.", "broker", int32(b.ID), "brokerEpoch", int64(b.Epoch), "reason", reason)
	own{s}.Submit(controller.BrokerDead{Broker: b.ID, Epoch: b.Epoch}, func(_ any, err error) {
		if s.vigil.buried(b); err == nil {
			s.n.replicas.seen.failover(s.n.o.World.Now().Mono - suspected)
		}
	})
}

// advanced tells the feed that more is committed, and looks at who leads: what another was asked is asked of the new one, and a new
// controller asks each broker whether it lives, since it may have died with the old one.
func (s *seat) advanced() {
	leader, epoch := s.leader()
	now := term{leader, epoch, s.Active()}
	s.mu.Lock()
	was, heard := s.led, s.heard
	s.led = now
	s.mu.Unlock()
	for _, f := range heard {
		(*f)()
	}
	if now == was {
		return
	}
	s.n.o.World.Go(func() {
		if now.leader != was.leader || now.epoch != was.epoch {
			s.control.Moved()
			s.forward.Moved()
		}
		if now.active && (!was.active || now.epoch != was.epoch) {
			s.rollCall()
		}
		s.vigil.look()
		s.petition()
	})
}

// rollCall asks each broker that counts as alive.
func (s *seat) rollCall() {
	for b := range s.n.feed.Image().Brokers() {
		if b.ID != s.n.settings.NodeID() && !b.Fenced {
			since := s.n.o.World.Now().Mono
			s.n.examine(b, func(f peer.Finding) {
				if f.Life == peer.Gone {
					s.bury(b, since, f.Reason)
				}
			})
		}
	}
}
