package node

import (
	"slices"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/storage"
)

// tend starts what happens now and then: checkpoints, retention, and after an unclean stop the recovery of logs that
// nobody has asked for yet.
func (n *Node) tend() {
	n.every("replica.high.watermark.checkpoint.interval.ms", func() error { return n.checkpoint(false) })
	n.every("log.flush.offset.checkpoint.interval.ms", func() error { return n.checkpoint(true) })
	n.every("milena.recovery.point.interval.ms", func() error { return n.checkpoint(true) })
	n.every("log.retention.check.interval.ms", n.retain)
	n.storage.Space.Begin(n.retain)
	n.every("log.cleaner.backoff.ms", n.replicas.cleaner.look)
	n.replicas.scrub.schedule()
	n.scheduleFlushes()
	n.repeat("files that are held", holdEvery, n.easeHolds)
	n.watchFlushes()
	n.recoverAll(slices.DeleteFunc(n.replicas.All(), func(p *partition.Partition) bool {
		v := n.storage.Of(p)
		if v.Offline() != nil {
			return true
		}
		clean, _ := v.Dir.Clean()
		return clean
	}))
	n.storage.Settle()
}

// retain rolls what is old enough and removes what retention gives up. A full disk keeps nobody else from it.
func (n *Node) retain() error {
	for _, p := range n.replicas.All() {
		err := p.Tend()
		switch {
		case err == nil || fault.IsKind(err, fault.Full):
		case fault.IsKind(err, fault.Disk):
			n.storage.Lose(n.storage.Of(p), err)
		default:
			return err
		}
	}
	return nil
}

// every runs f again and again, the key's interval after it was done.
func (n *Node) every(key string, f func() error) { n.repeat(key, n.o.Values.Millis(key), f) }

// repeat runs f again and again, an interval after it was done. Nothing else has its name.
func (n *Node) repeat(name string, interval time.Duration, f func() error) {
	n.schedule(name, interval, n.postponed(name, f))
}

// postponed is a chore that waits for its next turn when it found too many files open, and says so once.
func (n *Node) postponed(name string, f func() error) func() error {
	late := false
	return func() error {
		err := f()
		if !fault.OutOfFiles(err) {
			late = late && err != nil
			return err
		}
		if !late {
			n.log("kafka.log").Warn("A chore is put off until files can be opened again.", "chore", name, "error", err)
		}
		late = true
		return nil
	}
}

func (n *Node) schedule(name string, interval time.Duration, f func() error) {
	timer := n.o.World.After(interval, func() {
		if n.life.Over() {
			return
		}
		if err := f(); err != nil && !fault.IsKind(err, fault.Closed) && !fault.IsKind(err, fault.Full) {
			n.life.Fail(err)
			return
		}
		n.schedule(name, interval, f)
	})
	n.life.mu.Lock()
	defer n.life.mu.Unlock()
	if n.life.stopping {
		timer.Stop()
		return
	}
	n.replicas.chores[name] = timer
}

// checkpoint writes the high watermarks, or the recovery points, of the logs that are open.
func (n *Node) checkpoint(recovery bool) error {
	for _, v := range n.storage.Serving() {
		save := v.Dir.CheckpointHighWatermarks
		if recovery {
			save = v.Dir.CheckpointRecoveryPoints
		}
		err := save(func() checkpoint.Offsets { return n.points(v, recovery) })
		switch {
		case err == nil || fault.IsKind(err, fault.Full) || v.Offline() != nil:
		case fault.IsKind(err, fault.Disk):
			n.storage.Lose(v, err)
		default:
			return err
		}
	}
	return nil
}

// points collects what is to be checkpointed of the logs of a directory.
func (n *Node) points(v *storage.Volume, recovery bool) checkpoint.Offsets {
	out := checkpoint.Offsets{}
	for _, p := range n.replicas.All() {
		if n.storage.Of(p) != v {
			continue
		}
		s := p.Standing()
		switch {
		case !s.Open:
		case recovery:
			out[p.Name()] = s.Durable
		default:
			out[p.Name()] = s.High
		}
	}
	for _, c := range n.storage.Copies(v) {
		if recovery && c.Durable > 0 {
			out[c.Name] = c.Durable
		}
	}
	return out
}
