package node

import (
	"net"
	"strconv"
	"time"

	"github.com/milena-io/milena/internal/broker/nodes"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/wire"
)

// ofNodes is the area of what nodes ask of controllers.
func (s *seat) ofNodes() map[kafka.APIKey]wire.Handler {
	n := s.n
	a := nodes.New(nodes.Options{
		World: n.o.World, Image: n.feed.Image, Controller: here{s}, Quorum: asked{s}, Node: neighbour{n}, Budget: n.edge.budget,
		Timeout: 10 * time.Second, Listener: n.settings.controllerListener(),
	})
	return map[kafka.APIKey]wire.Handler{
		kafka.KeyFetch: a.Fetch, kafka.KeyAlterPartition: a.AlterPartition, kafka.KeyEnvelope: a.Envelope, kafka.KeyFetchSnapshot: a.FetchSnapshot,
		kafka.KeyBrokerRegistration: a.BrokerRegistration, kafka.KeyBrokerHeartbeat: a.BrokerHeartbeat, kafka.KeyUnregisterBroker: a.UnregisterBroker,
		kafka.KeyAllocateProducerIds: a.AllocateProducerIds, kafka.KeyControllerRegistration: a.ControllerRegistration,
		kafka.KeyAssignReplicasToDirs: a.AssignReplicasToDirs, kafka.KeyAddRaftVoter: a.AddRaftVoter, kafka.KeyRemoveRaftVoter: a.RemoveRaftVoter,
		kafka.KeyUpdateRaftVoter: a.UpdateRaftVoter,
	}
}

// asked is this node's part of the quorum for those that have no vote.
type asked struct{ s *seat }

func (a asked) Leader() (kafka.NodeID, kafka.LeaderEpoch) { return a.s.leader() }
func (a asked) Voters() []record.Voter                    { return a.s.voters() }

var errNoVoter = fault.New("quorum", kafka.ErrNotLeaderOrFollower, "this node does not vote in the metadata quorum")

// standing is who leads, as far as a node knows that does not vote.
func (a asked) standing() nodes.Standing {
	leader, epoch := a.s.leader()
	out := nodes.Standing{Leader: leader, Epoch: epoch}
	for _, v := range a.s.voters() {
		if v.ID == leader {
			out.Endpoints = v.Endpoints
		}
	}
	return out
}

func keyOf(f nodes.Follower) quorum.Key { return quorum.Key{NodeID: f.Node, DirectoryID: f.Directory} }

// Fetch implements nodes.Quorum.
func (a asked) Fetch(p nodes.Pull, done func(nodes.Pulled, error)) {
	q := a.s.own()
	if q == nil {
		done(nodes.Pulled{Standing: a.standing()}, errNoVoter)
		return
	}
	q.Fetch(quorum.Pull{Observer: keyOf(p.From), Epoch: p.Epoch, From: p.Offset, LastEpoch: p.LastEpoch, MaxBytes: p.MaxBytes, MaxWait: p.MaxWait},
		func(got quorum.Pulled, err error) {
			out := nodes.Pulled{
				Standing: nodes.Standing{Leader: got.Leader, Epoch: got.Epoch, Endpoints: got.LeaderAt}, HighWatermark: got.HighWatermark, LogStart: got.LogStart, Batches: got.Batches,
			}
			if d := got.Diverging; d != nil {
				out.Diverging = &nodes.EpochEnd{Epoch: d.Epoch, End: d.End}
			}
			if s := got.Snapshot; s != nil {
				out.Snapshot = &nodes.SnapshotID{End: s.End, Epoch: s.Epoch}
			}
			done(out, err)
		})
}

// FetchSnapshot implements nodes.Quorum.
func (a asked) FetchSnapshot(p nodes.PullChunk, done func(nodes.Chunk, error)) {
	q := a.s.own()
	if q == nil {
		done(nodes.Chunk{Standing: a.standing()}, errNoVoter)
		return
	}
	q.FetchSnapshot(quorum.PullChunk{
		Observer: keyOf(p.From), Epoch: p.Epoch, Snapshot: quorum.SnapshotID{End: p.Snapshot.End, Epoch: p.Snapshot.Epoch}, Position: p.Position, MaxBytes: p.MaxBytes,
	}, func(c quorum.Chunk, err error) {
		done(nodes.Chunk{Standing: nodes.Standing{Leader: c.Leader, Epoch: c.Epoch, Endpoints: c.LeaderAt}, Size: c.Size, Bytes: c.Bytes}, err)
	})
}

// change runs a change of the voters, once there are some.
func (a asked) change(done func(error), f func(*quorum.Quorum)) {
	if q := a.s.own(); q != nil {
		f(q)
		return
	}
	done(errNoVoter)
}

// AddVoter implements nodes.Quorum.
func (a asked) AddVoter(v record.Voter, timeout time.Duration, whenCommitted bool, done func(error)) {
	a.change(done, func(q *quorum.Quorum) { q.AddVoter(v, timeout, whenCommitted, done) })
}

// RemoveVoter implements nodes.Quorum.
func (a asked) RemoveVoter(id kafka.NodeID, dir kafka.DirectoryID, timeout time.Duration, done func(error)) {
	a.change(done, func(q *quorum.Quorum) { q.RemoveVoter(quorum.Key{NodeID: id, DirectoryID: dir}, timeout, done) })
}

// UpdateVoter implements nodes.Quorum.
func (a asked) UpdateVoter(v record.Voter, timeout time.Duration, done func(error)) {
	a.change(done, func(q *quorum.Quorum) { q.UpdateVoter(v, timeout, done) })
}

// neighbour is this node, as its neighbours ask about it.
type neighbour struct{ *Node }

// Shown implements nodes.Node.
func (n neighbour) Shown() kafka.Offset { return n.feed.Offset() + 1 }

// Suspect asks whether a broker's process has ended (architecture D11).
func (n neighbour) Suspect(b *image.Broker, done func(dead bool, alive string)) {
	n.examine(b, func(f peer.Finding) { done(f.Life == peer.Gone, met(f)) })
}

// Meet implements nodes.Node. A process that is this one need not be asked.
func (n neighbour) Meet(c *image.Controller, done func(alive string)) {
	var at staterecord.Endpoint
	for _, e := range c.Endpoints {
		if at.Name == "" || e.Name == n.settings.controllerListener() {
			at = e
		}
	}
	switch {
	case !n.control.Active() || at.Name == "" && c.Incarnation != n.session.incarnation:
		done("")
	case c.Incarnation == n.session.incarnation:
		done("it is the active controller")
	default:
		p := peer.Prober{Peers: n.replicas.others.peers, Self: n.identity, Timeout: probeTimeout}
		p.Probe(peer.Suspect{Addr: net.JoinHostPort(at.Host, strconv.Itoa(int(at.Port))), Node: c.ID, Incarnation: c.Incarnation},
			func(f peer.Finding) { done(met(f)) })
	}
}

// met says where a process was met that lives.
func met(f peer.Finding) string {
	if f.Life != peer.Alive {
		return ""
	}
	return f.Reason
}
