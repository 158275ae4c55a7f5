package node

import (
	"errors"

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
	n.every("log.retention.check.interval.ms", n.retain)
	n.scheduleFlushes()
	if clean, _ := n.storage.dir.Clean(); !clean {
		n.recoverNext(n.replicas.all())
	}
	n.strays()
}

// retain rolls what is old enough and removes what retention gives up. A full disk keeps nobody else from it.
func (n *Node) retain() error {
	for _, p := range n.replicas.all() {
		if err := p.Tend(); err != nil && !fault.IsKind(err, fault.Full) {
			return err
		}
	}
	return nil
}

// every runs f again and again, the key's interval after it was done.
func (n *Node) every(key string, f func() error) {
	timer := n.o.World.After(n.o.Values.Millis(key), func() {
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
		n.every(key, f)
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopping {
		timer.Stop()
		return
	}
	n.replicas.chores[key] = timer
}

// checkpoint writes the high watermarks, or the recovery points, of the logs that are open.
func (n *Node) checkpoint(recovery bool) error {
	collect := func() checkpoint.Offsets {
		points := checkpoint.Offsets{}
		for _, p := range n.replicas.all() {
			s := p.Standing()
			switch {
			case !s.Open:
			case recovery:
				points[p.Name()] = s.Durable
			default:
				points[p.Name()] = s.High
			}
		}
		return points
	}
	if recovery {
		return n.storage.dir.CheckpointRecoveryPoints(collect)
	}
	return n.storage.dir.CheckpointHighWatermarks(collect)
}

// recoverNext opens one log after the other.
func (n *Node) recoverNext(left []*partition.Partition) {
	if len(left) == 0 {
		n.replicas.news.recovered()
		return
	}
	n.o.World.Go(func() {
		if err := left[0].Open(); err != nil && !fault.IsKind(err, fault.Closed) {
			n.log("kafka.log").Error("A log could not be recovered; its partition answers with an error. See milena log verify.", "partition", left[0].Name().String(), "error", err)
		}
		n.recoverNext(left[1:])
	})
}

// strays moves directories aside that no topic of the metadata owns; they are never deleted, as in Kafka.
func (n *Node) strays() {
	dirs, err := n.storage.dir.Partitions()
	if err != nil {
		n.fail(err)
		return
	}
	for _, d := range dirs {
		if d.Kind != log.Current || d.Partition == metadataPartition {
			continue
		}
		id, known, err := n.storage.dir.TopicID(d)
		if err != nil {
			n.fail(err)
			return
		}
		if _, err := n.replicas.ByID(kafka.TopicIDPartition{TopicID: id, Partition: d.Partition.Partition}); known && err == nil {
			continue
		}
		if _, err := n.replicas.ByName(d.Partition); !known && err == nil {
			continue // it does not say yet, or no more: its log takes it over, perhaps at this moment
		}
		n.log("kafka.log").Warn("A directory belongs to no topic of this cluster; it is set aside and never read.", "directory", d.Name)
		if err := n.storage.dir.SetAside(d, kafka.UUID(n.o.World.UUID())); err != nil && !errors.Is(err, disk.ErrNotExist) { // deleted meanwhile
			n.fail(err)
			return
		}
	}
}
