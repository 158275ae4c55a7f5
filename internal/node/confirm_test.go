package node_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/wire"
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

// coordinated is three controllers, 1 to 3, and three brokers, 4 to 6, whose offsets topic has so many replicas and the offset 1 of a group,
// and who coordinates that.
func coordinated(t *testing.T, seed uint64, replicas string) (c *cluster, old int32) {
	c = newCluster(t, seed)
	for id := range int32(6) {
		roles := "controller"
		if id >= 3 {
			roles = "broker"
		}
		m := c.add(id+1, roles, voters, "1@h1:9093,2@h2:9093,3@h3:9093", "broker.session.timeout.ms", "3000", "broker.heartbeat.interval.ms", "500")
		if id >= 3 {
			m.set["offsets.topic.num.partitions"], m.set["offsets.topic.replication.factor"] = "1", replicas
		}
	}
	c.startAll()
	c.create(4, "t", 1)
	c.await("a coordinator", time.Minute, func() bool { old = c.coordinator(4, "g"); return old > 0 && c.commit(old, "g", 1) == kafka.ErrNone })
	c.await("it tells what was committed", time.Minute, func() bool {
		code, offset := c.committed(old, "g")
		return code == kafka.ErrNone && offset == 1
	})
	return c, old
}

// brokers are the two brokers that another one is not.
func brokers(but int32) (out []int32) {
	for id := int32(4); id <= 6; id++ {
		if id != but {
			out = append(out, id)
		}
	}
	return out
}

// uncontrolled cuts a broker off from the controllers, and from nobody else, or joins them again.
func (c *cluster) uncontrolled(id int32, cut bool) {
	for controller := range 3 {
		h, other := fmt.Sprint("h", id), fmt.Sprint("h", controller+1)
		for _, way := range [][2]string{{h, other}, {other, h}} {
			if cut {
				c.net.Cut(way[0], way[1])
			} else {
				c.net.Heal(way[0], way[1])
			}
		}
	}
}

// refuses holds that a coordinator which knows of no successor hears of one from those it asks, and knows of it once it is no longer cut off.
func (c *cluster) refuses(old int32) {
	c.t.Helper()
	if now := c.coordinator(old, "g"); now != old {
		c.t.Fatalf("the node that is cut off knows of %d: the test shows nothing", now)
	}
	if code, offset := c.committed(old, "g"); code != kafka.ErrNotCoordinator {
		c.t.Errorf("the old coordinator answers %v and offset %d, although 2 is committed", code, offset)
	}
	c.uncontrolled(old, false)
	c.await("the old one knows of its successor", time.Minute, func() bool { return c.coordinator(old, "g") != old })
	if code, offset := c.committed(c.coordinator(old, "g"), "g"); code != kafka.ErrNone || offset != 2 {
		c.t.Errorf("the new one answers %v and offset %d", code, offset)
	}
}

// G3: a coordinator that only the controllers don't reach is told by its successor, which it reaches, that it is none.
func TestACoordinatorWithoutControllersIsToldOfItsSuccessor(t *testing.T) {
	c, old := coordinated(t, 5, "3")
	c.uncontrolled(old, true)
	other := brokers(old)[0]
	c.await("another takes commits", time.Minute, func() bool {
		next := c.coordinator(other, "g")
		return next > 0 && next != old && c.commit(next, "g", 2) == kafka.ErrNone
	})
	c.refuses(old)
}

// G3: whoever is asked and has no replica any more tells what the metadata say: all who were in sync when a coordinator was cut off may have
// led since, and have handed over to others.
func TestACoordinatorIsToldOfItsSuccessorsSuccessor(t *testing.T) {
	c, old := coordinated(t, 6, "2")
	next := c.others(kafka.OffsetsTopic, old)[0]
	third := 4 + 5 + 6 - old - next
	c.uncontrolled(old, true)
	c.await("the other replica leads", time.Minute, func() bool { return c.coordinator(next, "g") == next && c.commit(next, "g", 1) == kafka.ErrNone })
	c.reassign(next, kafka.OffsetsTopic, third)
	c.await("it has no replica any more", time.Minute, func() bool {
		p := c.partitions(next, kafka.OffsetsTopic)[0]
		return len(p.Replicas) == 1 && p.Leader == third && c.directories(next, kafka.OffsetsTopic)[log.Current] == 0
	})
	c.await("the third takes commits", time.Minute, func() bool { return c.commit(third, "g", 2) == kafka.ErrNone })
	c.refuses(old)
}

