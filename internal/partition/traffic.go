package partition

import (
	"sync/atomic"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Traffic counts what clients and coordinators did with the partitions of one topic: Kafka's BrokerTopicMetrics.
type Traffic struct {
	Produces, FailedProduces, BytesIn, Records atomic.Uint64 // batches, batches, bytes of batches, records
	Fetches, FailedFetches, BytesOut           atomic.Uint64 // partitions of requests, and bytes of batches answered
	ReplicationIn, ReplicationOut              atomic.Uint64 // bytes of batches from leaders, and to followers
}

// appended counts one batch. As in Kafka a failure is one that tells of a broken client or broker: those by which clients
// find a leader or learn of a limit don't count.
func (t *Traffic) appended(a *Appended) {
	t.Produces.Add(1)
	if a.Err == nil {
		if !a.Duplicate {
			t.BytesIn.Add(uint64(a.Bytes))
			t.Records.Add(uint64(a.Last - a.Base + 1))
		}
		return
	}
	switch fault.CodeOf(a.Err) {
	case kafka.ErrUnknownTopicOrPartition, kafka.ErrNotLeaderOrFollower, kafka.ErrMessageTooLarge,
		kafka.ErrRecordListTooLarge, kafka.ErrCorruptMessage, kafka.ErrKafkaStorageError:
	default:
		t.FailedProduces.Add(1)
	}
}

// Answered counts what was read as sent to a client, together with the error that Read returned.
func (r *Records) Answered(err error) {
	t := r.traffic
	if t == nil {
		return // there was no partition to read
	}
	if r.replica {
		t.ReplicationOut.Add(uint64(r.Slice.Len))
		return
	}
	t.Fetches.Add(1)
	t.BytesOut.Add(uint64(r.Slice.Len))
	if err == nil {
		return
	}
	switch fault.CodeOf(err) {
	case kafka.ErrUnknownTopicOrPartition, kafka.ErrNotLeaderOrFollower, kafka.ErrUnknownLeaderEpoch,
		kafka.ErrFencedLeaderEpoch, kafka.ErrOffsetOutOfRange, kafka.ErrKafkaStorageError:
	default:
		t.FailedFetches.Add(1)
	}
}
