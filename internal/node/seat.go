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
	"github.com/milena-io/milena/internal/storage"
	"github.com/milena-io/milena/internal/wire"
)

// seat is a controller's place among several: the quorum forms first, and then this node's own part of it leads, or another's
// does, to which everything goes.
type seat struct {
	n       *Node
	mail    mail
	vigil   vigil
	control *remote.Control
	forward *remote.Forwarder
	forming *quorum.Forming

	mu     sync.Mutex
	quorum *quorum.Quorum // nil until the quorum is formed
	led    term           // as of the last advance
}

// newSeat takes the seat; it forms nothing before form.
func newSeat(n *Node) (*seat, error) {
	s := &seat{n: n}
	s.mail.seat, s.vigil.s = s, s
	listener := n.settings.node.ControllerNames[0]
	o := remote.Options{
		World: n.o.World, Peers: n.replicas.others.peers, Self: n.settings.NodeID(), Own: own{s}, ClusterID: n.ClusterID, Await: n.feed.WaitFor,
		Where: remote.Whereabouts{Leader: s.leader, Voters: s.voters, Image: n.feed.Image, Seats: n.settings.seats(), Listener: listener},
	}
	s.control, s.forward = remote.NewControl(o), remote.NewForwarder(o)
	at := n.storage.Metadata
	var err error
	s.forming, err = quorum.NewForming(quorum.FormingOptions{
		World: n.o.World, FS: n.storage.FS, Dir: at.Dir.PartitionPath(storage.MetadataPartition), Self: n.voter(), Cluster: n.ClusterID(),
		Seats: n.settings.seats(), Ask: s.mail.greet, Logger: n.log("kafka.raft"),
		Formed: func(f quorum.Formed) { n.o.World.Go(func() { s.formed(f) }) },
		Failed: n.life.Fail,
	})
	return s, err
}

// formed opens the quorum and goes on with the start.
func (s *seat) formed(f quorum.Formed) {
	n := s.n
	if !f.Votes {
		n.life.Fail(fault.New("node.start", kafka.ErrInvalidVoterKey, "the quorum of cluster %s has no voter with the directory.id of %s: add it again with kafka-metadata-quorum add-controller", f.Cluster, n.storage.Metadata.Path))
		return
	}
	err := n.storage.Adopt(f.Cluster)
	var q *quorum.Quorum
	if err == nil {
		q, err = n.loadQuorum(s.mail.send)
	}
	if err != nil {
		n.life.Fail(err)
		return
	}
	s.mu.Lock()
	s.quorum = q
	s.mu.Unlock()
	s.forming.Runs(s.voters)
	q.Watch(s.advanced)
	q.Start()
	n.run()
}

// own returns this node's part of the quorum, nil before it is formed.
func (s *seat) own() *quorum.Quorum {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.quorum
}

func (s *seat) leader() (kafka.NodeID, kafka.LeaderEpoch) {
	if q := s.own(); q != nil {
		return q.Leader()
	}
	return kafka.NoNode, kafka.NoLeaderEpoch
}

func (s *seat) voters() []record.Voter {
	if q := s.own(); q != nil {
		return q.Voters()
	}
	return nil
}

// start begins: until the quorum is formed nothing else does.
func (s *seat) start() { s.forming.Start() }

func (s *seat) close() {
	s.forming.Stop()
	s.control.Close()
	s.forward.Close()
	s.mail.close()
	s.vigil.close()
	if q := s.own(); q != nil {
		q.Close()
	}
}

// Committed and Watch make the seat the feed's source, once the quorum is formed.
func (s *seat) Committed(from kafka.Offset, maxBytes int) (quorum.Committed, error) {
	return s.own().Committed(from, maxBytes)
}

// Watch implements feed.Source.
func (s *seat) Watch(f func()) (cancel func()) { return s.own().Watch(f) }

// Submit has a command decided by whoever leads.
func (s *seat) Submit(timeout time.Duration, cmd controller.Command, done func(reply any, err error)) {
	s.control.Submit(timeout, cmd, done)
}

// Forward passes a request on unless the active controller is here.
func (s *seat) Forward(r *wire.Request) bool { return !s.Active() && s.forward.Forward(r) }

// Describe implements ControlPlane.
func (s *seat) Describe() quorum.Description {
	if q := s.own(); q != nil {
		return q.Describe()
	}
	return quorum.Description{Leader: kafka.NoNode, Epoch: kafka.NoLeaderEpoch}
}

// KRaftVersion implements ControlPlane: clusters of several voters are ours.
func (s *seat) KRaftVersion() int16 {
	if q := s.own(); q != nil {
		return q.KRaftVersion()
	}
	return 1
}

// Active implements ControlPlane.
func (s *seat) Active() bool {
	q := s.own()
	return q != nil && q.Active()
}

// own is the controller of this process (remote.Own).
type own struct{ s *seat }

// Submit refuses what this node's disk has no room for, and everything while it has no quorum.
func (o own) Submit(cmd controller.Command, done func(reply any, err error)) {
	q := o.s.own()
	if q == nil {
		o.s.n.o.World.Go(func() { done(nil, fault.New("controller", kafka.ErrNotController, "the quorum is not formed yet")) })
		return
	}
	if err := o.s.n.storage.Space.Admit(cmd); err != nil {
		o.s.n.o.World.Go(func() { done(nil, err) })
		return
	}
	q.Submit(cmd, func(reply any, err error) { done(reply, err) })
}
