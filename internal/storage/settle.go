package storage

import (
	"errors"
	"sync"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
)

// ManyLogs is from how many logs on a directory that was not shut down cleanly is synced as a whole.
const ManyLogs = 64

// settleAhead begins, before anybody can ask for a log, to make durable what an unclean stop left of many logs in a
// directory; their recovery waits for it, and those that are asked for meanwhile don't (ADR 0014).
func (v *Volume) settleAhead() {
	all, err := v.Dir.Partitions()
	logs := 0
	for _, d := range all {
		if d.Kind == log.Current {
			logs++
		}
	}
	if clean, _ := v.Dir.Clean(); clean || err != nil || logs < ManyLogs {
		v.Settled.Open() // of an error the start fails soon
		return
	}
	v.s.o.World.Go(func() {
		log.SyncVolume(v.Dir)
		v.Settled.Open()
	})
}

// Settle goes on with what the start found, once the node has its replicas: copies on their way, directories that are nobody's,
// and replicas whose directory is not here. It may wait for every disk, and ends early with the node, whose directories are another's then.
func (s *Storage) Settle() {
	s.moving.resume()
	for _, v := range s.Serving() {
		if err := s.strays(v); err != nil {
			s.Blame(v, err)
		}
	}
	s.homes.forget()
	s.sayMissing()
}

// strays moves partition directories aside that no topic of the metadata owns; they are never deleted, as in Kafka. What stands under
// the name of a replica that lives there is that replica's: its log takes it, or Open sets it aside.
func (s *Storage) strays(v *Volume) error {
	dirs, err := v.Dir.Partitions()
	if err != nil {
		return err
	}
	for _, d := range dirs {
		if s.o.Life.Over() {
			return nil
		}
		if d.Kind != log.Current || d.Partition == MetadataPartition {
			continue
		}
		p, err := s.o.Replicas.ByName(d.Partition)
		if err == nil && s.Of(p) == v {
			continue
		}
		id, known, broken := v.Dir.TopicID(d)
		if broken != nil {
			return broken
		}
		if known {
			p, err = s.o.Replicas.ByID(kafka.TopicIDPartition{TopicID: id, Partition: d.Partition.Partition})
		}
		if err == nil && s.Of(p) == s.Nowhere {
			continue
		}
		if err := v.setAside(d); err != nil && !errors.Is(err, disk.ErrNotExist) { // deleted meanwhile
			return err
		}
	}
	return nil
}

// stands reports whether a directory is there under a partition's own name.
func (v *Volume) stands(name kafka.TopicPartition) bool {
	_, err := v.s.FS.Stat(v.Dir.PartitionPath(name))
	return err == nil
}

func (v *Volume) setAside(d log.PartitionDir) error {
	v.s.log("kafka.log").Warn("A directory belongs to no topic of this cluster; it is set aside and never read.", "directory", v.Path+"/"+d.Name)
	return v.Dir.SetAside(d, kafka.UUID(v.s.o.World.UUID()))
}

// Open opens the log of a replica that lives here. What stands under its name and is another topic's, deleted while this node was away,
// or of no topic that anybody can tell, is set aside first: nobody but the replica that has the name now may, since its log may be
// opened at any moment.
func (v *Volume) Open(name kafka.TopicPartition, topic kafka.TopicID, c log.Config, open func(log.Options) (*log.Log, error)) (*log.Log, error) {
	if v.s.moving.ghosts.at(v, name) {
		return nil, fault.New("storage.Open", kafka.ErrKafkaStorageError, "an earlier %s is still on its way in or out of %s; it passes", name, v.Path)
	}
	unowned, err := log.Unowned(v.Dir, name)
	if err != nil {
		return nil, err
	}
	if !unowned {
		l, err := open(v.Options(name, topic, c))
		if fault.CodeOf(err) != kafka.ErrInconsistentTopicId {
			return l, err
		}
	}
	if err := v.setAside(log.PartitionDir{Name: name.String(), Partition: name}); err != nil {
		return nil, err
	}
	return open(v.Options(name, topic, c))
}

// Gate holds what waits for one thing to be over.
type Gate struct {
	mu      sync.Mutex
	passed  bool
	waiting []func()
}

// Then runs f once the gate is open, at once if it is.
func (g *Gate) Then(f func()) {
	g.mu.Lock()
	passed := g.passed
	if !passed {
		g.waiting = append(g.waiting, f)
	}
	g.mu.Unlock()
	if passed {
		f()
	}
}

// Open lets everybody through, from now on.
func (g *Gate) Open() {
	g.mu.Lock()
	waiting := g.waiting
	g.passed, g.waiting = true, nil
	g.mu.Unlock()
	for _, f := range waiting {
		f()
	}
}
