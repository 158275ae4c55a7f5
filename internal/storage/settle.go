package storage

import (
	"errors"
	"sync"

	"github.com/milena-io/milena/internal/disk"
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
// and replicas whose directory is not here.
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

// strays moves partition directories aside that no topic of the metadata owns; they are never deleted, as in Kafka.
func (s *Storage) strays(v *Volume) error {
	dirs, err := v.Dir.Partitions()
	if err != nil {
		return err
	}
	for _, d := range dirs {
		if d.Kind != log.Current || d.Partition == MetadataPartition {
			continue
		}
		id, known, err := v.Dir.TopicID(d)
		if err != nil {
			return err
		}
		p, err := s.o.Replicas.ByName(d.Partition) // where it does not say yet, or no more, its log takes it over, perhaps at this moment
		if known {
			p, err = s.o.Replicas.ByID(kafka.TopicIDPartition{TopicID: id, Partition: d.Partition.Partition})
		}
		if err == nil && (s.Of(p) == v || s.Of(p) == s.Nowhere) {
			continue
		}
		s.log("kafka.log").Warn("A directory belongs to no topic of this cluster; it is set aside and never read.", "directory", v.Path+"/"+d.Name)
		if err := v.Dir.SetAside(d, kafka.UUID(s.o.World.UUID())); err != nil && !errors.Is(err, disk.ErrNotExist) { // deleted meanwhile
			return err
		}
	}
	return nil
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