// others are the replicas of a topic's first partition but one, as that one tells.
func (c *cluster) others(topic string, but int32) []int32 {
	return slices.DeleteFunc(c.partitions(but, topic)[0].Replicas, func(id int32) bool { return id == but })
}

// What a broker without a replica tells of later leaders: replicas all that the metadata say, clients what Apache Kafka tells them.
func TestABrokerWithoutAReplicaTellsOfLaterLeaders(t *testing.T) {
	c := newThree(t, 3)
	without, first := c.led("t", 1)
	second := 1 + 2 + 3 - without - first
	c.reassign(without, "t", first, second)
	c.await("the one that led has no replica any more", time.Minute, func() bool {
		return len(c.partitions(without, "t")[0].Replicas) == 2 && c.directories(without, "t")[log.Current] == 0
	})
	now, _ := c.leaderOf(without, "t")
	follower := first + second - now
	_, epoch := c.leaderOf(without, "t")
	if epoch < 1 {
		t.Fatalf("epoch %d", epoch)
	}
	id := c.topicID(without, "t")
	for _, a := range []struct {
		what    string
		at, who int32
		id      kafka.TopicID
		epoch   int32
		want    kafka.ErrorCode
	}{
		{"a client, of an epoch that is over", without, -1, kafka.TopicID{}, epoch - 1, kafka.ErrNotLeaderOrFollower},
		{"a replica, of an epoch that is over", without, now, id, epoch - 1, kafka.ErrFencedLeaderEpoch},
		{"a replica that names no id", without, now, kafka.TopicID{}, epoch - 1, kafka.ErrFencedLeaderEpoch},
		{"a replica, of the epoch", without, now, id, epoch, kafka.ErrNotLeaderOrFollower},
		{"a replica, of an epoch to come", without, now, id, epoch + 1, kafka.ErrNotLeaderOrFollower},
		{"a replica, of no epoch", without, now, id, -1, kafka.ErrNotLeaderOrFollower},
		{"a replica, of another topic", without, now, kafka.TopicID{1}, epoch, kafka.ErrUnknownTopicId},
		{"the leader of a follower, of another topic", follower, now, kafka.TopicID{1}, epoch + 1, kafka.ErrUnknownTopicId},
		{"the leader of a follower, of an epoch to come", follower, now, id, epoch + 1, kafka.ErrUnknownLeaderEpoch},
	} {
		if code := c.askEpoch(a.at, a.who, a.id, a.epoch); code != a.want {
			t.Errorf("%s: %v, want %v", a.what, code, a.want)
		}
	}
}

// askEpoch asks for the end of an epoch of the topic t, in that epoch, as a client or as a replica.
func (c *cluster) askEpoch(at, replica int32, id kafka.TopicID, epoch int32) kafka.ErrorCode {
	m := kmsg.NewPtrOffsetForLeaderEpochRequest()
	m.Version, m.ReplicaID = 4, replica
	t, p := kmsg.NewOffsetForLeaderEpochRequestTopic(), kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	t.Topic, p.CurrentLeaderEpoch, p.LeaderEpoch = "t", epoch, epoch
	if !id.IsZero() {
		wire.NameTopicID(&p.UnknownTags, id)
	}
	t.Partitions = append(t.Partitions, p)
	m.Topics = append(m.Topics, t)
	return kafka.ErrorCode(ask[*kmsg.OffsetForLeaderEpochResponse](c, at, m).Topics[0].Partitions[0].ErrorCode)
}
