package node_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// racks has each node in a rack of its own, and consumers sent to the one in theirs.
func racks(id int) map[string]string {
	return map[string]string{
		"broker.rack": fmt.Sprint("r", id), "replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector",
	}
}

// fetched is what a Fetch asks of one partition, and who asks.
type fetched struct {
	version      int16
	rack         string
	from         int64
	currentEpoch int32
	replica      int32 // -1 for a consumer
	brokerEpoch  int64
}

func (c *three) fetch(at int32, topic string, partition int32, f fetched) (kmsg.FetchResponseTopicPartition, *kmsg.FetchResponse) {
	c.t.Helper()
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes, req.MinBytes, req.Rack = f.version, 1<<20, 1, f.rack
	req.ReplicaID, req.ReplicaState.ID, req.ReplicaState.Epoch = f.replica, f.replica, f.brokerEpoch
	t, p := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	t.Topic, t.TopicID = topic, c.topicID(at, topic)
	p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = partition, f.from, 1<<20, f.currentEpoch
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	out := ask[*kmsg.FetchResponse](c, at, req)
	return out.Topics[0].Partitions[0], out
}

func (c *three) topicID(at int32, topic string) [16]byte {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 12
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	req.Topics = append(req.Topics, t)
	return ask[*kmsg.MetadataResponse](c, at, req).Topics[0].TopicID
}

// led makes a topic of one partition, has some records in it, and returns who leads it and one that follows.
func (c *three) led(topic string, records int) (leader, follower int32) {
	c.t.Helper()
	c.create(1, topic, 1)
	c.await("everybody knows who leads", time.Minute, func() bool {
		for id := range int32(3) {
			now := c.leaders(id+1, topic)
			if len(now) != 1 || now[0] <= 0 || id > 0 && now[0] != leader {
				return false
			}
			leader = now[0]
		}
		return true
	})
	for i := range records {
		if code, _ := c.write(leader, topic, 0, fmt.Sprint(i)); code != kafka.ErrNone {
			c.t.Fatal(code)
		}
	}
	return leader, leader%3 + 1
}

func wantError(t *testing.T, what string, got int16, want kafka.ErrorCode) {
	t.Helper()
	if kafka.ErrorCode(got) != want {
		t.Errorf("%s: %v, want %v", what, kafka.ErrorCode(got), want)
	}
}

// KIP-392: the leader sends a consumer to the follower in its rack, which serves it up to the high watermark that it knows, and says
// that what lies behind its end is not available, where a leader would call it out of range.
func TestAConsumerReadsFromTheFollowerInItsRack(t *testing.T) {
	c := newThreeWith(t, 1, racks)
	leader, follower := c.led("t", 5)
	near := fetched{version: 12, rack: fmt.Sprint("r", follower), currentEpoch: -1, replica: -1}
	p, _ := c.fetch(leader, "t", 0, near)
	if p.PreferredReadReplica != follower || len(p.RecordBatches) != 0 {
		t.Errorf("the leader sends to %d with %d bytes, want %d and none", p.PreferredReadReplica, len(p.RecordBatches), follower)
	}
	for what, f := range map[string]fetched{
		"in the leader's rack": {version: 12, rack: fmt.Sprint("r", leader), currentEpoch: -1, replica: -1}, "in no rack": {version: 12, currentEpoch: -1, replica: -1},
		"in another": {version: 12, rack: "r9", currentEpoch: -1, replica: -1}, "before KIP-392": {version: 10, rack: fmt.Sprint("r", follower), currentEpoch: -1, replica: -1},
	} {
		if p, _ := c.fetch(leader, "t", 0, f); p.PreferredReadReplica != -1 || len(p.RecordBatches) == 0 {
			t.Errorf("a consumer %s is sent to %d with %d bytes", what, p.PreferredReadReplica, len(p.RecordBatches))
		}
	}
	c.await("the follower knows what is committed", time.Minute, func() bool {
		p, _ := c.fetch(follower, "t", 0, near)
		n := int64(0)
		for rest := p.RecordBatches; len(rest) > 0; {
			b, more, err := record.Next(rest)
			if err != nil {
				t.Fatal(err)
			}
			n, rest = int64(b.NextOffset()), more
		}
		if n > p.HighWatermark || p.PreferredReadReplica != -1 {
			t.Fatalf("a follower serves up to %d, past its high watermark %d, and sends on to %d", n, p.HighWatermark, p.PreferredReadReplica)
		}
		return n == 5
	})
	beyond := near
	beyond.from = 99
	p, _ = c.fetch(follower, "t", 0, beyond)
	wantError(t, "behind a follower's end", p.ErrorCode, kafka.ErrOffsetNotAvailable)
	p, _ = c.fetch(leader, "t", 0, beyond)
	wantError(t, "behind a leader's end", p.ErrorCode, kafka.ErrOffsetOutOfRange)
	old := near
	old.version = 10
	p, _ = c.fetch(follower, "t", 0, old)
	wantError(t, "a consumer of before KIP-392 at a follower", p.ErrorCode, kafka.ErrNotLeaderOrFollower)
	for epoch, want := range map[int32]kafka.ErrorCode{99: kafka.ErrUnknownLeaderEpoch, -1: kafka.ErrNone} {
		f := near
		f.currentEpoch = epoch
		p, _ = c.fetch(follower, "t", 0, f)
		wantError(t, fmt.Sprint("a follower asked at epoch ", epoch), p.ErrorCode, want)
	}
	c.kill(follower)
	c.await("nobody is sent to a dead follower", time.Minute, func() bool {
		p, _ := c.fetch(leader, "t", 0, near)
		return p.PreferredReadReplica == -1 && len(p.RecordBatches) > 0
	})
}

