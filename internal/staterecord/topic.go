package staterecord

import "github.com/milena-io/milena/internal/kafka"

// Topic creates a topic; its partitions follow.
type Topic struct {
	Name    string
	TopicID kafka.TopicID
}

// Type returns the record's id on disk.
func (r *Topic) Type() Type { return TypeTopic }

func (r *Topic) walk(c *codec) {
	c.string(&r.Name)
	uuidOf(c, &r.TopicID)
	c.tags()
}

// RemoveTopic deletes a topic with its partitions and configs.
type RemoveTopic struct{ TopicID kafka.TopicID }

// Type returns the record's id on disk.
func (r *RemoveTopic) Type() Type { return TypeRemoveTopic }

func (r *RemoveTopic) walk(c *codec) {
	uuidOf(c, &r.TopicID)
	c.tags()
}

// LeaderRecovery says whether a leader still recovers from an unclean election (KIP-704).
type LeaderRecovery int8

// The recovery states; RecoveryUnchanged stands only in a PartitionChange.
const (
	RecoveryUnchanged LeaderRecovery = -1
	Recovered         LeaderRecovery = 0
	Recovering        LeaderRecovery = 1
)

// Settling says whether a partition is held to the rules of the page cache although its topic is durable again: what was committed from
// page caches need not be durable yet (ADR 0036). It is in a tagged field of our own, which Apache Kafka skips.
type Settling int8

// What a PartitionChange may say; a Partition says Settles or nothing.
const (
	SettlingUnchanged Settling = 0
	Settles           Settling = 1
	Settled           Settling = 2
)

// tagSettling is that field of Partition and PartitionChange, an int8; far above any that Kafka uses.
const tagSettling = 10220

// Partition creates one partition, or restates it in a snapshot.
type Partition struct {
	PartitionID    int32
	TopicID        kafka.TopicID
	Replicas       []kafka.NodeID // in order of preference
	ISR            []kafka.NodeID
	Removing       []kafka.NodeID
	Adding         []kafka.NodeID
	Leader         kafka.NodeID
	LeaderRecovery LeaderRecovery
	LeaderEpoch    kafka.LeaderEpoch
	PartitionEpoch kafka.PartitionEpoch
	Directories    []kafka.DirectoryID // in the order of Replicas
	ELR            []kafka.NodeID      // eligible leader replicas (KIP-966)
	LastKnownELR   []kafka.NodeID
	Settling       Settling // Settles, or SettlingUnchanged
}

// Type returns the record's id on disk.
func (r *Partition) Type() Type { return TypePartition }

func (r *Partition) walk(c *codec) {
	int32Of(c, &r.PartitionID)
	uuidOf(c, &r.TopicID)
	int32sOf(c, &r.Replicas)
	int32sOf(c, &r.ISR)
	int32sOf(c, &r.Removing)
	int32sOf(c, &r.Adding)
	int32Of(c, &r.Leader)
	int32Of(c, &r.LeaderEpoch)
	int32Of(c, &r.PartitionEpoch)
	if c.version >= 1 {
		uuidsOf(c, &r.Directories)
	}
	c.tags(
		tag{0, 0, r.LeaderRecovery != 0, func(c *codec) { int8Of(c, &r.LeaderRecovery) }},
		tag{1, 2, r.ELR != nil, func(c *codec) { int32sOrNull(c, &r.ELR) }},
		tag{2, 2, r.LastKnownELR != nil, func(c *codec) { int32sOrNull(c, &r.LastKnownELR) }},
		tag{tagSettling, 0, r.Settling != 0, func(c *codec) { int8Of(c, &r.Settling) }},
	)
}

// LeaderUnchanged in a PartitionChange leaves leader and leader epoch alone. Any other value, also the present
// leader's, raises the leader epoch.
const LeaderUnchanged kafka.NodeID = -2

// PartitionChange changes a partition and raises its partition epoch. A nil slice means unchanged; an empty one means
// emptied. Make one with NewPartitionChange, because the zero value names broker 0 as new leader.
type PartitionChange struct {
	PartitionID    int32
	TopicID        kafka.TopicID
	ISR            []kafka.NodeID
	Leader         kafka.NodeID
	Replicas       []kafka.NodeID
	Removing       []kafka.NodeID
	Adding         []kafka.NodeID
	LeaderRecovery LeaderRecovery
	ELR            []kafka.NodeID
	LastKnownELR   []kafka.NodeID
	Directories    []kafka.DirectoryID
	Settling       Settling
}

// NewPartitionChange returns a change that changes nothing yet.
func NewPartitionChange(topic kafka.TopicID, partition int32) *PartitionChange {
	return &PartitionChange{
		PartitionID: partition, TopicID: topic, Leader: LeaderUnchanged, LeaderRecovery: RecoveryUnchanged,
	}
}

// Type returns the record's id on disk.
func (r *PartitionChange) Type() Type { return TypePartitionChange }

func (r *PartitionChange) walk(c *codec) {
	if c.decoding {
		r.Leader, r.LeaderRecovery = LeaderUnchanged, RecoveryUnchanged
	}
	int32Of(c, &r.PartitionID)
	uuidOf(c, &r.TopicID)
	c.tags(
		tag{0, 0, r.ISR != nil, func(c *codec) { int32sOrNull(c, &r.ISR) }},
		tag{1, 0, r.Leader != LeaderUnchanged, func(c *codec) { int32Of(c, &r.Leader) }},
		tag{2, 0, r.Replicas != nil, func(c *codec) { int32sOrNull(c, &r.Replicas) }},
		tag{3, 0, r.Removing != nil, func(c *codec) { int32sOrNull(c, &r.Removing) }},
		tag{4, 0, r.Adding != nil, func(c *codec) { int32sOrNull(c, &r.Adding) }},
		tag{5, 0, r.LeaderRecovery != RecoveryUnchanged, func(c *codec) { int8Of(c, &r.LeaderRecovery) }},
		tag{6, 2, r.ELR != nil, func(c *codec) { int32sOrNull(c, &r.ELR) }},
		tag{7, 2, r.LastKnownELR != nil, func(c *codec) { int32sOrNull(c, &r.LastKnownELR) }},
		tag{8, 1, r.Directories != nil, func(c *codec) { uuidsOrNull(c, &r.Directories) }},
		tag{tagSettling, 0, r.Settling != 0, func(c *codec) { int8Of(c, &r.Settling) }},
	)
}

// IsEmpty reports whether the change changes nothing, so that it need not be written.
func (r *PartitionChange) IsEmpty() bool {
	return r.ISR == nil && r.Leader == LeaderUnchanged && r.Replicas == nil && r.Removing == nil && r.Adding == nil &&
		r.LeaderRecovery == RecoveryUnchanged && r.ELR == nil && r.LastKnownELR == nil && r.Directories == nil && r.Settling == SettlingUnchanged
}

// ClearElr empties the eligible leader replicas of one topic, or of all when the name is empty.
type ClearElr struct{ TopicName string }

// Type returns the record's id on disk.
func (r *ClearElr) Type() Type { return TypeClearElr }

func (r *ClearElr) walk(c *codec) {
	c.string(&r.TopicName)
	c.tags()
}
