package inspect

import (
	"fmt"

	"github.com/milena-io/milena/internal/kafka"
)

// Producer is one producer of a snapshot.
type Producer struct {
	Kind             string              `json:"kind"` // "producer"
	File             string              `json:"file"`
	ID               kafka.ProducerID    `json:"producer_id"`
	Epoch            kafka.ProducerEpoch `json:"producer_epoch"`
	CoordinatorEpoch int32               `json:"coordinator_epoch"`
	TxnFirst         *int64              `json:"txn_first_offset"`
	LastTimestamp    int64               `json:"last_timestamp_ms"`
	Batches          []ProducerBatch     `json:"batches"` // oldest first; Kafka's snapshot has one, our history up to five
}

// ProducerBatch is a batch that a snapshot remembers.
type ProducerBatch struct {
	FirstSequence int32        `json:"first_sequence"`
	LastSequence  int32        `json:"last_sequence"`
	LastOffset    kafka.Offset `json:"last_offset"`
	OffsetDelta   int32        `json:"offset_delta"`
	Timestamp     int64        `json:"timestamp_ms"`
}

// Text is the line for people.
func (p Producer) Text() string {
	s := fmt.Sprintf("producerId: %d producerEpoch: %d coordinatorEpoch: %d currentTxnFirstOffset: %s lastTimestamp: %d",
		p.ID, p.Epoch, p.CoordinatorEpoch, optional(p.TxnFirst), p.LastTimestamp)
	for i, b := range p.Batches {
		if i > 0 {
			s += "\n |"
		}
		s += fmt.Sprintf(" firstSequence: %d lastSequence: %d lastOffset: %d offsetDelta: %d timestamp: %d",
			b.FirstSequence, b.LastSequence, b.LastOffset, b.OffsetDelta, b.Timestamp)
	}
	return s
}

// Epoch is one line of a leader-epoch checkpoint.
type Epoch struct {
	Kind  string            `json:"kind"` // "epoch"
	File  string            `json:"file"`
	Epoch kafka.LeaderEpoch `json:"epoch"`
	Start kafka.Offset      `json:"start_offset"`
}

// Text is the line for people.
func (e Epoch) Text() string { return fmt.Sprintf("epoch: %d startOffset: %d", e.Epoch, e.Start) }

// Point is one line of an offset checkpoint of a log directory.
type Point struct {
	Kind      string       `json:"kind"` // "checkpoint"
	File      string       `json:"file"`
	Topic     string       `json:"topic"`
	Partition int32        `json:"partition"`
	Offset    kafka.Offset `json:"offset"`
}

// Text is the line for people.
func (p Point) Text() string {
	return fmt.Sprintf("topic: %s partition: %d offset: %d", p.Topic, p.Partition, p.Offset)
}

// Property is one fact of a small file of properties, JSON or text.
type Property struct {
	Kind  string `json:"kind"` // "property"
	File  string `json:"file"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Text is the line for people.
func (p Property) Text() string { return p.Name + ": " + p.Value }

// Finding is a problem met while dumping.
type Finding struct {
	Kind string `json:"kind"` // "problem"
	Problem
}

// Text is the line for people.
func (f Finding) Text() string { return "PROBLEM " + f.Problem.Text() }
