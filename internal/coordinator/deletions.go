package coordinator

import (
	"slices"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
)

// deletions are topics that are gone and whose offsets are to go, too. Nothing else remembers them: they are kept until what was decided of them
// is committed.
type deletions struct {
	due     []group.DeletedTopic // to be decided: the log is being read, or what was decided could not be written
	decided []group.DeletedTopic
	end     kafka.Offset // of the records of decided
}

// topicsDeleted has the offsets of topics go.
func (s *shard) topicsDeleted(topics []group.DeletedTopic) {
	s.mu.Lock()
	s.deleted.due = append(s.deleted.due, topics...)
	var calls []func()
	if s.phase == active {
		calls = s.decideDeleted()
	}
	s.unlock(calls)
}

// decideDeleted decides what is due. Called with the mutex held.
func (s *shard) decideDeleted() []func() {
	d := &s.deleted
	if len(d.due) == 0 {
		return nil
	}
	calls := s.decide(0, &group.TopicsDeleted{Topics: d.due})
	d.decided, d.due, d.end = slices.Concat(d.decided, d.due), nil, s.writes.next
	d.committed(s.writes.committed)
	return calls
}

// committed forgets what was decided, once its records are committed.
func (d *deletions) committed(to kafka.Offset) {
	if to >= d.end {
		d.decided = nil
	}
}

// failed has everything that was decided be decided again: what was written of it is taken back, and of what is committed nothing is left to do.
func (d *deletions) failed() {
	d.due, d.decided = append(d.decided, d.due...), nil
}

// undone takes out what a shard that has resigned leaves to the one that follows it on this node, which nobody tells again.
func (s *shard) undone() []group.DeletedTopic {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleted.failed()
	due := s.deleted.due
	s.deleted.due = nil
	return due
}

// wake is when the shard has to do something by itself; 0 for never.
func (s *shard) wake() time.Duration {
	at := s.machine.Wake()
	if len(s.deleted.due) > 0 && (at == 0 || at > s.alarm.notBefore) {
		at = max(s.alarm.notBefore, 1)
	}
	return at
}
