package storage

import (
	"fmt"
	"slices"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/partition"
)

// A relocation is the partition.Place that a replica moves to.

// moveStep is how many bytes are copied before others are let on.
const moveStep = 1 << 20

// Env is the directory's.
func (m *relocation) Env() *partition.Env { return m.to.Env }

func (m *relocation) arrival() log.Arrival { return m.to.Dir.Arrival(m.name, m.copy) }

func (m *relocation) now() kafka.Instant { return m.r.of.o.World.Now() }

// Open opens the copy.
func (m *relocation) Open(c log.Config) (*log.Log, error) {
	if err := m.unmark(); err != nil {
		return nil, err
	}
	return log.Open(m.to.complete(m.arrival().Options(c, m.now()), m.name, m.id.TopicID))
}

// unmark takes the new directory out of those whose logs the old log has replaced: there is none there any more, and soon the
// new log replaces this one.
func (m *relocation) unmark() error {
	before, err := m.from.Dir.MovedFrom(m.name)
	if err != nil || !slices.Contains(before, m.to.ID()) {
		return err
	}
	return m.from.Dir.Settle(m.name, slices.DeleteFunc(before, func(id kafka.DirectoryID) bool { return id == m.to.ID() }))
}

// Discard removes the copy while it is not open.
func (m *relocation) Discard() error {
	return m.arrival().Delete(m.id.TopicID, m.r.of.discard)
}

// Room tells why nothing may be copied there now: a directory that is full, or would be.
func (m *relocation) Room(bytes int) error {
	if room := m.r.of.Space.room(m.to.Path); room != nil {
		if err := room.Refuse(bytes); err != nil {
			return err
		}
	}
	_, usable, err := m.r.of.FS.Usage(m.to.Path)
	if err == nil && usable >= 0 && usable < int64(bytes) {
		return fmt.Errorf("%s has %d bytes left", m.to.Path, usable)
	}
	return nil
}

// Waits tells the operator, once.
func (m *relocation) Waits(why error) {
	m.r.mu.Lock()
	said := m.state.said
	m.state.said = true
	m.r.mu.Unlock()
	if !said {
		m.r.of.log("kafka.server.ReplicaAlterLogDirsManager").Warn(fmt.Sprintf("The move of %s to %s waits; nothing else does.", m.name, m.to.Path), "reason", why)
	}
}

// Pace is a second's worth of the throttle at most.
func (m *relocation) Pace() int {
	return int(min(max(m.r.of.settings.moveRate(m.r.of.o.Replicas.Image()), 1), moveStep))
}

// Wait is how long to wait after so many bytes, so that all relocations together keep to the throttle.
func (m *relocation) Wait(moved int64) time.Duration {
	rate := m.r.of.settings.moveRate(m.r.of.o.Replicas.Image())
	now, r := m.now().Mono, m.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if costs := float64(moved) / float64(max(rate, 1)) * float64(time.Second); costs >= 1 {
		r.free = max(r.free, now) + time.Duration(min(costs, float64(time.Minute)))
	}
	return max(r.free-now, 0)
}

// Told reports whether the controller knows that the replica is about to live in the directory (KIP-858). It is told before the
// log is there: what a directory takes with it when it fails has to be known by then.
func (m *relocation) Told() bool {
	m.r.mu.Lock()
	announced := m.state.announced
	m.state.announced = true
	m.r.mu.Unlock()
	if !announced {
		m.r.of.o.Controller.Assign(m.id, m.to.ID(), m.from.ID())
	}
	return m.r.of.o.Controller.Knows(m.id)
}

// Prepare readies the copy to become the log.
func (m *relocation) Prepare(at log.Checkpointed) error {
	before, err := m.from.Dir.MovedFrom(m.name)
	if err != nil {
		return err
	}
	at.Cleaned = m.from.Dir.Checkpointed(m.name).Cleaned
	return m.arrival().Prepare(append(before, m.from.ID()), at)
}

// Promote makes it the log.
func (m *relocation) Promote() (begun bool, err error) { return m.arrival().Promote() }

// Promoted opens it as the log.
func (m *relocation) Promoted(c log.Config) (*log.Log, error) {
	return log.Open(m.to.complete(m.arrival().Promoted(c, m.now()), m.name, m.id.TopicID))
}

// Settle notes that the old log is gone; those in directories that are not here stay noted.
func (m *relocation) Settle() error {
	before, err := m.to.Dir.MovedFrom(m.name)
	if err != nil {
		return err
	}
	return m.to.Dir.Settle(m.name, slices.DeleteFunc(before, func(id kafka.DirectoryID) bool { return m.r.of.WithID(id) != nil }))
}

// Over reports whether nothing may be done in the directory any more.
func (m *relocation) Over() bool { return m.to.Offline() != nil || m.r.of.o.Life.Failed() != nil }

// superseded deletes the logs of a replica that a move has replaced but not deleted any more (log.Survivors).
func (s *Storage) superseded(name kafka.TopicPartition, topic kafka.TopicID, holders []*Volume) ([]*Volume, error) {
	var dirs []*log.Dir
	for _, v := range holders {
		dirs = append(dirs, v.Dir)
	}
	left, err := log.Survivors(name, topic, dirs, func(id kafka.DirectoryID) bool { return s.WithID(id) != nil }, s.discard)
	if err != nil {
		return nil, err
	}
	var out []*Volume
	for _, v := range holders {
		if slices.Contains(left, v.Dir) {
			out = append(out, v)
		} else {
			s.log("kafka.log").Info(fmt.Sprintf("%s was moved from %s; the old log is deleted now", name, v.Path))
		}
	}
	return out, nil
}

var _ partition.Place = (*relocation)(nil)
