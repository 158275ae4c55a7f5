package node_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// A topic is deleted, and made again, while a broker is away that has a copy of it on its way to another log directory. What that
// directory knows under the name is of the copy: the new replica begins where it begins, and has every record when it leads.
func TestACopyThatIsFoundSaysNothingOfTheNextTopic(t *testing.T) {
	c := newThreeWith(t, 1, func(int) map[string]string {
		return map[string]string{"log.dirs": "data,more", "replica.alter.log.dirs.io.max.bytes.per.second": "200"}
	})
	c.create(1, "a", 1)
	leader, away := c.led("t", 60)
	c.deleteTopic(1, "a")
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Version, req.TimeoutMillis = 2, 30000
	req.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: "t", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: 0, Offset: 40}}}}
	wantError(t, "delete", ask[*kmsg.DeleteRecordsResponse](c, leader, req).Topics[0].Partitions[0].ErrorCode, kafka.ErrNone)
	c.moveTo(away, "t", "data")
	c.w.Run(2 * time.Second)
	c.kill(away)
	c.deleteTopic(leader, "t")
	c.w.Run(time.Minute)
	c.create(leader, "t", 1)
	now := int32(-1)
	for i := range 50 {
		c.await("the new one is written", time.Minute, func() bool {
			all := c.leaders(leader, "t")
			if len(all) != 1 || all[0] <= 0 || all[0] == away {
				return false
			}
			now = all[0]
			code, _ := c.write(now, "t", 0, fmt.Sprint("new", i))
			return code == kafka.ErrNone
		})
	}
	c.start(int(away))
	c.await("it is back", time.Minute, func() bool { return c.at(away).ready != nil })
	c.await("in sync", time.Minute, func() bool { return len(c.isrs(now, "t")[0]) == 3 })
	c.reassign(now, "t", away, 6-now-away)
	c.await("it leads", time.Minute, func() bool { l := c.leaders(now, "t"); return len(l) == 1 && l[0] == away })
	c.w.Run(10 * time.Second)
	if code, got := c.read(away, "t", 0, 0); code != kafka.ErrNone || len(valuesOf(t, got)) != 50 {
		t.Errorf("%v, %d of 50 records", code, len(valuesOf(t, got)))
	}
}

// moveTo asks a broker to move a replica to another of its log directories.
func (c *three) moveTo(id int32, topic, dir string) {
	c.t.Helper()
	req := kmsg.NewPtrAlterReplicaLogDirsRequest()
	req.Version = 2
	d, t := kmsg.NewAlterReplicaLogDirsRequestDir(), kmsg.NewAlterReplicaLogDirsRequestDirTopic()
	t.Topic, t.Partitions = topic, []int32{0}
	d.Dir, d.Topics = dir, append(d.Topics, t)
	req.Dirs = append(req.Dirs, d)
	if code := ask[*kmsg.AlterReplicaLogDirsResponse](c, id, req).Topics[0].Partitions[0].ErrorCode; code != 0 {
		c.t.Fatalf("the move: %v", kafka.ErrorCode(code))
	}
}
