package crash

import (
	"fmt"
	"slices"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/checkpoint"
)

// Host is a process with a log directory, and what it has promised.
type Host struct {
	story *Story
	dir   *log.Dir
	logs  []*Log
	world world
	later []func() // removals of files that wait
	epoch kafka.BrokerEpoch
}

// Host starts a process on the story's disk; it makes and formats the directory when it is the first.
func (s *Story) Host() (*Host, error) {
	h := &Host{story: s}
	h.world.meta = log.Meta{ClusterID: me().ClusterID, NodeID: me().NodeID, DirectoryID: kafka.DirectoryID{9}}
	h.promise()
	if err := h.openDir(); err != nil {
		return nil, err
	}
	if _, formatted := h.dir.Meta(); !formatted {
		h.chapter("format")
		h.world.format = either
		h.promise()
		if err := h.dir.Format(h.world.meta); err != nil {
			return nil, err
		}
	}
	h.world.format = yes
	h.promise()
	return h, nil
}

func (h *Host) chapter(format string, args ...any) { h.story.Chapter(format, args...) }

// promise makes what the world says now a promise.
func (h *Host) promise() {
	h.world.now = h.story.Now
	h.world.tenants = h.world.tenants[:0:0]
	for _, l := range h.logs {
		if l.tenant.open {
			l.tenant.pointable = log.Recoverable(l.log)
		}
		if l.tenant.open && l.tenant.there == yes && len(l.tenant.models) == 1 && !l.tenant.swapping {
			l.tenant.sealed = l.tenant.sealed.with(h.story.Mem, h.dir.PartitionPath(l.tenant.partition), l.log.Offsets().Durable)
		}
		h.world.tenants = append(h.world.tenants, l.tenant)
	}
	h.story.Promise(h.world.clone())
}

func (h *Host) openDir() (err error) {
	h.chapter("open directory")
	if h.world.clean == yes {
		h.world.clean = either
		h.promise()
	}
	h.dir, err = log.OpenDir(h.story.Mem, root, me())
	h.world.clean = no
	h.promise()
	if err == nil && h.story.Together {
		h.chapter("settle directory")
		log.SyncVolume(h.dir)
	}
	return err
}

// Open makes or opens a log.
func (h *Host) Open(tp kafka.TopicPartition, id kafka.TopicID, c log.Config) (*Log, error) {
	l := &Log{host: h, tenant: tenant{partition: tp, topicID: id, config: c, models: []model{{}}, there: yes, highs: []kafka.Offset{0}, cleaned: []kafka.Offset{0}}}
	h.logs = append(h.logs, l)
	h.promise()
	return l, l.open()
}

// CloseClean stops the process cleanly.
func (h *Host) CloseClean() (err error) {
	recovery, high := checkpoint.Offsets{}, checkpoint.Offsets{}
	if h.story.Together {
		if err := h.closeTogether(); err != nil {
			return err
		}
	}
	for _, l := range h.living() {
		h.chapter("close %s", l.tenant.partition)
		if err := l.log.Close(h.story.Now); err != nil {
			return err
		}
		m := &l.tenant.models[0]
		m.durable = m.end()
		recovery[l.tenant.partition], high[l.tenant.partition] = m.durable, m.durable
		l.tenant.highs = append(l.tenant.highs, m.durable)
		h.promise()
	}
	h.chapter("close directory")
	h.epoch++
	h.world.clean, h.world.epoch = either, h.epoch
	h.promise()
	if err := h.dir.CloseClean(h.epoch, recovery, high); err != nil {
		return err
	}
	for _, l := range h.living() {
		l.tenant.highs = l.tenant.highs[len(l.tenant.highs)-1:]
	}
	for _, l := range h.living() {
		l.tenant.whole, err = files(h.story.Mem, h.dir.PartitionPath(l.tenant.partition))
		if err != nil {
			return err
		}
	}
	h.world.clean = yes
	h.promise()
	return nil
}

