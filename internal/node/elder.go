package node

import (
	"slices"
	"time"

	"github.com/milena-io/milena/internal/broker/nodes"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/record"
)

// elder asks whether the voter that has this node's id runs somewhere else: a directory was copied to another machine, or a node.id was
// given twice. alive says where it was met, and is empty where it wasn't. Where this node listens nobody else can.
func (s *seat) elder(voters []quorum.Voter, done func(alive string)) {
	n := s.n
	i := slices.IndexFunc(voters, func(v record.Voter) bool { return v.ID == n.settings.NodeID() })
	if i < 0 || len(voters[i].Endpoints) == 0 || slices.ContainsFunc(voters[i].Endpoints, func(e record.Endpoint) bool {
		return slices.ContainsFunc(n.edge.voter, func(own record.Endpoint) bool { return own.Host == e.Host && own.Port == e.Port })
	}) {
		done("")
		return
	}
	addr := s.mail.address(voters[i])
	p := peer.Prober{Peers: n.replicas.others.peers, Self: n.identity, Timeout: probeTimeout}
	p.Probe(peer.Suspect{Addr: addr, Node: n.settings.NodeID()}, func(f peer.Finding) {
		if f.Who.Incarnation.IsZero() || f.Who.Incarnation == n.session.incarnation || f.Who.Node != n.settings.NodeID() {
			done("")
			return
		}
		done("incarnation " + f.Who.Incarnation.String() + " answers at " + addr)
	})
}

// soleHeir calls then when nobody else runs as the voter that this node is about to be. Two that vote as one would both be believed.
func (s *seat) soleHeir(then func()) {
	s.wait(s.n.o.World.Now().Mono+s.n.o.Values.Millis("initial.broker.registration.timeout.ms"), false, then)
}

func (s *seat) wait(until time.Duration, told bool, then func()) {
	n := s.n
	s.elder(s.voters(), func(alive string) {
		n.o.World.Go(func() {
			err := nodes.GivenTwice(n.settings.NodeID(), alive)
			switch {
			case n.life.Over():
			case alive == "":
				then()
			case n.o.World.Now().Mono >= until:
				n.life.Fail(err)
			default:
				if !told {
					n.log("kafka.raft").Warn("This node does not vote yet; it looks again.", "error", err)
				}
				n.o.World.After(enlistRetry, func() { s.wait(until, true, then) })
			}
		})
	})
}
