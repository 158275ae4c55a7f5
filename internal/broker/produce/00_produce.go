// Package produce serves Produce: the way of records in.
//
// listen calls its handler through node's table. Record bytes are never copied or kept: they alias the request's frame
// until the answer is given, and partition.Append is done with them before it calls back. It decides nothing about
// offsets or durability; the partition does.
package produce

import (
	"errors"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// Partitions finds this node's replicas.
type Partitions interface {
	// ByName fails with UNKNOWN_TOPIC_OR_PARTITION or NOT_LEADER_OR_FOLLOWER.
	ByName(kafka.TopicPartition) (*partition.Partition, error)
	// ByID fails with UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION or NOT_LEADER_OR_FOLLOWER.
	ByID(kafka.TopicIDPartition) (*partition.Partition, error)
	// Leader is the hint of KIP-951 for a client of a listener, by name or, when the name is empty, by id; nil when
	// nobody leads.
	Leader(listener, topic string, id kafka.TopicID, partition int32) *wire.LeaderHint
}

// Produces is the area.
type Produces struct {
	world      world.World
	deadlines  *world.Deadlines
	partitions Partitions
	names      names
	spare      sync.Pool // *inflight
}

// New connects the area.
func New(w world.World, d *world.Deadlines, p Partitions) *Produces {
	return &Produces{world: w, deadlines: d, partitions: p}
}

// Produce serves Produce v3-13 (0-2 are advertised for old clients' sake but refused, KAFKA-18659): acks 0, 1 and all,
// topic ids from v13 (KIP-516), record errors from v8 (KIP-467), leader hints from v10 (KIP-951). Batches are appended
// in the order of the request before Produce returns, so requests of one connection keep their order; only the waiting
// for acks=all overlaps. With acks=0 nothing is answered, and an error closes the connection, which is all the client
// will see of it.
func (p *Produces) Produce(req *wire.Request) {
	in := req.Produce // a copy: Reply takes the request's away
	w := p.begin(req, &in)
	if in.Partitions == 0 {
		w.reply()
		w.release(1)
		return
	}
	unnamed := in.TransactionalID == nil && transactional(&in)
	i := 0
	for part := range in.All {
		if unnamed {
			w.outcome(i, partition.Refused(fault.New("produce", kafka.ErrTransactionalIdAuthorizationFailed, "")))
		} else {
			w.append(i, part.Records)
		}
		i++
	}
	w.await(time.Duration(in.TimeoutMs) * time.Millisecond)
	w.release(1)
}

// transactional reports whether any batch belongs to a transaction. Without a transactional id in the request nobody may
// write one, and Kafka refuses the request as a whole.
func transactional(in *wire.ProduceRequest) bool {
	for part := range in.All {
		if b := record.Batch(part.Records); len(b) >= record.HeaderSize && b.Magic() == record.Magic && b.IsTransactional() {
			return true
		}
	}
	return false
}

// adminClientID may write to internal topics; it is what Kafka's own tools call themselves.
const adminClientID = "__admin_client"

func (w *inflight) check(i int, records []byte) (*partition.Partition, record.Batch, error) {
	a := &w.answer.Partitions[i]
	if w.acks < -1 || w.acks > 1 {
		return nil, nil, fault.New("produce", kafka.ErrInvalidRequiredAcks, "acks must be -1, 0 or 1, not %d", w.acks)
	}
	var found *partition.Partition
	var err error
	if w.req.Version >= 13 {
		found, err = w.area.partitions.ByID(kafka.TopicIDPartition{TopicID: a.TopicID, Partition: a.Partition})
	} else {
		found, err = w.area.partitions.ByName(kafka.TopicPartition{Topic: a.Topic, Partition: a.Partition})
	}
	if err != nil {
		return nil, nil, err
	}
	if kafka.IsInternalTopic(found.Name().Topic) && w.req.ClientID != adminClientID {
		return nil, nil, fault.New("produce", kafka.ErrInvalidTopicException, "Cannot append to internal topic %s", found.Name().Topic)
	}
	b, err := oneBatch(records)
	if err == nil && b.IsTransactional() && b.ProducerID() == kafka.NoProducerID {
		err = fault.New("produce", kafka.ErrInvalidTxnState, "A batch of a transaction has to have a producer id")
	}
	if err == nil && b.Codec() == record.Zstd && w.req.Version < 7 {
		err = fault.New("produce", kafka.ErrUnsupportedCompressionType,
			"Produce requests with version %d are not allowed to use ZStandard compression", w.req.Version)
	}
	return found, b, err
}

// oneBatch takes a partition's records apart: exactly one batch, all of it (Kafka's rule since Produce v3).
func oneBatch(records []byte) (record.Batch, error) {
	if len(records) >= 8 && records[0]&0x80 != 0 {
		return nil, fault.New("produce", kafka.ErrInvalidRecord, "The base offset of a record batch must be 0, this one is below")
	}
	if len(records) == 0 {
		return nil, fault.New("produce", kafka.ErrInvalidRecord, "Produce requests must have exactly one record batch per partition, this one has none")
	}
	b, rest, err := record.Next(records)
	switch {
	case errors.Is(err, record.ErrShort):
		return nil, fault.New("produce", kafka.ErrInvalidRecord, "Produce requests must have exactly one record batch per partition, this one ends before its batch does")
	case err != nil && b != nil && b.CheckCRC() == nil: // its client wrote it so, and a retry will not help
		return nil, fault.New("produce", kafka.ErrInvalidRecord, "The header of the record batch contradicts itself: %v", err)
	case err != nil:
		return nil, err
	}
	if len(rest) > 0 {
		return nil, fault.New("produce", kafka.ErrInvalidRecord, "Produce requests must have exactly one record batch per partition, %d bytes follow the first", len(rest))
	}
	return b, nil
}
