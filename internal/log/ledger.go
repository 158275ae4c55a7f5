package log

import (
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
)

// SaveLogStart makes a log start durable (Ledger).
func (d *Dir) SaveLogStart(tp kafka.TopicPartition, o kafka.Offset) error {
	return d.save(logStartFile, &d.logStart, checkpoint.Offsets{tp: o})
}

// LowerRecoveryPoint makes sure that no recovery point above o is on disk (Ledger).
func (d *Dir) LowerRecoveryPoint(tp kafka.TopicPartition, o kafka.Offset) error {
	d.mu.Lock()
	d.gathering.moved(tp)
	lower := d.recovery[tp] <= o
	d.mu.Unlock()
	if lower {
		return nil
	}
	return d.SaveRecoveryPoints(checkpoint.Offsets{tp: o})
}

// Opened notes that a log has been recovered (Ledger).
func (d *Dir) Opened(tp kafka.TopicPartition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened[tp] = opening{asked: true, done: true}
}

// Forget drops a deleted log from the checkpoints (Ledger).
func (d *Dir) Forget(tp kafka.TopicPartition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gathering.moved(tp)
	for _, points := range []checkpoint.Offsets{d.recovery, d.high, d.logStart} {
		if _, known := points[tp]; known {
			delete(points, tp)
			d.forgotten = true
		}
	}
	d.opened[tp] = opening{asked: true, done: true}
}

// SaveForgotten writes the checkpoints if logs were forgotten since (Ledger).
func (d *Dir) SaveForgotten() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.forgotten {
		return nil
	}
	for _, c := range []struct {
		name   string
		points checkpoint.Offsets
	}{{recoveryPointFile, d.recovery}, {highWatermarkFile, d.high}, {logStartFile, d.logStart}} {
		if err := checkpoint.Replace(d.fs, d.path, c.name, c.points.Format()); err != nil {
			return err
		}
	}
	d.forgotten = false
	return nil
}
