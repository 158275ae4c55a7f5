package node_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

func (c *three) deleteTopic(at int32, topic string) {
	c.t.Helper()
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TopicNames, req.TimeoutMillis = 3, []string{topic}, 30000
	if code := kafka.ErrorCode(ask[*kmsg.DeleteTopicsResponse](c, at, req).Topics[0].ErrorCode); code != kafka.ErrNone {
		c.t.Fatal(code)
	}
}

// reassign moves the first partition of a topic.
func (c *three) reassign(at int32, topic string, replicas ...int32) {
	c.t.Helper()
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	req.TimeoutMillis = 30000
	t, p := kmsg.NewAlterPartitionAssignmentsRequestTopic(), kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
	t.Topic, p.Replicas = topic, replicas
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	out := ask[*kmsg.AlterPartitionAssignmentsResponse](c, at, req)
	if code := kafka.ErrorCode(out.Topics[0].Partitions[0].ErrorCode); code != kafka.ErrNone || out.ErrorCode != 0 {
		c.t.Fatal(code, out.ErrorCode)
	}
}

// directories are the partition directories of a node that belong to a topic's first partition, by what they are.
func (c *three) directories(id int32, topic string) map[log.DirKind]int {
	out := map[log.DirKind]int{}
	for _, e := range must.Get(c.at(id).fs.List("data")) {
		if d, ok := log.ParseDirName(e.Name); ok && d.Partition.Topic == topic {
			out[d.Kind]++
		}
	}
	return out
}

// values are the records' values in what was fetched.
func valuesOf(t *testing.T, batches []byte) (out []string) {
	t.Helper()
	for rest := batches; len(rest) > 0; {
		b, more, err := record.Next(rest)
		must.OK(err)
		must.OK(b.Each(record.Limits{}, func(r *record.Record) error {
			out = append(out, string(r.Value))
			return nil
		}))
		rest = more
	}
	return out
}

// A topic that was deleted while a node was away, and made anew under its name, is another one to it: what it had is never
// served, and what it has afterwards is the new one's. It doesn't matter whether the node learns of the deletion from the log or
// from a snapshot that knows nothing of the old topic.
func TestATopicMadeAnewWhileANodeWasAway(t *testing.T) {
	for seed := range uint64(4) {
		set := func(int) map[string]string { return nil }
		if seed%2 == 1 { // the node comes back behind the start of the metadata log
			set = func(int) map[string]string {
				return map[string]string{"metadata.log.max.record.bytes.between.snapshots": "1", "metadata.log.max.snapshot.interval.ms": "1000", "metadata.max.retention.bytes": "1", "metadata.max.retention.ms": "1000", "metadata.log.segment.bytes": "8388608"}
			}
		}
		c := newThreeWith(t, seed, set)
		leader, away := c.led("t", 5)
		c.await("the follower has it", time.Minute, func() bool { return c.directories(away, "t")[log.Current] == 1 })
		c.kill(away)
		other := leader
		c.deleteTopic(other, "t")
		c.await("it is gone", time.Minute, func() bool { return c.directories(other, "t")[log.Current] == 0 })
		c.create(other, "t", 1)
		var now int32
		c.await("the new one is written", time.Minute, func() bool {
			all := c.leaders(other, "t")
			if len(all) != 1 || all[0] <= 0 || all[0] == away {
				return false
			}
			now = all[0]
			code, _ := c.write(now, "t", 0, "new")
			return code == kafka.ErrNone
		})
		c.w.Run(time.Minute)
		c.start(int(away))
		c.await("it is back", time.Minute, func() bool { return c.at(away).ready != nil })
		c.await("it has the new one", time.Minute, func() bool {
			f := c.followers(now, "t", 0)
			return len(f) == 2 && f[0].InSync && f[1].InSync
		})
		code, got := c.read(away, "t", 0, 0)
		if values := valuesOf(t, got); code != kafka.ErrNone || len(values) == 0 || slices.ContainsFunc(values, func(v string) bool { return v != "new" }) {
			t.Errorf("seed %d: the node that was away serves %v, %v", seed, values, code)
		}
		if d := c.directories(away, "t"); d[log.Current] != 1 || seed%2 == 1 && d[log.Stray] != 1 {
			t.Errorf("seed %d: directories %v", seed, d)
		}
		c.w.Run(5 * time.Minute)
		for _, e := range must.Get(c.at(away).fs.List("data")) {
			if strings.HasSuffix(e.Name, "-delete") {
				t.Errorf("seed %d: %s is still there", seed, e.Name)
			}
		}
	}
}

// A partition that was moved away while a node was away is not served by it, nor is its directory taken for a replica when the
// partition comes back.
func TestAPartitionMovedAwayWhileANodeWasAway(t *testing.T) {
	for seed := range uint64(4) {
		c := newThree(t, seed)
		leader, away := c.led("t", 5)
		stays := 6 - leader - away
		c.kill(away)
		c.reassign(leader, "t", leader, stays)
		c.await("it is moved", time.Minute, func() bool { return len(c.followers(leader, "t", 0)) == 1 })
		if code, _ := c.write(leader, "t", 0, "without it"); code != kafka.ErrNone {
			t.Fatal(code)
		}
		c.start(int(away))
		c.await("it is back", time.Minute, func() bool { return c.at(away).ready != nil })
		c.await("its directory is nobody's", time.Minute, func() bool { return c.directories(away, "t")[log.Current] == 0 })
		if code, got := c.read(away, "t", 0, 0); code != kafka.ErrNotLeaderOrFollower || len(got) > 0 {
			t.Errorf("seed %d: it serves %d bytes, %v", seed, len(got), code)
		}
		c.reassign(leader, "t", leader, stays, away)
		c.await("it is in sync", time.Minute, func() bool {
			f := c.followers(leader, "t", 0)
			return len(f) == 2 && f[0].InSync && f[1].InSync
		})
		if _, got := c.read(away, "t", 0, 0); len(valuesOf(t, got)) != 6 {
			t.Errorf("seed %d: it has %v", seed, valuesOf(t, got))
		}
	}
}
