package node

import (
	"fmt"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
)

// home finds the directory that a replica lives in, or why it has none: where its files were found, else where the
// metadata says, and one that was never anywhere goes where the fewest are. One that the metadata says is in a directory
// which is not here is offline and is never made anew in another: its records may come back with the directory.
func (r *replicas) home(name kafka.TopicPartition, topic kafka.TopicID, assigned kafka.DirectoryID) (*volume, error) {
	s := &r.n.storage
	holders := r.holders(name, topic, assigned)
	if len(holders) > 1 {
		var err error
		if holders, err = r.superseded(name, topic, holders); err != nil {
			return s.nowhere, err
		}
	}
	switch {
	case len(holders) > 1:
		// A crash in the middle of a move cannot leave that; a copy made by hand can.
		why := fmt.Sprintf("Duplicate log directories for %s are found in both %s and %s. It is offline until one of them is moved out of the way: "+
			"which one is right only you can know.", name, holders[0].path, holders[1].path)
		r.n.log("kafka.log").Error(why)
		e := fault.New("node", kafka.ErrKafkaStorageError, "%s", why)
		e.Kind = fault.Disk
		return s.nowhere, e
	case len(holders) == 1:
		return holders[0], nil
	}
	if v := s.moving.preferred(name); v != nil {
		return v, nil
	}
	if v := s.withID(assigned); v != nil {
		if s.moving.holds(v, name) {
			return s.nowhere, errHalfMoved(name, v)
		}
		return v, nil
	}
	if assigned == kafka.DirectoryUnassigned || assigned == kafka.DirectoryMigrating {
		img := r.image()
		if v := s.emptiest(func(path string) bool { return r.n.settings.cordoned(img, path) }); v != nil {
			return v, nil
		}
	}
	return s.nowhere, errNotHere(name, assigned)
}

// holders lists the directories that the start found files of the replica in. Where there is one, and it is the one that
// the metadata says, the log itself checks the topic's id when it is opened.
func (r *replicas) holders(name kafka.TopicPartition, topic kafka.TopicID, assigned kafka.DirectoryID) []*volume {
	r.mu.RLock()
	found := r.found[name]
	r.mu.RUnlock()
	if len(found) == 1 && found[0].id() == assigned {
		return found
	}
	var out []*volume
	for _, v := range found {
		if v.offline() != nil {
			continue
		}
		id, known, err := v.dir.TopicID(log.PartitionDir{Name: name.String(), Partition: name})
		if err != nil {
			v.env.Failed(err)
		}
		if known && id == topic {
			out = append(out, v)
		}
	}
	return out
}

// look notes which directory has files of which replica: with several, an operator may have moved some between them while
// the node was down, as Apache Kafka allows.
func (r *replicas) look() {
	s := &r.n.storage
	if len(s.volumes) == 1 {
		return
	}
	r.found = map[kafka.TopicPartition][]*volume{}
	for _, v := range s.serving() {
		dirs, err := v.dir.Partitions()
		if err != nil {
			v.env.Failed(err)
			continue
		}
		for _, d := range dirs {
			switch {
			case d.Partition == metadataPartition:
			case d.Kind == log.Current:
				r.found[d.Partition] = append(r.found[d.Partition], v)
			case d.Kind == log.Future:
				s.moving.note(v, d)
			}
		}
	}
}

// settled forgets what the start found: what is made from now on was not there.
func (r *replicas) settled() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.found = nil
}

// sayMissing tells of the replicas whose directory this node was not given.
func (n *Node) sayMissing() {
	img, missing := n.feed.Image(), map[kafka.DirectoryID][]string{}
	var ids []kafka.DirectoryID
	for _, p := range n.replicas.all() {
		t := img.TopicNamed(p.Name().Topic)
		if n.storage.of(p) != n.storage.nowhere || t == nil {
			continue
		}
		if at, ok := t.Partition(p.Name().Partition); ok {
			id := at.Directory(n.settings.NodeID())
			if missing[id] == nil {
				ids = append(ids, id)
			}
			missing[id] = append(missing[id], p.Name().String())
		}
	}
	for _, id := range ids {
		n.log("kafka.log").Warn(fmt.Sprintf("%s are offline: their log directory %s is not among log.dirs, or not mounted", few(missing[id]), id),
			"partitions", len(missing[id]))
	}
}
