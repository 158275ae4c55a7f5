package node_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// twoDirs gives each node a second log directory, without the metadata.
func twoDirs(int) map[string]string { return map[string]string{"log.dirs": "data,more"} }

// holds lists the partitions of a topic that a node has in a directory.
func (c *three) holds(id int32, dir, topic string) (out []int32) {
	for _, e := range must.Get(c.at(id).fs.List(dir)) {
		var p int32
		if strings.HasPrefix(e.Name, topic+"-") && !strings.Contains(e.Name, ".") {
			must.Get(fmt.Sscanf(e.Name, topic+"-%d", &p))
			out = append(out, p)
		}
	}
	return out
}

// isrs are the in-sync replicas of each partition, as one node tells.
func (c *three) isrs(at int32, topic string) [][]int32 {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 9
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	req.Topics = append(req.Topics, t)
	parts := ask[*kmsg.MetadataResponse](c, at, req).Topics[0].Partitions
	out := make([][]int32, len(parts))
	for _, p := range parts {
		out[p.Partition] = p.ISR
	}
	return out
}

// A log directory of one of three nodes dies: what that node led from it others lead at once, what it has in the other directory
// stays, no acknowledged record is missing, and on a good disk it comes back into sync (KIP-858).
func TestAnotherNodeLeadsWhatWasInADeadDirectory(t *testing.T) {
	for seed := range uint64(3) {
		c := newThreeWith(t, seed, twoDirs)
		const parts = 6
		c.create(1, "t", parts)
		c.await("all are led and in sync", time.Minute, func() bool {
			all := c.isrs(1, "t")
			return len(all) == parts && !slices.ContainsFunc(all, func(isr []int32) bool { return len(isr) != 3 }) && !slices.Contains(c.leaders(1, "t"), -1)
		})
		for p, leader := range c.leaders(1, "t") {
			if code, _ := c.write(leader, "t", int32(p), "before"); code != kafka.ErrNone {
				t.Fatal(code)
			}
		}
		victim := int32(seed) + 1
		other := victim%3 + 1
		dead, alive := c.holds(victim, "more", "t"), c.holds(victim, "data", "t")
		if len(dead) == 0 || len(alive) == 0 {
			t.Fatalf("seed %d: %v and %v", seed, dead, alive)
		}
		c.at(victim).faults.Add(disk.Fault{Op: disk.OpSync, Path: "more", Err: disk.ErrIO})
		for p := range int32(parts) {
			c.await("it is written, wherever it was", 10*time.Second, func() bool {
				leader := c.leaders(other, "t")[p]
				if leader < 1 {
					return false
				}
				code, at := c.write(leader, "t", p, "after")
				return code == kafka.ErrNone && at >= 1
			})
		}
		c.await("what was in it is led and in sync elsewhere", 10*time.Second, func() bool {
			leaders, isrs := c.leaders(other, "t"), c.isrs(other, "t")
			return !slices.ContainsFunc(dead, func(p int32) bool { return leaders[p] == victim || slices.Contains(isrs[p], victim) })
		})
		for _, p := range alive {
			if !slices.Contains(c.isrs(other, "t")[p], victim) {
				t.Errorf("seed %d: partition %d, which is in the other directory, left", seed, p)
			}
		}
		c.kill(victim)
		c.start(int(victim))
		c.await("it is back", time.Minute, func() bool { return c.at(victim).ready != nil })
		c.await("it is in sync again", time.Minute, func() bool {
			return !slices.ContainsFunc(c.isrs(other, "t"), func(isr []int32) bool { return len(isr) != 3 })
		})
		for p, leader := range c.leaders(other, "t") {
			_, got := c.read(leader, "t", int32(p), 0)
			if values := valuesOf(t, got); len(values) < 2 || values[0] != "before" || values[len(values)-1] != "after" {
				t.Errorf("seed %d, partition %d: %v", seed, p, values)
			}
		}
	}
}

// A replica moves to another directory of its node while it is led and followed, and keeps its place.
func TestAReplicaMovesBetweenDirectoriesOfAClustersNode(t *testing.T) {
	c := newThreeWith(t, 1, twoDirs)
	leader, follower := c.led("t", 20)
	for _, id := range []int32{leader, follower} {
		from, to := "data", "more"
		if len(c.holds(id, from, "t")) == 0 {
			from, to = to, from
		}
		req := kmsg.NewPtrAlterReplicaLogDirsRequest()
		req.Version = 2
		d, rt := kmsg.NewAlterReplicaLogDirsRequestDir(), kmsg.NewAlterReplicaLogDirsRequestDirTopic()
		d.Dir, rt.Topic, rt.Partitions = to, "t", []int32{0}
		d.Topics = append(d.Topics, rt)
		req.Dirs = append(req.Dirs, d)
		wantError(t, "AlterReplicaLogDirs", ask[*kmsg.AlterReplicaLogDirsResponse](c, id, req).Topics[0].Partitions[0].ErrorCode, kafka.ErrNone)
		n := 0
		c.await("it is moved", time.Minute, func() bool {
			code, _ := c.write(c.leaders(leader, "t")[0], "t", 0, "meanwhile")
			n++
			return code == kafka.ErrNone && len(c.holds(id, to, "t")) == 1 && len(c.holds(id, from, "t")) == 0
		})
		now := c.leaders(leader, "t")[0]
		c.await("it is in sync", time.Minute, func() bool {
			f := c.followers(now, "t", 0)
			return len(f) == 2 && f[0].InSync && f[1].InSync && f[0].Lag+f[1].Lag == 0
		})
		_, got := c.read(id, "t", 0, 0)
		if values := valuesOf(t, got); len(values) < 20+n-1 {
			t.Errorf("node %d has %d records after its move, 20 and %d were written", id, len(values), n)
		}
	}
}
