package partition

import (
	"testing"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
)

// TestTrafficCountsFailuresAsKafkaDoes: what sends a client to another leader or tells it of a limit is no failure of the
// broker (ReplicaManager, "known exceptions").
func TestTrafficCountsFailuresAsKafkaDoes(t *testing.T) {
	for code, failed := range map[kafka.ErrorCode][2]uint64{
		kafka.ErrNotLeaderOrFollower: {0, 0}, kafka.ErrUnknownTopicOrPartition: {0, 0}, kafka.ErrKafkaStorageError: {0, 0},
		kafka.ErrMessageTooLarge: {0, 1}, kafka.ErrCorruptMessage: {0, 1}, kafka.ErrOffsetOutOfRange: {1, 0},
		kafka.ErrFencedLeaderEpoch: {1, 0}, kafka.ErrInvalidRecord: {1, 1}, kafka.ErrNotEnoughReplicas: {1, 1},
	} {
		var c Traffic
		err := fault.New("test", code, "no")
		c.appended(&Appended{Err: err})
		(&Records{traffic: &c}).Answered(err)
		if got := [2]uint64{c.FailedProduces.Load(), c.FailedFetches.Load()}; got != failed || c.Produces.Load() != 1 || c.Fetches.Load() != 1 {
			t.Errorf("%v counts %v, want %v", code, got, failed)
		}
		if c.BytesIn.Load()+c.Records.Load()+c.BytesOut.Load() != 0 {
			t.Errorf("%v: what failed has carried something", code)
		}
	}
}

func TestTrafficOfABatchAndItsRetry(t *testing.T) {
	var c Traffic
	c.appended(&Appended{Appended: log.Appended{Base: 5, Last: 7, Bytes: 300}})
	c.appended(&Appended{Appended: log.Appended{Base: 5, Last: 7, Bytes: 300, Duplicate: true}})
	r := Records{traffic: &c}
	r.Slice.Len = 300
	r.Answered(nil)
	if c.Produces.Load() != 2 || c.Records.Load() != 3 || c.BytesIn.Load() != 300 || c.Fetches.Load() != 1 || c.BytesOut.Load() != 300 {
		t.Errorf("%d batches, %d records, %d bytes; %d fetches, %d bytes", c.Produces.Load(), c.Records.Load(), c.BytesIn.Load(), c.Fetches.Load(), c.BytesOut.Load())
	}
	(&Records{}).Answered(nil) // of no partition at all
}
