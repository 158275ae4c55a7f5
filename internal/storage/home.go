package storage

import (
	"fmt"
	"sync"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
)

// Home finds the directory that a replica lives in, or why it has none: where its files were found, else where the
// metadata says, and one that was never anywhere goes where the fewest are. One that the metadata says is in a directory
// which is not here is offline and is never made anew in another: its records may come back with the directory.
func (s *Storage) Home(name kafka.TopicPartition, topic kafka.TopicID, assigned kafka.DirectoryID) (*Volume, error) {
	holders := s.holders(name, topic, assigned)
	if len(holders) > 1 {
		var err error
		if holders, err = s.superseded(name, topic, holders); err != nil {
			return s.Nowhere, err
		}
	}
	switch {
	case len(holders) > 1:
		// A crash in the middle of a move cannot leave that; a copy made by hand can.
		why := fmt.Sprintf("Duplicate log directories for %s are found in both %s and %s. It is offline until one of them is moved out of the way: "+
			"which one is right only you can know.", name, holders[0].Path, holders[1].Path)
		s.log("kafka.log").Error(why)
		e := fault.New("node", kafka.ErrKafkaStorageError, "%s", why)
		e.Kind = fault.Disk
		return s.Nowhere, e
	case len(holders) == 1:
		return holders[0], nil
	}
	if v := s.moving.preferred(name); v != nil {
		return v, nil
	}
	if v := s.WithID(assigned); v != nil {
		if s.moving.holds(v, name) && !v.stands(name) {
			return s.Nowhere, errHalfMoved(name, v)
		}
		return v, nil
	}
	if assigned == kafka.DirectoryUnassigned || assigned == kafka.DirectoryMigrating {
		if v := s.emptiest(); v != nil {
			return v, nil
		}
	}
	return s.Nowhere, errNotHere(name, assigned)
}

// holders lists the directories that the start found files of the replica in. Where there is one, and it is the one that
// the metadata says, the log itself checks the topic's id when it is opened.
func (s *Storage) holders(name kafka.TopicPartition, topic kafka.TopicID, assigned kafka.DirectoryID) []*Volume {
	found := s.homes.of(name)
	if len(found) == 1 && found[0].ID() == assigned {
		return found
	}
	var out []*Volume
	for _, v := range found {
		if v.Offline() != nil {
			continue
		}
		id, known, err := v.Dir.TopicID(log.PartitionDir{Name: name.String(), Partition: name})
		if err != nil {
			v.Env.Failed(err)
		}
		if known && id == topic {
			out = append(out, v)
		}
	}
	return out
}

// emptiest is the directory that the next replica goes to: the one with the fewest, as in Apache Kafka's LogManager, and
// of several the first one named. A cordoned one takes none while there are others. nil when none serves.
func (s *Storage) emptiest() *Volume {
	var best *Volume
	fewest, closed := 0, false
	for _, v := range s.Volumes {
		n, serves := v.Load()
		c := s.Cordoned(v.Path)
		if serves && (best == nil || closed && !c || c == closed && n < fewest) {
			best, fewest, closed = v, n, c
		}
	}
	return best
}

// homes are the directories that the start found files of a replica in; nil with one directory, and later.
type homes struct {
	mu    sync.Mutex
	found map[kafka.TopicPartition][]*Volume
}

func (h *homes) of(name kafka.TopicPartition) []*Volume {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.found[name]
}

// forget drops what the start found: what is made from now on was not there.
func (h *homes) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.found = nil
}

// Look notes which directory has files of which replica: with several, an operator may have moved some between them while
// the node was down, as Apache Kafka allows; and which copies there are, for another directory may have been there before. It is called
// before the first replica is made.
func (s *Storage) Look() {
	h := &s.homes
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(s.Volumes) > 1 {
		h.found = map[kafka.TopicPartition][]*Volume{}
	}
	for _, v := range s.Serving() {
		dirs, err := v.Dir.Partitions()
		if err != nil {
			v.Env.Failed(err)
			continue
		}
		for _, d := range dirs {
			switch {
			case d.Partition == MetadataPartition:
			case d.Kind == log.Current && h.found != nil:
				h.found[d.Partition] = append(h.found[d.Partition], v)
			case d.Kind == log.Future:
				s.moving.note(v, d)
			}
		}
	}
}

// sayMissing tells of the replicas whose directory this node was not given.
func (s *Storage) sayMissing() {
	img, missing := s.o.Replicas.Image(), map[kafka.DirectoryID][]string{}
	var ids []kafka.DirectoryID
	for _, p := range s.o.Replicas.All() {
		t := img.TopicNamed(p.Name().Topic)
		if s.Of(p) != s.Nowhere || t == nil {
			continue
		}
		if at, ok := t.Partition(p.Name().Partition); ok {
			id := at.Directory(s.settings.self())
			if missing[id] == nil {
				ids = append(ids, id)
			}
			missing[id] = append(missing[id], p.Name().String())
		}
	}
	for _, id := range ids {
		s.log("kafka.log").Warn(fmt.Sprintf("%s are offline: their log directory %s is not among log.dirs, or not mounted", few(missing[id]), id),
			"partitions", len(missing[id]))
	}
}