// closeTogether finishes every log, and syncs them as a whole.
func (h *Host) closeTogether() error {
	v := disk.OpenVolume(h.story.Mem, root)
	var all []disk.Syncer
	for _, l := range h.living() {
		h.chapter("finish %s", l.tenant.partition)
		targets, err := log.Finish(l.log)
		if err != nil {
			return err
		}
		all = append(all, targets...)
	}
	h.chapter("sync the volume")
	return disk.SyncTogether(v, all)
}

// Start begins the next life of a process that has ended, cleanly or not.
func (h *Host) Start() error {
	h.later = nil
	h.closed()
	if err := h.openDir(); err != nil {
		return err
	}
	for _, l := range h.living() {
		l.tenant.highs = []kafka.Offset{h.dir.Checkpointed(l.tenant.partition).HighWatermark}
		if err := l.open(); err != nil {
			return err
		}
	}
	return nil
}

// Crash ends the process with one of the images that a crash may leave, and starts the next.
func (h *Host) Crash() error {
	s := h.story
	var m *disk.Mem
	switch s.Rand.IntN(6) {
	case 0:
		m = s.Mem.PowerCut()
	case 1:
		if s.Rand.IntN(2) == 0 { // a sync has failed
			s.Mem.FailSync()
		}
		m = s.Mem.Killed()
	default:
		m = s.Mem.Crash(s.Rand)
	}
	return h.restart(m)
}

// RemoveDeleted runs the removals that wait.
func (h *Host) RemoveDeleted() {
	h.chapter("remove deleted files")
	for _, f := range h.later {
		f()
	}
	h.later = nil
}

// living are the logs that are not deleted.
func (h *Host) living() []*Log {
	return slices.DeleteFunc(slices.Clone(h.logs), func(l *Log) bool { return l.tenant.there == no })
}

// Checkpoint saves the recovery points and high watermarks of every log.
func (h *Host) Checkpoint() error {
	h.chapter("checkpoint recovery points")
	recovery, high := checkpoint.Offsets{}, checkpoint.Offsets{}
	for _, l := range h.living() {
		if err := l.log.Epochs().Sync(); err != nil {
			return err
		}
		durable := log.Recoverable(l.log)
		recovery[l.tenant.partition], high[l.tenant.partition] = durable, durable
		l.tenant.highs = append(l.tenant.highs, durable)
	}
	h.promise()
	if err := h.dir.SaveRecoveryPoints(recovery); err != nil {
		return err
	}
	for _, l := range h.living() {
		l.tenant.pointedAt = recovery[l.tenant.partition]
	}
	h.promise()
	h.chapter("checkpoint high watermarks")
	if err := h.dir.CheckpointHighWatermarks(func() checkpoint.Offsets { return high }); err != nil {
		return err
	}
	for _, l := range h.living() {
		l.tenant.highs = l.tenant.highs[len(l.tenant.highs)-1:]
		if got := h.dir.Checkpointed(l.tenant.partition).RecoveryPoint; got != recovery[l.tenant.partition] {
			return fmt.Errorf("the recovery point of %s is %d", l.tenant.partition, got)
		}
	}
	h.promise()
	return nil
}

// kill is a kill -9: the next process finds everything, with nothing more synced than before.
func (h *Host) kill() error { return h.restart(h.story.Mem.Killed()) }

// restart begins the story anew on a disk that a crash has left.
func (h *Host) restart(m *disk.Mem) error {
	s := h.story
	s.Mem, s.journal, s.promises, s.chapters = m, m.Record(), nil, nil
	h.world.clean = no
	h.closed()
	h.promise()
	return h.Start()
}

// closed notes that no log is open: what its recovery point is nobody changes before it is.
func (h *Host) closed() {
	for _, l := range h.logs {
		l.tenant.open, l.tenant.sealed, l.tenant.whole = false, nil, nil
	}
}
