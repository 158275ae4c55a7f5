package node

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/feed"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/storage"
)

// place is what a node is to the quorum: one of both, or nothing while that is found out.
type place struct {
	quorum   *quorum.Quorum
	observer *quorum.Observer
	moving   bool // it is about to be the other
}

// part is what both tell of the quorum.
type part interface {
	feed.Source
	Leader() (kafka.NodeID, kafka.LeaderEpoch)
	Voters() []quorum.Voter
	Describe() quorum.Description
	KRaftVersion() int16
}

// part returns it; nil where there is none.
func (p place) part() part {
	switch {
	case p.quorum != nil:
		return p.quorum
	case p.observer != nil:
		return p.observer
	}
	return nil
}

// leave ends what the node was.
func (p place) leave() {
	if p.quorum != nil {
		p.quorum.Close()
	}
	if p.observer != nil {
		p.observer.Stop()
	}
}

func (s *seat) at() place {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.place
}

// found begins a cluster where this node is all of its voters, and looks for one everywhere else.
func (s *seat) found() (err error) {
	n := s.n
	dir := n.storage.Metadata.Dir.PartitionPath(storage.MetadataPartition)
	founds := n.settings.node.Founds()
	if founds {
		if err := n.formatQuorum(dir); err != nil {
			return err
		}
	}
	s.forming, err = quorum.NewForming(quorum.FormingOptions{
		World: n.o.World, FS: n.storage.FS, Dir: dir, Self: n.voter(), Cluster: n.ClusterID(), Seats: n.settings.seats(), Begun: founds,
		Ask: s.mail.greet, Formed: func(f quorum.Formed) { n.o.World.Go(func() { s.formed(f) }) },
		Failed: n.life.Fail, Logger: n.log("kafka.raft"),
	})
	if err == nil && founds {
		err = s.open()
	}
	return err
}

// start begins: until this node has a place nothing else does. A broker that knows its cluster has one.
func (s *seat) start() {
	s.lookout.later()
	switch roles := s.n.settings.node.Roles; {
	case s.own() != nil:
		s.vote()
	case !roles.Controller && s.n.ClusterID() != "":
		s.formed(quorum.Formed{Cluster: s.n.ClusterID()})
	default:
		s.forming.Start()
	}
}

// formed takes the place that was found, and goes on with the start.
func (s *seat) formed(f quorum.Formed) {
	err := s.n.storage.Adopt(f.Cluster)
	if err == nil && f.Votes {
		err = s.open()
	}
	if err != nil {
		s.n.life.Fail(err)
		return
	}
	if f.Votes {
		s.vote()
		return
	}
	if s.observe(); s.at().part() != nil {
		s.n.run()
	}
}

// open makes this node's part of the quorum on the log that it has. A directory that is all of a quorum by its node.id and no part of it by
// its directory.id is not the one that it was: nobody else is there to add it again.
func (s *seat) open() error {
	q, err := s.n.loadQuorum(s)
	if err != nil {
		return err
	}
	if all, self := q.Voters(), s.n.key(); len(all) == 1 && all[0].ID == self.NodeID && all[0].Directory != self.DirectoryID {
		return fault.New("node.start", kafka.ErrInvalidVoterKey, "the metadata log in %s has one voter, %d-%s, and the directory.id here is %s: restore meta.properties of that directory",
			s.n.storage.Metadata.Path, self.NodeID, kafka.UUID(all[0].Directory), kafka.UUID(self.DirectoryID))
	}
	s.take(place{quorum: q})
	return nil
}

// take has the node be something from here on, unless it ends.
func (s *seat) take(p place) {
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.place = p
	}
	s.mu.Unlock()
	if closed {
		p.leave()
		return
	}
	p.part().Watch(s.advanced)
	s.forming.Runs(s.voters)
}

// vote takes part in the quorum that was opened, and goes on with the start.
func (s *seat) vote() {
	q := s.own()
	if q == nil {
		return // it ends
	}
	s.soleHeir(func() {
		q.Start()
		s.n.run()
	})
}

// observe follows the metadata log without a vote.
func (s *seat) observe() {
	ob, err := s.n.loadObserver(s)
	if err != nil {
		s.n.life.Fail(err)
		return
	}
	s.take(place{observer: ob})
	s.n.log("kafka.raft").Info("This node follows the metadata log and has no vote.", "node", int32(s.n.settings.NodeID()))
	ob.Start()
}

// leaves notes that the node becomes the other thing; false when it does already, is not what it should leave, or ends.
func (s *seat) leaves(votes bool) (was place, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was = s.place
	ok = !s.closed && !was.moving && (was.quorum != nil) == votes && (was.observer != nil) != votes
	if ok {
		s.place.moving = true
	}
	return was, ok
}

