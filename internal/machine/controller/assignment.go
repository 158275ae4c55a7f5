package controller

import (
	"slices"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/placement"
	"github.com/milena-io/milena/internal/staterecord"
)

// usable lists the brokers that new replicas may be placed on: not those that shut down, nor those whose every log
// directory is cordoned (KIP-1066).
func usable(img *image.Image) []placement.Broker {
	var out []placement.Broker
	for b := range img.Brokers() {
		if b.ShuttingDown && !b.Fenced || cordoned(b) {
			continue
		}
		p := placement.Broker{ID: b.ID, Fenced: b.Fenced}
		if b.Rack != nil {
			p.Rack = *b.Rack
		}
		out = append(out, p)
	}
	return out
}

func cordoned(b *image.Broker) bool {
	return len(b.LogDirs) > 0 && b.CordonedLogDirs != nil && len(without(b.LogDirs, b.CordonedLogDirs...)) == 0
}

// place finds replicas for new partitions.
func place(d *decision, partitions, replicas int) ([][]kafka.NodeID, error) {
	// What is decided earlier in the same command has moved the place in the log on.
	random := placement.NewRandom(d.o.Seed, uint64(d.next)+uint64(len(d.records)))
	return placement.Place(usable(d.img), partitions, replicas, random)
}

// checkAssigned holds the replicas of one partition given by hand against the brokers there are; replicas is how many
// the partitions before it have, -1 for the first.
func checkAssigned(img *image.Image, assigned []kafka.NodeID, replicas int) error {
	refused := func(format string, args ...any) error {
		return fault.New(op, kafka.ErrInvalidReplicaAssignment, "The manual partition assignment "+format, args...)
	}
	if len(assigned) == 0 {
		return refused("includes an empty replica list.")
	}
	sorted := slices.Sorted(slices.Values(assigned))
	for i, id := range sorted {
		if img.Broker(id) == nil {
			return refused("includes broker %d, but no such broker is registered.", id)
		}
		if i > 0 && sorted[i-1] == id {
			return refused("includes the broker %d more than once.", id)
		}
	}
	if replicas >= 0 && len(assigned) != replicas {
		return refused("includes a partition with %d replica(s), but this is not consistent with previous partitions, which "+
			"have %d replica(s).", len(assigned), replicas)
	}
	return nil
}

// active returns those of the replicas that may be in the first ISR.
func active(img *image.Image, replicas []kafka.NodeID) []kafka.NodeID {
	isr := make([]kafka.NodeID, 0, len(replicas))
	for _, id := range replicas {
		if b := img.Broker(id); b != nil && b.Active() {
			isr = append(isr, id)
		}
	}
	return isr
}

// newPartition returns the record of a partition that begins with an ISR.
func newPartition(img *image.Image, topic kafka.TopicID, id int32, replicas, isr []kafka.NodeID) *staterecord.Partition {
	r := &staterecord.Partition{
		PartitionID: id, TopicID: topic, Replicas: replicas, ISR: isr, Leader: isr[0], LeaderRecovery: staterecord.Recovered,
		Directories: make([]kafka.DirectoryID, len(replicas)),
	}
	for i, n := range replicas {
		r.Directories[i] = directoryOn(img.Broker(n))
	}
	return r
}

// directoryOn says where a new replica goes on a broker: into its only log directory, and among several the broker
// chooses.
func directoryOn(b *image.Broker) kafka.DirectoryID {
	switch {
	case b == nil:
		return kafka.DirectoryUnassigned
	case len(b.LogDirs) == 0:
		return kafka.DirectoryMigrating
	case len(b.LogDirs) == 1:
		return b.LogDirs[0]
	}
	return kafka.DirectoryUnassigned
}
