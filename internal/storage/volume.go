package storage

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/world"
)

// Volume is one log directory at work: its files, its flush service, and what the partitions in it share. One that failed
// is offline until the next start (S5).
type Volume struct {
	Path    string
	Dir     *log.Dir // nil when it could not be opened
	Flusher *disk.Flusher
	Env     *partition.Env

	// Unrecovered is how many logs are still to be recovered after an unclean stop.
	Unrecovered atomic.Int64
	Settled     Gate // open when what that left needs no more to be synced all at once

	s *Storage

	mu       sync.Mutex
	replicas int   // that were placed here
	held     bool  // its lock
	err      error // why it is offline
}

func (s *Storage) newVolume(path string) *Volume {
	v := &Volume{s: s, Path: path, Flusher: disk.NewFlusher(s.o.World, path)}
	v.Flusher.Synced = s.o.Synced
	if slow, ok := s.o.FS.(interface{ Latency() time.Duration }); ok {
		v.Flusher.Latency = slow.Latency // of a simulation
	}
	v.Env = &partition.Env{
		World: s.o.World, Chores: world.NewPool(s.o.World, int(s.o.Static.Int("num.recovery.threads.per.data.dir"))), Flusher: v.Flusher,
		Logger: s.log("kafka.log"), Self: s.settings.self(), News: s.o.News, Replication: s.o.Replication,
		Failed: func(err error) { s.o.World.Go(func() { s.Lose(v, err) }) },
	}
	return v
}

// Offline returns why the directory is offline, nil while it serves.
func (v *Volume) Offline() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.err
}

// fail takes the directory offline; false when it is already.
func (v *Volume) fail(err error) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err != nil {
		return false
	}
	v.err = err
	return true
}

// Count counts replicas in, or out.
func (v *Volume) Count(n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.replicas += n
}

// Load returns how many replicas live here, and whether more can.
func (v *Volume) Load() (replicas int, serves bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.replicas, v.err == nil
}

// ID is the directory.id; zero where it could not be read.
func (v *Volume) ID() kafka.DirectoryID {
	if v.Dir == nil {
		return kafka.DirectoryUnassigned
	}
	meta, _ := v.Dir.Meta()
	return meta.DirectoryID
}

// Options are those of a replica's log in the directory.
func (v *Volume) Options(name kafka.TopicPartition, topic kafka.TopicID, c log.Config) log.Options {
	return v.complete(v.Dir.Options(name, c, v.s.o.World.Now()), name, topic)
}

// complete adds to options what a log in the directory has of the node.
func (v *Volume) complete(o log.Options, name kafka.TopicPartition, topic kafka.TopicID) log.Options {
	o.TopicID, o.Later = topic, v.Later
	o.Owner = log.Owner{Room: v.s.Space.room(v.Path), Damaged: v.s.o.Replicas.Damaged(name)}
	return o
}

// Later runs the removal of deleted files, unless the directory has failed by then.
func (v *Volume) Later(delayMs int64, f func()) {
	v.s.later(delayMs, func() {
		if v.Offline() == nil {
			f()
		}
	})
}

// Held reports whether the directory's lock is this node's.
func (v *Volume) Held() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.held
}

// release gives the directory's lock back, once.
func (v *Volume) release() {
	v.mu.Lock()
	had := v.held
	v.held = false
	v.mu.Unlock()
	if had {
		_ = v.Dir.Release() // nothing is left to be done about it
	}
}

// errNotHere is why a replica is offline whose directory this node was not given, or that has lost its identity.
func errNotHere(tp kafka.TopicPartition, id kafka.DirectoryID) error {
	e := fault.New("node", kafka.ErrKafkaStorageError,
		"%s is offline: its log directory %s is not among log.dirs, or not mounted", tp, id)
	e.Kind = fault.Disk
	return e
}
