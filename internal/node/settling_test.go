package node_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// powerCut ends a process with its machine: what was not synced is gone.
func (c *cluster) powerCut(id int32) {
	fs := c.at(id).fs
	c.kill(id)
	c.at(id).fs = fs.PowerCut()
}

// newPair is two brokers, 1 and 2, and a controller, 3. Topic t has one partition on both, led by 1, that takes writes with both alone, and is
// acknowledged from page caches.
func newPair(t *testing.T, seed uint64) *cluster {
	c := newCluster(t, seed)
	for id, roles := range []string{"broker", "broker", "controller"} {
		c.add(int32(id+1), roles, voters, "3@h3:9093")
	}
	c.startAll()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 7, 30000
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "t", -1, -1
	topic.ReplicaAssignment = []kmsg.CreateTopicsRequestTopicReplicaAssignment{{Replicas: []int32{1, 2}}}
	for name, value := range map[string]string{"min.insync.replicas": "2", "milena.durability": "cache"} {
		set := kmsg.NewCreateTopicsRequestTopicConfig()
		set.Name, set.Value = name, &value
		topic.Configs = append(topic.Configs, set)
	}
	req.Topics = append(req.Topics, topic)
	if code := ask[*kmsg.CreateTopicsResponse](c, 1, req).Topics[0].ErrorCode; code != 0 {
		t.Fatal(kafka.ErrorCode(code))
	}
	return c
}

// durability sets the topic's.
func (c *cluster) durability(at int32, value string) {
	c.t.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Version = 1
	of, set := kmsg.NewIncrementalAlterConfigsRequestResource(), kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	of.ResourceType, of.ResourceName = kmsg.ConfigResourceTypeTopic, "t"
	set.Name, set.Value = "milena.durability", &value
	of.Configs = append(of.Configs, set)
	req.Resources = append(req.Resources, of)
	if code := ask[*kmsg.IncrementalAlterConfigsResponse](c, at, req).Resources[0].ErrorCode; code != 0 {
		c.t.Fatal(kafka.ErrorCode(code))
	}
}

// keeps waits until a topic that both have again has the records v0 and so on.
func (c *cluster) keeps(records int) {
	c.t.Helper()
	var leader int32
	c.await("somebody leads, with both in sync", time.Minute, func() bool {
		p := c.partitions(1, "t")[0]
		leader = p.Leader
		return leader > 0 && len(p.ISR) == 2
	})
	var got []string
	c.w.RunUntil(10*time.Second, func() bool {
		code, all := c.read(leader, "t", 0, 0)
		got = nil
		for i := range records {
			if v := fmt.Sprintf("<v%d>", i); strings.Contains(string(all), v) {
				got = append(got, v)
			}
		}
		return code == kafka.ErrNone && len(got) == records
	})
	if len(got) != records {
		c.t.Errorf("of %d acknowledged records %v are there", records, got)
	}
}

// From the page cache to durable (ADR 0036): while it is not certain that all which was acknowledged is on disks, a broker whose page cache
// is lost loses its place, and does not lead with what is left. Once that is certain it keeps its place.
func TestGoingFromThePageCacheToDurable(t *testing.T) {
	const records = 5
	for _, settled := range []bool{false, true} {
		t.Run(fmt.Sprintf("settled %v", settled), func(t *testing.T) {
			c := newPair(t, 1)
			if !settled {
				c.at(2).slow = time.Hour
			}
			for i := range records {
				if code, at := c.write(1, "t", 0, fmt.Sprintf("<v%d>", i)); code != kafka.ErrNone || at != int64(i) {
					t.Fatalf("%v at %d", code, at)
				}
			}
			c.durability(1, "sync")
			c.w.Run(2 * time.Second)
			if got := len(c.partitions(1, "t")[0].ISR); got != 2 {
				t.Fatalf("%d are in sync", got)
			}
			c.powerCut(2)
			c.await("broker 2 is given up", time.Minute, func() bool { return len(c.partitions(1, "t")[0].ISR) == 1 })
			c.kill(1) // its page cache stays
			c.at(2).slow = 0
			c.start(2)
			c.serves(2)
			c.w.Run(20 * time.Second)
			if leads := c.leaders(2, "t")[0] == 2; leads != settled {
				t.Errorf("broker 2 leads alone: %v", leads)
			}
			c.start(1)
			c.serves(1)
			c.keeps(records)
		})
	}
}

// The topic goes back to the page cache and on again before it has settled, and its leader dies: the next one tells that it is over.
func TestALaterLeaderEndsTheSwitchToDurable(t *testing.T) {
	c := newPair(t, 2)
	c.at(2).slow = 30 * time.Second
	if code, _ := c.write(1, "t", 0, "<v0>"); code != kafka.ErrNone {
		t.Fatal(code)
	}
	c.durability(1, "sync")
	c.w.Run(time.Second)
	c.durability(1, "cache")
	if code, _ := c.write(1, "t", 0, "<v1>"); code != kafka.ErrNone {
		t.Fatal(code)
	}
	c.durability(1, "sync")
	c.w.Run(time.Second)
	c.kill(1)
	c.at(2).slow = 0
	c.await("broker 2 leads", time.Minute, func() bool { return c.leaders(2, "t")[0] == 2 })
	c.start(1)
	c.serves(1)
	c.w.Run(time.Minute) // the slow flush is over
	leader := c.leaders(1, "t")[0]
	other := 3 - leader
	if isr := c.partitions(1, "t")[0].ISR; len(isr) != 2 {
		t.Fatalf("%v are in sync", isr)
	}
	c.powerCut(other)
	c.await("one is given up", time.Minute, func() bool { return len(c.partitions(leader, "t")[0].ISR) == 1 })
	c.kill(leader)
	c.start(int(other))
	c.serves(other)
	c.await("it has kept its place, and leads", time.Minute, func() bool { return c.leaders(other, "t")[0] == other })
	c.start(int(leader))
	c.serves(leader)
	c.keeps(2)
}
