// Package storage is the log directories of one node at work: who owns them, which of them a replica lives in, moves from one
// to another, room on their disks, and what becomes of what is in one that failed.
//
// node opens it before anything else and closes it last; upkeep works over it in the background. It knows partitions as what
// lives in a directory: it never makes one, decides nothing about leaders or records, and talks to no other node. What it
// needs of the node stands in the three interfaces of Options.
//
// Invariants: no byte of a directory is written before all are locked and read; a directory that failed an IO call stays
// offline until the next start (S5); a replica whose directory is not here is never made anew in another one.
package storage

import (
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/world"
)

// MetadataPartition is the partition of the metadata log. It is the quorum's, and no replica of a topic.
var MetadataPartition = kafka.TopicPartition{Topic: "__cluster_metadata", Partition: 0}

// Options is what the log directories are given.
type Options struct {
	World  world.World
	FS     disk.FS
	Static config.Values // the node's static keys
	// Layers returns the places that a broker's keys take their values from in an image.
	Layers func(*image.Image) config.Layers
	// ClusterID is the cluster's id, when somebody chose it; a directory of another cluster is refused.
	ClusterID string
	// Founding says who gives a new cluster its id.
	Founding Founding
	// Descriptors is how many files and sockets the node may have open.
	Descriptors int
	// Synced is told of every sync of a file and how long it took; may be nil.
	Synced func(took time.Duration)
	Logger *slog.Logger
	// Admit looks at the directories when all are locked and none is written yet, and may refuse them; may be nil.
	Admit func(*Storage) error

	Replicas   Replicas
	Controller Controller
	Life       Life
	News       partition.News
	// Replication is what partitions want of other brokers; nil where there are none.
	Replication partition.Replication
}

// Founding is who gives a new cluster its id.
type Founding uint8

const (
	// Founds draws the id: the node is all of the cluster's voters.
	Founds Founding = iota
	// Joins agrees on it with others or learns it from them: until Adopt the directories have ids of their own and no cluster.
	Joins
)

// Replicas are the node's partitions.
type Replicas interface {
	All() []*partition.Partition // by name, in a slice of the caller's own
	ByName(kafka.TopicPartition) (*partition.Partition, error)
	ByID(kafka.TopicIDPartition) (*partition.Partition, error)
	// Image is the newest image that is acted on.
	Image() *image.Image
	// Damaged returns who hears of what does not check in a partition's log.
	Damaged(kafka.TopicPartition) func(segment.Damage)
}

// Controller hears where replicas live, and of directories that failed (KIP-858).
type Controller interface {
	// Assign has it told that a replica is in one directory, and not in another.
	Assign(id kafka.TopicIDPartition, in, not kafka.DirectoryID)
	// Knows reports whether nothing is left to be told of a replica.
	Knows(id kafka.TopicIDPartition) bool
	// Lost has it told that a directory failed.
	Lost(id kafka.DirectoryID)
}

// Life is how long the node goes on.
type Life interface {
	Over() bool    // it stops, or cannot go on
	Failed() error // why it cannot go on
	Fail(error)    // it cannot
}

// Storage is the log directories, and the metadata log in one of them. Its fields don't change after Open.
type Storage struct {
	Volumes  []*Volume              // log.dirs, in their order
	Metadata *Volume                // of __cluster_metadata-0: one of the volumes unless metadata.log.dir is apart
	Nowhere  *Volume                // of replicas whose directory this node does not have
	cluster  atomic.Pointer[string] // its id, once it is known
	FS       disk.FS                // what the whole node opens files through
	Space    *Space

	o        Options
	settings settings
	moving   *relocations
	shared   log.Shared // by the readers and writers of all directories
	homes    homes
	dormant  dormant
	closing  atomic.Bool // set before Close looks which replicas there are
}

// All lists every directory, the metadata log's first.
func (s *Storage) All() []*Volume {
	out := []*Volume{s.Metadata}
	for _, v := range s.Volumes {
		if v != s.Metadata {
			out = append(out, v)
		}
	}
	return out
}

// Serving lists the directories of partitions that work.
func (s *Storage) Serving() []*Volume {
	var out []*Volume
	for _, v := range s.Volumes {
		if v.Offline() == nil {
			out = append(out, v)
		}
	}
	return out
}

