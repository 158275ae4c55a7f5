package log

import (
	"maps"
	"slices"
	"sync"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
)

const (
	recoveryPointFile = "recovery-point-offset-checkpoint"
	highWatermarkFile = "replication-offset-checkpoint"
	logStartFile      = "log-start-offset-checkpoint"
	cleanedFile       = "cleaner-offset-checkpoint"
	maxCheckpoint     = 1 << 30
)

// OwnCleanedFile is ours, a side file of Kafka's cleaner-offset-checkpoint: what this program wrote there.
const OwnCleanedFile = ".milena-cleaned"

// checkpoints are the offset checkpoints of a log directory: for each log what is durable, what was committed, where it
// begins, and how far it was compacted. What is in memory never says more than the disk.
type checkpoints struct {
	fs   disk.FS
	path string

	mu        sync.Mutex
	recovery  checkpoint.Offsets
	high      checkpoint.Offsets
	logStart  checkpoint.Offsets
	cleaned   checkpoint.Offsets
	own       checkpoint.Offsets // what this node wrote into cleaned: where they differ, somebody else has compacted the log
	sealed    bool               // the directory was given back: it may be another process's
	forgotten bool               // logs that are deleted still stand in the checkpoints on disk
	gathering []*gathering
}

// gathering is a checkpoint whose offsets are being collected, and the logs that were truncated or deleted since it began:
// what was collected of them may be true no more.
type gathering struct{ moved map[kafka.TopicPartition]bool }

// checkpointFile is one of the four, or ours beside them.
type checkpointFile struct {
	name   string
	points *checkpoint.Offsets
}

func (c *checkpoints) files() []checkpointFile {
	return []checkpointFile{
		{recoveryPointFile, &c.recovery}, {highWatermarkFile, &c.high}, {logStartFile, &c.logStart}, {cleanedFile, &c.cleaned},
		{OwnCleanedFile, &c.own},
	}
}

// loadCheckpoints reads them all. A file that does not parse counts as empty, as with Kafka: recovery reads more then.
func (c *checkpoints) loadCheckpoints() (damaged []error, err error) {
	for _, f := range c.files() {
		data, err := checkpoint.Load(c.fs, c.path+"/"+f.name, maxCheckpoint)
		if err == nil {
			*f.points, err = checkpoint.ParseOffsets(data)
		}
		if err != nil && !fault.IsKind(err, fault.Corrupt) {
			return nil, err
		}
		if err != nil {
			damaged = append(damaged, fault.Corruption("log.OpenDir", "%s/%s: %v", c.path, f.name, err))
			*f.points = checkpoint.Offsets{}
		}
	}
	return damaged, nil
}

// Checkpointed is what the checkpoints have of a log, 0 where they have nothing.
type Checkpointed struct {
	RecoveryPoint, LogStart, HighWatermark, Cleaned kafka.Offset
	// Reworked says that it was compacted by another program, or that a crash came between two files.
	Reworked bool
}

// Checkpointed returns what the checkpoints have of a log.
func (c *checkpoints) Checkpointed(tp kafka.TopicPartition) Checkpointed {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Checkpointed{RecoveryPoint: c.recovery[tp], LogStart: c.logStart[tp], HighWatermark: c.high[tp], Cleaned: c.cleaned[tp],
		Reworked: c.cleaned[tp] != c.own[tp]}
}

// SaveRecoveryPoints writes the recovery points of the given logs, keeping those of others: each log's durable offset. No
// log may be truncated or deleted meanwhile; CheckpointRecoveryPoints is for the others.
func (c *checkpoints) SaveRecoveryPoints(points checkpoint.Offsets) error {
	return c.save(recoveryPointFile, &c.recovery, points)
}

// SaveLogStart makes a log start durable (Ledger).
func (c *checkpoints) SaveLogStart(tp kafka.TopicPartition, o kafka.Offset) error {
	return c.save(logStartFile, &c.logStart, checkpoint.Offsets{tp: o})
}

// PlanLogStart returns what makes a log start durable later (Ledger). When the log was truncated or deleted meanwhile the
// start is not its any more, and nothing is written.
func (c *checkpoints) PlanLogStart(tp kafka.TopicPartition, o kafka.Offset) func() error {
	g := &gathering{moved: map[kafka.TopicPartition]bool{}}
	c.mu.Lock()
	c.gathering = append(c.gathering, g)
	c.mu.Unlock()
	return func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.gathering = slices.DeleteFunc(c.gathering, func(other *gathering) bool { return other == g })
		if g.moved[tp] {
			return fault.New("log.SaveLogStart", kafka.ErrNotLeaderOrFollower, "%s was truncated or deleted meanwhile", tp)
		}
		return c.replace(logStartFile, &c.logStart, checkpoint.Offsets{tp: max(o, c.logStart[tp])})
	}
}

