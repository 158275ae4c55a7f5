package image

import (
	"cmp"
	"iter"

	"github.com/milena-io/milena/internal/image/cow"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// Topic is one topic with its partitions.
type Topic struct {
	ID    kafka.TopicID
	Name  string
	parts cow.Map[int32, Partition]
}

// Len returns the number of partitions.
func (t *Topic) Len() int { return t.parts.Len() }

// Partition finds a partition; false when there is none. What it points to is never changed.
func (t *Topic) Partition(id int32) (*Partition, bool) {
	p := t.parts.Find(id)
	return p, p != nil
}

// Partitions walks the partitions by number.
func (t *Topic) Partitions() iter.Seq2[int32, *Partition] { return t.parts.Refs() }

// IsInternal reports whether Kafka itself owns the topic.
func (t *Topic) IsInternal() bool { return kafka.IsInternalTopic(t.Name) }

func newTopic(id kafka.TopicID, name string) *Topic {
	return &Topic{ID: id, Name: name, parts: cow.New[int32, Partition](cmp.Compare[int32])}
}

// Partition is the registration of one partition. Its lists lie one after another in one array, which partitions with
// the same lists share: a million partitions are mostly a few dozen different assignments.
type Partition struct {
	Leader         kafka.NodeID
	LeaderEpoch    kafka.LeaderEpoch
	PartitionEpoch kafka.PartitionEpoch
	Recovery       staterecord.LeaderRecovery
	Settling       bool // the rules of the page cache hold still, though its topic is durable again (ADR 0036)
	ends           [lists]uint16
	nodes          []kafka.NodeID
	directories    []kafka.DirectoryID
}

// The lists of a partition, in the order in which they lie.
const (
	listReplicas = iota
	listISR
	listRemoving
	listAdding
	listELR
	listLastKnownELR
	lists
)

// MaxReplicas is the most replicas a partition can have here; it keeps the six lists within 16 bits.
const MaxReplicas = 10_000

func (p *Partition) list(i int) []kafka.NodeID {
	from := uint16(0)
	if i > 0 {
		from = p.ends[i-1]
	}
	return p.nodes[from:p.ends[i]:p.ends[i]]
}

// Replicas returns the assigned brokers in order of preference. Nobody may change what this and the other lists return.
func (p *Partition) Replicas() []kafka.NodeID { return p.list(listReplicas) }

// ISR returns the in-sync replicas.
func (p *Partition) ISR() []kafka.NodeID { return p.list(listISR) }

// Removing returns the replicas that a reassignment takes away.
func (p *Partition) Removing() []kafka.NodeID { return p.list(listRemoving) }

// Adding returns the replicas that a reassignment adds.
func (p *Partition) Adding() []kafka.NodeID { return p.list(listAdding) }

// ELR returns the eligible leader replicas (KIP-966).
func (p *Partition) ELR() []kafka.NodeID { return p.list(listELR) }

// LastKnownELR returns the last known leader of a partition that has no ISR and no ELR.
func (p *Partition) LastKnownELR() []kafka.NodeID { return p.list(listLastKnownELR) }

// Directories returns the log directory of each replica, in the order of Replicas (KIP-858).
func (p *Partition) Directories() []kafka.DirectoryID { return p.directories }

// Directory returns the log directory of one replica; unassigned when the broker is no replica.
func (p *Partition) Directory(broker kafka.NodeID) kafka.DirectoryID {
	for i, r := range p.Replicas() {
		if r == broker {
			return p.directories[i]
		}
	}
	return kafka.DirectoryUnassigned
}

// Preferred returns the first replica.
func (p *Partition) Preferred() kafka.NodeID { return p.Replicas()[0] }

// Reassigning reports whether a reassignment is under way.
func (p *Partition) Reassigning() bool { return len(p.Removing()) > 0 || len(p.Adding()) > 0 }

// Record restates the partition as the record that creates it.
func (p *Partition) Record(topic kafka.TopicID, id int32) *staterecord.Partition {
	r := &staterecord.Partition{
		PartitionID: id, TopicID: topic, Replicas: p.Replicas(), ISR: p.ISR(), Removing: p.Removing(),
		Adding: p.Adding(), Leader: p.Leader, LeaderRecovery: p.Recovery, LeaderEpoch: p.LeaderEpoch,
		PartitionEpoch: p.PartitionEpoch, Directories: p.directories,
	}
	// Kafka leaves the two out when they are empty.
	if l := p.ELR(); len(l) > 0 {
		r.ELR = l
	}
	if l := p.LastKnownELR(); len(l) > 0 {
		r.LastKnownELR = l
	}
	if p.Settling {
		r.Settling = staterecord.Settles
	}
	return r
}
