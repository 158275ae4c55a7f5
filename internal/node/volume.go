package node

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/world"
)

// storage is the log directories, and the metadata log in one of them.
type storage struct {
	volumes   []*volume // log.dirs, in their order
	metadata  *volume   // of __cluster_metadata-0: one of the volumes unless metadata.log.dir is apart
	nowhere   *volume   // of replicas whose directory this node does not have
	clusterID string
	space     *space
	log       *log.Log // of __cluster_metadata-0
	moving    *relocations
	shared    log.Shared // by the readers and writers of all directories
}

// volume is one log directory at work: its files, its flush service, and what the partitions in it share. One that failed
// is offline until the next start (S5).
type volume struct {
	n       *Node
	path    string
	dir     *log.Dir // nil when it could not be opened
	flusher *disk.Flusher
	shared  log.Shared
	env     *partition.Env

	unrecovered atomic.Int64 // logs that are still to be recovered after an unclean stop
	settled     gate         // open when what that left needs no more to be synced all at once

	mu       sync.Mutex
	replicas int   // that were placed here
	held     bool  // its lock
	err      error // why it is offline
}

func newVolume(n *Node, path string) *volume {
	v := &volume{n: n, path: path, flusher: disk.NewFlusher(n.o.World, path)}
	v.flusher.Synced = n.o.Synced
	v.env = &partition.Env{
		World: n.o.World, Chores: world.NewPool(n.o.World, int(n.o.Values.Int("num.recovery.threads.per.data.dir"))), Flusher: v.flusher, Logger: n.log("kafka.log"), Self: n.settings.NodeID(),
		Failed: func(err error) { n.o.World.Go(func() { n.lose(v, err) }) },
	}
	return v
}

// offline returns why the directory is offline, nil while it serves.
func (v *volume) offline() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.err
}

// fail takes the directory offline; false when it is already.
func (v *volume) fail(err error) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err != nil {
		return false
	}
	v.err = err
	return true
}

// count counts replicas in, or out.
func (v *volume) count(n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.replicas += n
}

// load returns how many replicas live here, and whether more can.
func (v *volume) load() (replicas int, serves bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.replicas, v.err == nil
}

// id is the directory.id; zero where it could not be read.
func (v *volume) id() kafka.DirectoryID {
	if v.dir == nil {
		return kafka.DirectoryUnassigned
	}
	meta, _ := v.dir.Meta()
	return meta.DirectoryID
}

// later runs the removal of deleted files, unless the directory has failed by then.
func (v *volume) later(delayMs int64, f func()) {
	v.n.later(delayMs, func() {
		if v.offline() == nil {
			f()
		}
	})
}

// release gives the directory's lock back, once.
func (v *volume) release() {
	v.mu.Lock()
	had := v.held
	v.held = false
	v.mu.Unlock()
	if had {
		_ = v.dir.Release() // nothing is left to be done about it
	}
}

// all lists every directory, the metadata log's first.
func (s *storage) all() []*volume {
	out := []*volume{s.metadata}
	for _, v := range s.volumes {
		if v != s.metadata {
			out = append(out, v)
		}
	}
	return out
}

// serving lists the directories of partitions that work.
func (s *storage) serving() []*volume {
	var out []*volume
	for _, v := range s.volumes {
		if v.offline() == nil {
			out = append(out, v)
		}
	}
	return out
}

// online lists the ids of the directories that work.
func (s *storage) online() []kafka.DirectoryID {
	var out []kafka.DirectoryID
	for _, v := range s.serving() {
		out = append(out, v.id())
	}
	return out
}

// withID finds a directory of partitions; nil when this node does not have it.
func (s *storage) withID(id kafka.DirectoryID) *volume {
	i := slices.IndexFunc(s.volumes, func(v *volume) bool { return v.dir != nil && v.id() == id })
	if i < 0 {
		return nil
	}
	return s.volumes[i]
}

// withPath finds a directory of partitions by its path; nil when it is not among log.dirs.
func (s *storage) withPath(path string) *volume {
	i := slices.IndexFunc(s.volumes, func(v *volume) bool { return v.path == path })
	if i < 0 {
		return nil
	}
	return s.volumes[i]
}

// missing lists the paths of the directories that do not work.
func (s *storage) missing() (paths []string) {
	for _, v := range s.volumes {
		if v.offline() != nil {
			paths = append(paths, v.path)
		}
	}
	return paths
}

// of finds the directory that a partition lives in.
func (s *storage) of(p *partition.Partition) *volume {
	for _, v := range s.volumes {
		if v.env.Holds(p) {
			return v
		}
	}
	return s.nowhere
}

// emptiest is the directory that the next replica goes to: the one with the fewest, as in Apache Kafka's LogManager, and
// of several the first one named. A cordoned one takes none while there are others. nil when none serves.
func (s *storage) emptiest(cordoned func(path string) bool) *volume {
	var best *volume
	fewest, closed := 0, false
	for _, v := range s.volumes {
		n, serves := v.load()
		c := cordoned(v.path)
		if serves && (best == nil || closed && !c || c == closed && n < fewest) {
			best, fewest, closed = v, n, c
		}
	}
	return best
}

// errNotHere is why a replica is offline whose directory this node was not given, or that has lost its identity.
func errNotHere(tp kafka.TopicPartition, id kafka.DirectoryID) error {
	e := fault.New("node", kafka.ErrKafkaStorageError,
		"%s is offline: its log directory %s is not among log.dirs, or not mounted", tp, id)
	e.Kind = fault.Disk
	return e
}
