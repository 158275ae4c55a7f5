package node

import (
	"errors"
	"slices"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/partition"
)

// tend starts what happens now and then: checkpoints, retention, and after an unclean stop the recovery of logs that
// nobody has asked for yet.
func (n *Node) tend() {
	n.every("replica.high.watermark.checkpoint.interval.ms", func() error { return n.checkpoint(false) })
	n.every("log.flush.offset.checkpoint.interval.ms", func() error { return n.checkpoint(true) })
	n.every("milena.recovery.point.interval.ms", func() error { return n.checkpoint(true) })
	n.every("log.retention.check.interval.ms", n.retain)
	n.storage.space.begin()
	n.every("log.cleaner.backoff.ms", n.replicas.cleaner.look)
	n.replicas.scrub.schedule()
	n.scheduleFlushes()
	n.repeat("files that are held", holdEvery, n.easeHolds)
	n.watchFlushes()
	n.recoverAll(slices.DeleteFunc(n.replicas.all(), func(p *partition.Partition) bool {
		v := n.storage.of(p)
		if v.offline() != nil {
			return true
		}
		clean, _ := v.dir.Clean()
		return clean
	}))
	n.storage.moving.resume()
	for _, v := range n.storage.serving() {
		if err := n.strays(v); err != nil {
			n.blame(v, err)
		}
	}
	n.replicas.settled()
	n.sayMissing()
}

// blame takes a directory offline for an IO call that failed in it; any other error ends the node.
func (n *Node) blame(v *volume, err error) {
	if fault.IsKind(err, fault.Disk) {
		n.lose(v, err)
		return
	}
	n.fail(err)
}

// retain rolls what is old enough and removes what retention gives up. A full disk keeps nobody else from it.
func (n *Node) retain() error {
	for _, p := range n.replicas.all() {
		err := p.Tend()
		switch {
		case err == nil || fault.IsKind(err, fault.Full):
		case fault.IsKind(err, fault.Disk):
			n.lose(n.storage.of(p), err)
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
		n.mu.Lock()
		over := n.stopping || n.failed != nil
		n.mu.Unlock()
		if over {
			return
		}
		if err := f(); err != nil && !fault.IsKind(err, fault.Closed) && !fault.IsKind(err, fault.Full) {
			n.fail(err)
			return
		}
		n.schedule(name, interval, f)
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopping {
		timer.Stop()
		return
	}
	n.replicas.chores[name] = timer
}

// checkpoint writes the high watermarks, or the recovery points, of the logs that are open.
func (n *Node) checkpoint(recovery bool) error {
	for _, v := range n.storage.serving() {
		save := v.dir.CheckpointHighWatermarks
		if recovery {
			save = v.dir.CheckpointRecoveryPoints
		}
		err := save(func() checkpoint.Offsets { return n.points(v, recovery) })
		switch {
		case err == nil || fault.IsKind(err, fault.Full) || v.offline() != nil:
		case fault.IsKind(err, fault.Disk):
			n.lose(v, err)
		default:
			return err
		}
	}
	return nil
}

// points collects what is to be checkpointed of the logs of a directory.
func (n *Node) points(v *volume, recovery bool) checkpoint.Offsets {
	out := checkpoint.Offsets{}
	for _, p := range n.replicas.all() {
		if n.storage.of(p) != v {
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
	for _, c := range n.storage.moving.copies(v) {
		if recovery && c.Durable > 0 {
			out[c.name] = c.Durable
		}
	}
	return out
}

// strays moves partition directories aside that no topic of the metadata owns; they are never deleted, as in Kafka.
func (n *Node) strays(v *volume) error {
	dirs, err := v.dir.Partitions()
	if err != nil {
		return err
	}
	for _, d := range dirs {
		if d.Kind != log.Current || d.Partition == metadataPartition {
			continue
		}
		id, known, err := v.dir.TopicID(d)
		if err != nil {
			return err
		}
		p, err := n.replicas.ByName(d.Partition) // where it does not say yet, or no more, its log takes it over, perhaps at this moment
		if known {
			p, err = n.replicas.ByID(kafka.TopicIDPartition{TopicID: id, Partition: d.Partition.Partition})
		}
		if err == nil && (n.storage.of(p) == v || n.storage.of(p) == n.storage.nowhere) {
			continue
		}
		n.log("kafka.log").Warn("A directory belongs to no topic of this cluster; it is set aside and never read.", "directory", v.path+"/"+d.Name)
		if err := v.dir.SetAside(d, kafka.UUID(n.o.World.UUID())); err != nil && !errors.Is(err, disk.ErrNotExist) { // deleted meanwhile
			return err
		}
	}
	return nil
}