// SaveCleaned makes durable how far a log was compacted (Ledger).
func (c *checkpoints) SaveCleaned(tp kafka.TopicPartition, o kafka.Offset) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sealed {
		return fault.Shutdown("checkpoint")
	}
	changed := checkpoint.Offsets{tp: o}
	return c.replaceSome([]checkpointFile{{OwnCleanedFile, &c.own}, {cleanedFile, &c.cleaned}}, map[string]checkpoint.Offsets{
		OwnCleanedFile: changed, cleanedFile: changed,
	})
}

// CheckpointRecoveryPoints writes the recovery points that collect returns, keeping those of other logs. Logs may be
// truncated, deleted and made again while it collects: what it says of those is dropped.
func (c *checkpoints) CheckpointRecoveryPoints(collect func() checkpoint.Offsets) error {
	return c.gather(recoveryPointFile, &c.recovery, collect)
}

// CheckpointHighWatermarks writes the high watermarks that collect returns, like CheckpointRecoveryPoints.
func (c *checkpoints) CheckpointHighWatermarks(collect func() checkpoint.Offsets) error {
	return c.gather(highWatermarkFile, &c.high, collect)
}

func (c *checkpoints) gather(name string, all *checkpoint.Offsets, collect func() checkpoint.Offsets) error {
	g := &gathering{moved: map[kafka.TopicPartition]bool{}}
	c.mu.Lock()
	c.gathering = append(c.gathering, g)
	c.mu.Unlock()
	points := collect()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gathering = slices.DeleteFunc(c.gathering, func(other *gathering) bool { return other == g })
	maps.DeleteFunc(points, func(tp kafka.TopicPartition, o kafka.Offset) bool {
		known, there := (*all)[tp]
		return g.moved[tp] || there && known == o // an idle directory is not written
	})
	if len(points) == 0 {
		return nil
	}
	return c.replace(name, all, points)
}

// moved tells the checkpoints that are being collected that a log is no longer what it was. Called with the mutex held.
func (c *checkpoints) moved(tp kafka.TopicPartition) {
	for _, g := range c.gathering {
		g.moved[tp] = true
	}
}

func (c *checkpoints) save(name string, all *checkpoint.Offsets, changed checkpoint.Offsets) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.replace(name, all, changed)
}

// seal ends all writing.
func (c *checkpoints) seal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sealed = true
}

// replace writes a checkpoint with changes. Called with the mutex held.
func (c *checkpoints) replace(name string, all *checkpoint.Offsets, changed checkpoint.Offsets) error {
	if c.sealed {
		return fault.Shutdown("checkpoint")
	}
	if err := checkpoint.Replace(c.fs, c.path, name, all.FormatWith(changed)); err != nil {
		return err
	}
	maps.Copy(*all, changed)
	return nil
}

// saveAll writes every checkpoint, with what changed in each by the name of its file.
func (c *checkpoints) saveAll(changed map[string]checkpoint.Offsets) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sealed {
		return fault.Shutdown("checkpoint")
	}
	return c.replaceSome(c.files(), changed)
}

// replaceSome writes several checkpoints. Called with the mutex held.
func (c *checkpoints) replaceSome(which []checkpointFile, changed map[string]checkpoint.Offsets) error {
	var files []checkpoint.File
	for _, f := range which {
		files = append(files, checkpoint.File{Name: f.name, Data: f.points.FormatWith(changed[f.name])})
	}
	if err := checkpoint.ReplaceAll(c.fs, c.path, files...); err != nil {
		return err
	}
	for _, f := range which {
		maps.Copy(*f.points, changed[f.name])
	}
	return nil
}

// LowerRecoveryPoint makes sure that no recovery point above o is on disk (Ledger).
func (c *checkpoints) LowerRecoveryPoint(tp kafka.TopicPartition, o kafka.Offset) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moved(tp)
	if c.recovery[tp] <= o {
		return nil
	}
	return c.replace(recoveryPointFile, &c.recovery, checkpoint.Offsets{tp: o})
}

// forget drops a log.
func (c *checkpoints) forget(tp kafka.TopicPartition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moved(tp)
	for _, f := range c.files() {
		if _, known := (*f.points)[tp]; known {
			delete(*f.points, tp)
			c.forgotten = true
		}
	}
}

// SaveForgotten writes the checkpoints if logs were forgotten since (Ledger).
func (c *checkpoints) SaveForgotten() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.sealed:
		return fault.Shutdown("checkpoint")
	case !c.forgotten:
		return nil
	}
	if err := c.replaceSome(c.files(), nil); err != nil {
		return err
	}
	c.forgotten = false
	return nil
}