// Online lists the ids of the directories that work.
func (s *Storage) Online() []kafka.DirectoryID {
	var out []kafka.DirectoryID
	for _, v := range s.Serving() {
		out = append(out, v.ID())
	}
	return out
}

// WithID finds a directory of partitions; nil when this node does not have it.
func (s *Storage) WithID(id kafka.DirectoryID) *Volume {
	i := slices.IndexFunc(s.Volumes, func(v *Volume) bool { return v.Dir != nil && v.ID() == id })
	if i < 0 {
		return nil
	}
	return s.Volumes[i]
}

// withPath finds a directory of partitions by its path; nil when it is not among log.dirs.
func (s *Storage) withPath(path string) *Volume {
	i := slices.IndexFunc(s.Volumes, func(v *Volume) bool { return v.Path == path })
	if i < 0 {
		return nil
	}
	return s.Volumes[i]
}

// missing lists the paths of the directories that do not work.
func (s *Storage) missing() (paths []string) {
	for _, v := range s.Volumes {
		if v.Offline() != nil {
			paths = append(paths, v.Path)
		}
	}
	return paths
}

// Of finds the directory that a partition lives in.
func (s *Storage) Of(p *partition.Partition) *Volume {
	for _, v := range s.Volumes {
		if v.Env.Holds(p) {
			return v
		}
	}
	return s.Nowhere
}

// AlterReplicaLogDir has a replica of this node moved to the log directory with a path. It returns once that is under way.
// Errors, in Apache Kafka's order: INVALID_TOPIC_EXCEPTION for a name too long for a copy, LOG_DIR_NOT_FOUND,
// KAFKA_STORAGE_ERROR for a directory or replica that is offline, INVALID_REPLICA_ASSIGNMENT for a cordoned directory
// (KIP-1066), UNKNOWN_TOPIC_OR_PARTITION, and REPLICA_NOT_AVAILABLE for a partition that is not here: it will be made in that
// directory.
func (s *Storage) AlterReplicaLogDir(name kafka.TopicPartition, path string) error {
	return s.moving.alter(name, path)
}

// Copies lists what is on its way to a directory, by name.
func (s *Storage) Copies(v *Volume) []Copying { return s.moving.copies(v) }

// Crowded reports whether half of the files that logs may have open wait to be durable.
func (s *Storage) Crowded() bool { return s.shared.Handles.Crowded(2) }

// Remove takes the files of a partition away that left this node: its topic was deleted, or its replica moved. It returns the
// directory that it lived in, and whether there were any. Once the directories are being closed it leaves them as they are, as if the
// node had stopped already: what the log has told of itself is on its way to the disk. The next start sets them aside.
func (s *Storage) Remove(p *partition.Partition, id kafka.TopicIDPartition) (v *Volume, there bool, err error) {
	if s.closing.Load() {
		return s.Of(p), false, nil
	}
	name := p.Name()
	s.dormant.forget(p)
	s.moving.forget(p)
	opened, err := p.Delete()
	v = s.Of(p) // from now on: until then a copy may have become the log
	v.Count(-1)
	if v.Offline() != nil {
		return v, false, nil // where the files are is not to be written; if they come back, they are nobody's and set aside
	}
	there = opened
	if !opened && err == nil {
		_, missing := s.FS.Stat(v.Dir.PartitionPath(name))
		there = missing == nil
		err = v.Dir.DeletePartition(name, id.TopicID, s.discard)
	}
	if fault.IsKind(err, fault.Disk) {
		v.Env.Failed(err)
	}
	v.Dir.Forget(name)
	return v, there && err == nil, err
}

// discard removes the files of a deleted log that was not open: nobody can be reading them. What stays is removed by the
// next start.
func (s *Storage) discard(remove func() error) {
	s.later(0, func() {
		if err := remove(); err != nil {
			s.log("kafka.log").Warn("The files of a deleted partition are still there; the next start removes them.", "error", err)
		}
	})
}

// later runs the removal of deleted files; what is left when the node stops, the next start removes.
func (s *Storage) later(delayMs int64, f func()) {
	s.Space.later(delayMs, func() {
		if !s.o.Life.Over() {
			f()
		}
	})
}

// Abandon gives everything back as it is, without closing anything.
func (s *Storage) Abandon() {
	s.Space.abandon()
	s.releaseDirs()
}

// log is the log for one of the node's parts, by the names that Kafka's loggers have.
func (s *Storage) log(component string) *slog.Logger { return s.o.Logger.With("component", component) }
