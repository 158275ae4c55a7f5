// Package offsets keeps what groups have committed: the offsets themselves, those of transactions that are still open
// (KIP-447), and the rules by which they expire (KIP-211).
//
// It is pure. machine/group applies records to a Store and asks it; it never decides who may commit.
//
// Invariants: a committed offset is found until a later record of its key; of a transactional and a plain commit the
// later record wins, also when its transaction ends later; an offset with an open transaction never expires.
package offsets

import (
	"slices"
	"strings"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group/timeline"
	rec "github.com/milena-io/milena/internal/staterecord/group"
)

// Partition is what an offset is committed for.
type Partition = kafka.TopicPartition

// Committed is one committed offset and where its record stands.
type Committed struct {
	*rec.OffsetValue
	At kafka.Offset
}

// For reports whether the offset was committed for a topic of this id, as far as both are known: a topic that was deleted
// and made anew under its old name has another.
func (c Committed) For(id kafka.TopicID) bool {
	return id.IsZero() || c.TopicID.IsZero() || c.TopicID == id
}

// Store holds the offsets of all groups of one shard.
type Store struct {
	log    *timeline.Log
	groups map[string]*timeline.Table[Partition, Committed]
	// open holds the offsets of open transactions by producer; the lists are never changed in place.
	open *timeline.Table[kafka.ProducerID, []open]
}

type open struct {
	key   rec.OffsetKey
	value Committed
}

func (k open) is(group string, p Partition) bool {
	return k.key.Group == group && k.key.Topic == p.Topic && k.key.Partition == p.Partition
}

// NewStore returns an empty store whose changes settle with a history.
func NewStore(l *timeline.Log) *Store {
	return &Store{log: l, groups: map[string]*timeline.Table[Partition, Committed]{},
		open: timeline.NewTable[kafka.ProducerID, []open](l)}
}

// Apply takes the record at an offset; the producer is NoProducerID outside transactions.
func (s *Store) Apply(o kafka.Offset, producer kafka.ProducerID, r *rec.OffsetCommit) {
	p := Partition{Topic: r.Key.Topic, Partition: r.Key.Partition}
	switch {
	case r.Value == nil:
		if t := s.groups[r.Key.Group]; t != nil {
			t.Delete(o, p)
			s.forget(r.Key.Group, t)
		}
		s.dropOpen(o, r.Key.Group, p)
	case producer == kafka.NoProducerID:
		s.put(o, r.Key.Group, p, Committed{OffsetValue: r.Value, At: o})
	default:
		entries, _ := s.open.Get(producer)
		entries = slices.DeleteFunc(slices.Clone(entries), func(e open) bool { return e.is(r.Key.Group, p) })
		s.open.Put(o, producer, append(entries, open{key: r.Key, value: Committed{OffsetValue: r.Value, At: o}}))
	}
}

// EndTransaction takes a marker at an offset: the producer's open offsets count, or are gone.
func (s *Store) EndTransaction(o kafka.Offset, producer kafka.ProducerID, commit bool) {
	entries, ok := s.open.Get(producer)
	if !ok {
		return
	}
	s.open.Delete(o, producer)
	if !commit {
		return
	}
	for _, e := range entries {
		p := Partition{Topic: e.key.Topic, Partition: e.key.Partition}
		if t := s.groups[e.key.Group]; t != nil {
			if have, ok := t.Get(p); ok && have.At > e.value.At {
				continue // committed later, although the transaction ended later still
			}
		}
		s.put(o, e.key.Group, p, e.value)
	}
}

func (s *Store) put(o kafka.Offset, group string, p Partition, c Committed) {
	t := s.groups[group]
	if t == nil {
		t = timeline.NewTable[Partition, Committed](s.log)
		s.groups[group] = t
	}
	t.Put(o, p, c)
}

// dropOpen takes a deleted offset out of open transactions as well.
func (s *Store) dropOpen(o kafka.Offset, group string, p Partition) {
	for _, producer := range s.producers() {
		entries, _ := s.open.Get(producer)
		if !slices.ContainsFunc(entries, func(e open) bool { return e.is(group, p) }) {
			continue
		}
		left := slices.DeleteFunc(slices.Clone(entries), func(e open) bool { return e.is(group, p) })
		if len(left) == 0 {
			s.open.Delete(o, producer)
		} else {
			s.open.Put(o, producer, left)
		}
	}
}