// What only a leader knows a follower does not answer: where offsets are by time, and where epochs end.
func TestAFollowerRefusesWhatOnlyALeaderKnows(t *testing.T) {
	c := newThree(t, 2)
	_, follower := c.led("t", 2)
	list := kmsg.NewPtrListOffsetsRequest()
	list.Version, list.ReplicaID = 7, -1
	lt, lp := kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
	lt.Topic, lp.Timestamp, lp.CurrentLeaderEpoch = "t", -1, -1
	lt.Partitions = append(lt.Partitions, lp)
	list.Topics = append(list.Topics, lt)
	wantError(t, "ListOffsets", ask[*kmsg.ListOffsetsResponse](c, follower, list).Topics[0].Partitions[0].ErrorCode, kafka.ErrNotLeaderOrFollower)
	epochs := kmsg.NewPtrOffsetForLeaderEpochRequest()
	epochs.Version, epochs.ReplicaID = 4, -1
	et, ep := kmsg.NewOffsetForLeaderEpochRequestTopic(), kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	et.Topic, ep.LeaderEpoch, ep.CurrentLeaderEpoch = "t", 0, -1
	et.Partitions = append(et.Partitions, ep)
	epochs.Topics = append(epochs.Topics, et)
	wantError(t, "OffsetForLeaderEpoch", ask[*kmsg.OffsetForLeaderEpochResponse](c, follower, epochs).Topics[0].Partitions[0].ErrorCode, kafka.ErrNotLeaderOrFollower)
}

// Who poses as a replica, or is an earlier process of one, is told nothing (KIP-903, R11), and moves nothing.
func TestOutsidersDoNotReplicate(t *testing.T) {
	c := newThree(t, 3)
	leader, follower := c.led("t", 3)
	leader, epoch := c.succeed(leader, "t")
	if leader == follower {
		follower = leader%3 + 1
	}
	for what, q := range map[string]struct {
		f    fetched
		want kafka.ErrorCode
	}{
		"a broker that is not registered": {fetched{version: 17, replica: 9, brokerEpoch: 1 << 40, currentEpoch: epoch}, kafka.ErrNotLeaderOrFollower},
		"an earlier process":              {fetched{version: 17, replica: follower, brokerEpoch: 0, currentEpoch: epoch}, kafka.ErrNotLeaderOrFollower},
		"an older epoch":                  {fetched{version: 17, replica: follower, brokerEpoch: 1 << 40, currentEpoch: epoch - 1}, kafka.ErrFencedLeaderEpoch},
		"a newer epoch":                   {fetched{version: 17, replica: follower, brokerEpoch: 1 << 40, currentEpoch: epoch + 1}, kafka.ErrUnknownLeaderEpoch},
		"no epoch":                        {fetched{version: 17, replica: follower, brokerEpoch: 1 << 40, currentEpoch: -1}, kafka.ErrFencedLeaderEpoch},
	} {
		p, _ := c.fetch(leader, "t", 0, q.f)
		wantError(t, what, p.ErrorCode, q.want)
		if len(p.RecordBatches) > 0 {
			t.Errorf("%s is given records", what)
		}
	}
	if f := c.followers(leader, "t", 0); len(f) != 2 || !f[0].InSync || !f[1].InSync {
		t.Errorf("the leader knows %+v", f)
	}
}

