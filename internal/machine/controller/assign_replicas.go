package controller

import (
	"slices"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// assignReplicas takes a broker's word on where its replicas are (KIP-858).
func assignReplicas(d *decision, c AssignReplicas) (any, error) {
	b, err := registered(d, c.Broker, c.Epoch)
	if err != nil {
		return nil, err
	}
	configs := topicConfigs{d: d}
	seen := map[kafka.TopicIDPartition]bool{}
	out := make([]AssignedReplica, len(c.Replicas))
	for i, h := range c.Replicas {
		out[i].ReplicaHome = h
		if seen[h.ID] {
			out[i].Problem = Problem{kafka.ErrInvalidRequest, "Each partition must appear at most once."}
			continue
		}
		seen[h.ID] = true
		out[i].Problem = problem(assignReplica(d, &configs, b, h))
	}
	return out, nil
}

func assignReplica(d *decision, configs *topicConfigs, b *image.Broker, h ReplicaHome) error {
	t := d.img.Topic(h.ID.TopicID)
	if t == nil {
		return fault.New(op, kafka.ErrUnknownTopicId, "This server does not host this topic ID.")
	}
	p, ok := t.Partition(h.ID.Partition)
	switch {
	case !ok:
		return fault.New(op, kafka.ErrUnknownTopicOrPartition, "This server does not host this topic-partition.")
	case !slices.Contains(p.Replicas(), b.ID):
		return fault.New(op, kafka.ErrNotLeaderOrFollower, "Broker %d has no replica of %s-%d.", b.ID, t.Name, h.ID.Partition)
	case p.Directory(b.ID) == h.Directory:
		return nil
	}
	works, others := b.HasDirectory(h.Directory), d.leaders().of(p)
	c := newChange(t.ID, h.ID.Partition, p, configs.rules(t.Name), func(id kafka.NodeID) bool {
		if id == b.ID {
			return works && b.Active()
		}
		return others(id)
	})
	c.directory = moved(p, b.ID, h.Directory)
	if !works {
		c.isr = without(p.ISR(), b.ID)
	}
	if !sole(p) && !b.HasDirectory(p.Directory(b.ID)) {
		// It was in a directory that the broker came back without, so it was made anew, or brought back by somebody.
		c.lost = b.ID
	}
	d.change(c)
	return nil
}

// moved tells where the replicas of a partition are once one of them is in another directory.
func moved(p *image.Partition, broker kafka.NodeID, to kafka.DirectoryID) func(kafka.NodeID) kafka.DirectoryID {
	return func(id kafka.NodeID) kafka.DirectoryID {
		if id == broker {
			return to
		}
		return p.Directory(id)
	}
}

// giveUpUnplaced takes a broker's replicas offline of which it has not said where it keeps them, when it comes back without
// all of its log directories: they may be in what is missing, and must not be made anew elsewhere. Those whose files it
// does have it tells of again. Where one directory is missing they count as in that, and come back with it; which one of
// several nobody knows. Apache Kafka's broker makes such replicas anew unless it has seen the directory fail.
func giveUpUnplaced(d *decision, was *image.Broker, now []kafka.DirectoryID) {
	missing := without(was.LogDirs, now...)
	if len(missing) == 0 {
		return
	}
	where := kafka.DirectoryLost
	if len(missing) == 1 {
		where = missing[0]
	}
	for t := range d.img.Topics() {
		for id, p := range t.Partitions() {
			dir := p.Directory(was.ID)
			if !slices.Contains(p.Replicas(), was.ID) || dir != kafka.DirectoryUnassigned && dir != kafka.DirectoryMigrating {
				continue
			}
			r := staterecord.NewPartitionChange(t.ID, id)
			at := moved(p, was.ID, where)
			for _, replica := range p.Replicas() {
				r.Directories = append(r.Directories, at(replica))
			}
			d.add(r)
		}
	}
}