func (s *Store) producers() []kafka.ProducerID {
	var ids []kafka.ProducerID
	s.open.All(func(id kafka.ProducerID, _ []open) { ids = append(ids, id) })
	slices.Sort(ids)
	return ids
}

// forget lets go of the table of a group that has no offsets in any view.
func (s *Store) forget(group string, t *timeline.Table[Partition, Committed]) {
	if t.Empty() {
		delete(s.groups, group)
	}
}

// Has reports whether a group has committed or open offsets in the newest view.
func (s *Store) Has(group string) bool {
	return s.Count(group) > 0 || s.HasOpen(group)
}

// Count returns how many offsets a group has in the newest view.
func (s *Store) Count(group string) int {
	if t := s.groups[group]; t != nil {
		return t.Len()
	}
	return 0
}

// HasOpen reports whether a group takes part in an open transaction.
func (s *Store) HasOpen(group string) bool {
	found := false
	s.open.All(func(_ kafka.ProducerID, entries []open) {
		found = found || slices.ContainsFunc(entries, func(e open) bool { return e.key.Group == group })
	})
	return found
}

// Unstable reports whether an open transaction holds an offset of a partition.
func (s *Store) Unstable(group string, p Partition) bool {
	found := false
	s.open.All(func(_ kafka.ProducerID, entries []open) {
		found = found || slices.ContainsFunc(entries, func(e open) bool { return e.is(group, p) })
	})
	return found
}

// Newest returns the newest offset of a partition.
func (s *Store) Newest(group string, p Partition) (Committed, bool) {
	if t := s.groups[group]; t != nil {
		return t.Get(p)
	}
	return Committed{}, false
}

// Committed returns the offset of a partition that is safe to tell.
func (s *Store) Committed(group string, p Partition) (Committed, bool) {
	if t := s.groups[group]; t != nil {
		return t.Committed(p)
	}
	return Committed{}, false
}

// HasCommitted reports whether a group has offsets in the committed view.
func (s *Store) HasCommitted(group string) bool {
	found := false
	if t := s.groups[group]; t != nil {
		t.AllCommitted(func(Partition, Committed) { found = true })
	}
	return found
}

// Partitions returns the partitions a group has offsets for, sorted, in the newest or the committed view.
func (s *Store) Partitions(group string, newest bool) []Partition {
	t := s.groups[group]
	if t == nil {
		return nil
	}
	var ps []Partition
	add := func(p Partition, _ Committed) { ps = append(ps, p) }
	if newest {
		t.All(add)
	} else {
		t.AllCommitted(add)
	}
	slices.SortFunc(ps, comparePartitions)
	return ps
}

// Everything returns the partitions a group has offsets for, those of open transactions too, sorted, in the newest view.
func (s *Store) Everything(group string) []Partition {
	return s.Those(group, func(Partition, Committed) bool { return true })
}

// Those returns the partitions of Everything that have an offset for which f holds.
func (s *Store) Those(group string, f func(Partition, Committed) bool) []Partition {
	var ps []Partition
	add := func(p Partition, c Committed) {
		if f(p, c) {
			ps = append(ps, p)
		}
	}
	if t := s.groups[group]; t != nil {
		t.All(add)
	}
	s.eachOpen(group, add)
	return ordered(ps)
}

func (s *Store) eachOpen(group string, f func(Partition, Committed)) {
	s.open.All(func(_ kafka.ProducerID, entries []open) {
		for _, e := range entries {
			if e.key.Group == group {
				f(Partition{Topic: e.key.Topic, Partition: e.key.Partition}, e.value)
			}
		}
	})
}

func ordered(ps []Partition) []Partition {
	slices.SortFunc(ps, comparePartitions)
	return slices.Compact(ps)
}

// Groups returns all groups that have offsets in any view, open ones included, sorted.
func (s *Store) Groups() []string {
	seen := map[string]bool{}
	for g, t := range s.groups {
		if t.Empty() {
			delete(s.groups, g)
			continue
		}
		seen[g] = true
	}
	s.open.All(func(_ kafka.ProducerID, entries []open) {
		for _, e := range entries {
			seen[e.key.Group] = true
		}
	})
	names := make([]string, 0, len(seen))
	for g := range seen {
		names = append(names, g)
	}
	slices.Sort(names)
	return names
}

func comparePartitions(a, b Partition) int {
	if c := strings.Compare(a.Topic, b.Topic); c != 0 {
		return c
	}
	return int(a.Partition) - int(b.Partition)
}