// seated makes a voter of an observer: its log names it, or somebody asks for its vote. What it pulled is made durable first, since what a
// voter has it is believed to have acknowledged.
func (s *seat) seated() {
	was, ok := s.leaves(false)
	if !ok || !s.n.settings.node.Roles.Controller {
		return
	}
	was.observer.Close(func(err error) {
		s.n.o.World.Go(func() {
			if err == nil {
				err = s.open()
			}
			if err != nil {
				s.n.quorumFailed(err)
				return
			}
			if q := s.own(); q != nil {
				s.n.log("kafka.raft").Info("This node votes in the metadata quorum.", "node", int32(s.n.settings.NodeID()))
				q.Start()
				s.advanced()
			}
		})
	})
}

// unseated makes an observer of a voter that was removed.
func (s *seat) unseated() {
	was, ok := s.leaves(true)
	if !ok {
		return
	}
	was.quorum.Close()
	s.n.log("kafka.raft").Warn("This node was taken out of the voters of the metadata quorum, or is not among them yet. It follows the log of those; "+
		"`kafka-metadata-quorum add-controller`, or controller.quorum.auto.join.enable, gives it a vote.", "node", int32(s.n.settings.NodeID()))
	s.observe()
	s.advanced()
}

// metadataLog opens the log of __cluster_metadata-0, once.
func (n *Node) metadataLog() (*log.Log, error) {
	if l := n.metadata.Load(); l != nil {
		return l, nil
	}
	at := n.storage.Metadata
	opts := at.Dir.Options(storage.MetadataPartition, n.settings.metadataLog(), n.o.World.Now())
	opts.Later = at.Later
	if opts.RecoveryPoint == 0 {
		opts.Clean = false // Kafka's marker does not speak of this log, which it closes after all others
	}
	l, err := n.replicas.news.open(opts)
	if err == nil {
		n.metadata.Store(l)
	}
	return l, err
}

// key is this node and the directory of its metadata log.
func (n *Node) key() quorum.Key {
	return quorum.Key{NodeID: n.settings.NodeID(), DirectoryID: n.storage.Metadata.ID()}
}

// loadObserver opens the metadata log of a node that has no vote.
func (n *Node) loadObserver(s *seat) (*quorum.Observer, error) {
	l, err := n.metadataLog()
	if err != nil {
		return nil, err
	}
	at := n.storage.Metadata
	o := quorum.ObserverOptions{
		World: n.o.World, FS: n.storage.FS, Dir: at.Dir.PartitionPath(storage.MetadataPartition), Log: quorum.DiskLog(l), Flusher: at.Flusher,
		Self: n.key(), Upstream: leading{s}, Seats: n.settings.seats(), Config: n.settings.observerConfig(), Image: n.written,
		Committed: n.feed.Offset() + 1, Failed: n.quorumFailed, Logger: n.log("kafka.raft"),
	}
	if n.settings.node.Roles.Controller {
		o.Voting = func() { n.o.World.Go(s.seated) }
	}
	return quorum.OpenObserver(o)
}

// written is this node's newest image, for a snapshot.
func (n *Node) written() quorum.Image {
	img := n.feed.Image()
	at := img.Position()
	return quorum.Image{End: at.Offset + 1, WallMs: at.TimestampMs, Level: img.MetadataVersion(), Records: img.Records()}
}

// leading is the way to the leader of the metadata log (quorum.Upstream). Controllers of another cluster are not followed.
type leading struct{ s *seat }

// Fetch implements quorum.Upstream.
func (l leading) Fetch(to quorum.Voter, a quorum.Pull, done func(quorum.Pulled, error)) {
	l.s.upstream.Fetch(to, a, func(p quorum.Pulled, err error) {
		l.s.foreign(to, err)
		done(p, err)
	})
}

// FetchSnapshot implements quorum.Upstream, and is quorum.Options.Pull.
func (l leading) FetchSnapshot(to quorum.Voter, a quorum.PullChunk, done func(quorum.Chunk, error)) {
	l.s.upstream.FetchSnapshot(l.s.mail.located(to), a, done)
}

// foreign ends a start that finds controllers of another cluster. A node that runs has them told in its log, and asks on: what its
// configuration names may be put right.
func (s *seat) foreign(at quorum.Voter, err error) {
	if fault.CodeOf(err) != kafka.ErrInconsistentClusterId {
		return
	}
	n, addr := s.n, s.mail.address(at)
	why := fault.New("node.start", kafka.ErrInconsistentClusterId, "the controller at %s is of another cluster than %s, which %s belongs to: "+
		"put controller.quorum.voters or controller.quorum.bootstrap.servers right, or start with an empty directory to join that cluster", addr, n.ClusterID(), n.storage.Metadata.Path)
	if n.feed.Image().MetadataVersion() == 0 || n.settings.node.Roles.Broker && n.session.brokerEpoch() < 0 {
		n.o.World.Go(func() { n.session.over(why) })
		return
	}
	s.mail.refused(addr, why)
}
