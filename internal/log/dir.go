package log

import (
	"errors"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/mutant"
)

// Names of a log directory's own files, Kafka's.
const (
	lockFile  = ".lock"
	metaFile  = "meta.properties"
	cleanFile = ".kafka_cleanshutdown"
)

// Dir is one log directory of one process: its lock, its identity, its checkpoints and the logs in it. Its methods are
// safe for concurrent use. It is the Ledger of its logs.
type Dir struct {
	fs          disk.FS
	path        string
	lock        io.Closer
	clean       bool
	settled     atomic.Bool // all that the last process wrote is durable
	shared      Shared
	brokerEpoch kafka.BrokerEpoch // of the incarnation that closed it cleanly, -1
	// Damaged are files that did not parse and count as empty, for the caller to log.
	Damaged []error
	checkpoints

	renewing  sync.Mutex // held while a log is written back that nobody has asked for, and by who asks; before mu
	mu        sync.Mutex
	meta      Meta
	opened    map[kafka.TopicPartition]opening
	formatted bool
}

// opening is how far the log of a partition has come in this process.
type opening struct{ asked, done bool }

// OpenDir takes a log directory for this process, and makes it when it is absent: ClaimDir and Begin in one. A directory
// that is refused is given back.
func OpenDir(fsys disk.FS, path string, want Identity) (*Dir, error) {
	d, err := ClaimDir(fsys, path, want)
	if err != nil {
		return nil, err
	}
	if err := d.Begin(); err != nil {
		_ = d.lock.Close()
		return nil, err
	}
	return d, nil
}

// ClaimDir takes the lock of a log directory, which is made when it is absent, and reads whose it is. The lock comes
// first: when another process holds it the error is disk.ErrLocked and nothing was touched. A directory of another
// cluster or node is refused with only the lock taken and given back. A process of several directories claims all of
// them before it begins with any, so that one that is refused leaves the others as they were.
func ClaimDir(fsys disk.FS, path string, want Identity) (*Dir, error) {
	const op = "log.OpenDir"
	if err := makeDurably(fsys, path); err != nil {
		return nil, fault.Storage(op, err)
	}
	lock, err := fsys.Lock(path + "/" + lockFile)
	if err != nil {
		return nil, fault.Storage(op, err)
	}
	d := &Dir{
		fs: fsys, path: path, lock: lock, brokerEpoch: -1, checkpoints: checkpoints{fs: fsys, path: path}, opened: map[kafka.TopicPartition]opening{},
	}
	if err := d.identify(want); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return d, nil
}

// makeDurably makes a directory and those above it, so that a power loss takes none of their names. Also that of one which
// is there is synced, for the process that made it may have been killed before it could; where its parent cannot be read,
// somebody else made it.
func makeDurably(fsys disk.FS, path string) error {
	parent, _, found := cutLast(path, "/")
	if parent == "" {
		parent = "/"
	}
	if _, err := fsys.Stat(path); err == nil {
		if err := fsys.SyncDir(parent); !errors.Is(err, fs.ErrPermission) {
			return err
		}
		return nil
	}
	if found && parent != "/" {
		if err := makeDurably(fsys, parent); err != nil {
			return err
		}
	}
	if err := fsys.MkdirAll(path); err != nil {
		return err
	}
	return fsys.SyncDir(parent)
}

// Begin reads the checkpoints of a claimed directory. Then the clean-shutdown marker is read and removed, durably, before
// any log can be opened, and deletions that were in progress are finished. After an error the directory is to be
// released.
func (d *Dir) Begin() error {
	var err error
	if d.Damaged, err = d.loadCheckpoints(); err != nil {
		return err
	}
	if err := d.takeMarker(); err != nil {
		return err
	}
	return d.removeDeleted()
}

// Path returns the directory's path.
func (d *Dir) Path() string { return d.path }

// Clean reports whether the directory was closed cleanly, and the broker epoch of the incarnation that did; -1 when it
// was not (ELR needs it: BrokerRegistration.PreviousBrokerEpoch).
func (d *Dir) Clean() (bool, kafka.BrokerEpoch) { return d.clean, d.brokerEpoch }

// Options returns what is known here for opening the log of a partition. The topic id and callbacks are the caller's.
func (d *Dir) Options(tp kafka.TopicPartition, c Config, now kafka.Instant) Options {
	d.renewing.Lock()
	defer d.renewing.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	first := !d.opened[tp].asked
	d.opened[tp] = opening{asked: true}
	known, shared := d.Checkpointed(tp), d.shared
	shared.Settled = d.settled.Load() && first
	if mutant.On(mutant.LogStartForgotten) {
		known.LogStart = 0
	}
	return Options{
		FS: d.fs, Path: d.PartitionPath(tp), Partition: tp, Config: c, Now: now, Ledger: d, Shared: shared,
		Clean: (d.clean || mutant.On(mutant.UncleanTakenClean)) && first, RecoveryPoint: known.RecoveryPoint, LogStart: known.LogStart,
		Cleaned: known.Cleaned,
	}
}

// SyncVolume makes all that the last process wrote in the directory durable at once, so that recovery need not sync each log:
// after a kill what is in the page cache may be on no disk, and some of it may count as written and is not. It blocks, beside logs
// that are opened. Where the volume can't be synced as a whole, or something failed, each log is synced when it is opened.
func SyncVolume(d *Dir) {
	if d.clean {
		return
	}
	if v := disk.OpenVolume(d.fs, d.path); v != nil {
		d.settled.Store(d.renewAll() == nil && v.Sync() == nil)
		_ = v.Close() // it was only read
	}
}

// Share hands the logs that are opened from now on what the readers of all logs have together.
func (d *Dir) Share(s Shared) { d.shared = s }

// CloseClean marks the directory as cleanly closed. Every log that was opened has been closed without error, and points
// are their ends. The marker comes last, so that a crash on the way leaves an unclean directory; and there is none when
// the directory was not clean and a log in it has not been recovered since.
func (d *Dir) CloseClean(epoch kafka.BrokerEpoch, points, highWatermarks checkpoint.Offsets) error {
	if err := d.saveAll(map[string]checkpoint.Offsets{recoveryPointFile: points, highWatermarkFile: highWatermarks}); err != nil {
		return err
	}
	if recovered, err := d.recovered(); err != nil || !recovered {
		return errors.Join(err, d.Release())
	}
	if err := checkpoint.Replace(d.fs, d.path, cleanFile, formatMarker(epoch)); err != nil {
		return err
	}
	return d.Release()
}

// recovered reports whether every log in the directory was closed cleanly by the last process or recovered by this one.
func (d *Dir) recovered() (bool, error) {
	if d.clean {
		return true, nil
	}
	dirs, err := d.Partitions()
	if err != nil {
		return false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range dirs {
		if (p.Kind == Current || p.Kind == Future) && !d.opened[p.Partition].done {
			return false, nil
		}
	}
	return true, nil
}

// Release gives the lock back and nothing else: the next start recovers. Nothing is written here any more after it, by
// whatever still runs.
func (d *Dir) Release() error {
	d.seal()
	return d.lock.Close()
}