// leaderOf is who leads the first partition of a topic, and in which epoch.
func (c *three) leaderOf(at int32, topic string) (leader, epoch int32) {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 12
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	req.Topics = append(req.Topics, t)
	p := ask[*kmsg.MetadataResponse](c, at, req).Topics[0].Partitions[0]
	return p.Leader, p.LeaderEpoch
}

// succeed has another node lead, in an epoch after the first, with every replica in sync again.
func (c *three) succeed(leader int32, topic string) (now, epoch int32) {
	c.t.Helper()
	c.kill(leader)
	other := leader%3 + 1
	c.await("another leads", time.Minute, func() bool {
		now, epoch = c.leaderOf(other, topic)
		return now > 0 && now != leader
	})
	c.start(int(leader))
	c.await("it is back", time.Minute, func() bool { return c.at(leader).ready != nil })
	c.await("all are in sync", time.Minute, func() bool {
		now, epoch = c.leaderOf(other, topic)
		f := c.followers(now, topic, 0)
		return len(f) == 2 && f[0].InSync && f[1].InSync
	})
	return now, epoch
}

// KIP-951: who asks the wrong node, or in an old epoch, learns with the refusal who leads and where that is.
func TestARefusalNamesTheLeader(t *testing.T) {
	c := newThreeWith(t, 4, racks)
	leader, _ := c.led("t", 1)
	leader, epoch := c.succeed(leader, "t")
	follower := leader%3 + 1
	hint := func(what string, l kmsg.FetchResponseTopicPartitionCurrentLeader, brokers []kmsg.FetchResponseBroker) {
		t.Helper()
		if l.LeaderID != leader || l.LeaderEpoch != epoch || len(brokers) != 1 || brokers[0].NodeID != leader || brokers[0].Host != fmt.Sprint("h", leader) || brokers[0].Port != 9092 ||
			brokers[0].Rack == nil || *brokers[0].Rack != fmt.Sprint("r", leader) {
			t.Errorf("%s: leader %+v at %+v, want node %d in epoch %d", what, l, brokers, leader, epoch)
		}
	}
	p, out := c.fetch(leader, "t", 0, fetched{version: 16, replica: -1, currentEpoch: epoch - 1})
	wantError(t, "a fetch in an old epoch", p.ErrorCode, kafka.ErrFencedLeaderEpoch)
	hint("a fetch in an old epoch", p.CurrentLeader, out.Brokers)
	p, out = c.fetch(leader, "t", 0, fetched{version: 15, replica: -1, currentEpoch: epoch - 1})
	if len(out.Brokers) != 0 {
		t.Errorf("version 15 has no room for it: %+v", p)
	}
	b := record.NewBuilder(record.Plain())
	b.Append(c.w.Now().WallMs, nil, []byte("v"))
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 10, -1, 30000
	rt, rp := kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
	rt.Topic, rp.Records = "t", batch
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	made := ask[*kmsg.ProduceResponse](c, follower, req)
	wantError(t, "a produce to a follower", made.Topics[0].Partitions[0].ErrorCode, kafka.ErrNotLeaderOrFollower)
	l := made.Topics[0].Partitions[0].CurrentLeader
	if l.LeaderID != leader || l.LeaderEpoch != epoch || len(made.Brokers) != 1 || made.Brokers[0].NodeID != leader || made.Brokers[0].Host != fmt.Sprint("h", leader) || made.Brokers[0].Port != 9092 {
		t.Errorf("a produce to a follower: leader %+v at %+v", l, made.Brokers)
	}
}
