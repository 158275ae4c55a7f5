package node_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

func (c *three) coordinator(at int32, group string) int32 {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.Version, req.CoordinatorKey = 2, group
	out := ask[*kmsg.FindCoordinatorResponse](c, at, req)
	if out.ErrorCode != 0 {
		return -1
	}
	return out.NodeID
}

func (c *three) commit(at int32, group string, offset int64) kafka.ErrorCode {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Generation = 7, group, -1
	t, p := kmsg.NewOffsetCommitRequestTopic(), kmsg.NewOffsetCommitRequestTopicPartition()
	t.Topic, p.Offset, p.LeaderEpoch = "t", offset, -1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return kafka.ErrorCode(ask[*kmsg.OffsetCommitResponse](c, at, req).Topics[0].Partitions[0].ErrorCode)
}

func (c *three) committed(at int32, group string) (kafka.ErrorCode, int64) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version, req.Group = 7, group
	t := kmsg.NewOffsetFetchRequestTopic()
	t.Topic, t.Partitions = "t", []int32{0}
	req.Topics = append(req.Topics, t)
	out := ask[*kmsg.OffsetFetchResponse](c, at, req)
	if out.ErrorCode != 0 {
		return kafka.ErrorCode(out.ErrorCode), -1
	}
	return kafka.ErrorCode(out.Topics[0].Partitions[0].ErrorCode), out.Topics[0].Partitions[0].Offset
}

// G3: a coordinator that doesn't know of its successor tells nobody what was committed before it.
func TestACoordinatorWithASuccessorTellsNoOldOffsets(t *testing.T) {
	c := newThreeWith(t, 3, func(int) map[string]string {
		return map[string]string{"offsets.topic.num.partitions": "1", "offsets.topic.replication.factor": "3", "min.insync.replicas": "2",
			"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}
	})
	c.create(1, "t", 1)
	var old int32
	c.await("a coordinator", time.Minute, func() bool { old = c.coordinator(1, "g"); return old > 0 && c.commit(old, "g", 1) == kafka.ErrNone })
	c.await("it tells what was committed", time.Minute, func() bool {
		code, offset := c.committed(old, "g")
		return code == kafka.ErrNone && offset == 1
	})
	other := old%3 + 1
	c.net.Isolated(fmt.Sprint("h", old), true)
	c.await("another takes commits", time.Minute, func() bool {
		next := c.coordinator(other, "g")
		return next > 0 && next != old && c.commit(next, "g", 2) == kafka.ErrNone
	})
	if now := c.coordinator(old, "g"); now != old {
		t.Fatalf("the node that is cut off knows of %d: the test shows nothing", now)
	}
	if code, offset := c.committed(old, "g"); code != kafka.ErrCoordinatorNotAvailable && code != kafka.ErrNotCoordinator {
		t.Errorf("the old coordinator answers %v and offset %d, although 2 is committed", code, offset)
	}
	c.net.Isolated(fmt.Sprint("h", old), false)
	c.await("the old one knows of its successor", time.Minute, func() bool { return c.coordinator(old, "g") != old })
	code, offset := c.committed(c.coordinator(old, "g"), "g")
	if wantError(t, "at the new one", int16(code), kafka.ErrNone); offset != 2 {
		t.Errorf("offset %d", offset)
	}
}
