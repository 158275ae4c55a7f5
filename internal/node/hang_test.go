package node_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// D5, F11: the disk of a node hangs, of the active controller or of another. What it leads others lead once its flush is over its bound,
// and nobody waits for it as a follower either: every writer goes on, those included that were waiting at it. When its disk is well
// again it is in sync with everything, and everything that was acknowledged is there.
func TestANodeWhoseDiskHangsHandsOver(t *testing.T) {
	for _, controls := range []bool{true, false} {
		c := newThreeWith(t, 7, func(int) map[string]string {
			return map[string]string{"min.insync.replicas": "2", "milena.flush.stall.ms": "1000"}
		})
		const partitions = 6
		c.create(1, "t", partitions)
		hung := c.controller(1)
		if !controls {
			hung = hung%3 + 1
		}
		other := hung%3 + 1
		if !slices.Contains(c.leaders(1, "t"), hung) {
			t.Fatalf("node %d leads nothing", hung)
		}
		var writers []*writer
		for p := range int32(partitions) {
			writers = append(writers, c.writer("t", p, -1))
		}
		c.w.Run(200 * time.Millisecond)
		c.at(hung).slow = 8 * time.Second
		c.await("others lead, without it", 3*time.Second, func() bool {
			return !slices.ContainsFunc(c.partitions(other, "t"), func(p kmsg.MetadataResponseTopicPartition) bool {
				return p.Leader == hung || slices.Contains(p.ISR, hung)
			})
		})
		if !strings.Contains(c.at(hung).log.String(), "the controller is asked to have other replicas lead") {
			t.Error("its log doesn't say why")
		}
		c.w.Run(200 * time.Millisecond)
		before := counts(writers)
		c.w.Run(200 * time.Millisecond)
		for i, n := range counts(writers) {
			if n <= before[i] {
				t.Errorf("controller %v, partition %d: nothing is acknowledged while node %d hangs; its writer asks node %d and heard %v", controls, i, hung, writers[i].leader, writers[i].refused)
			}
			writers[i].over = true
		}
		c.at(hung).slow = 0
		c.await("everybody is in sync", 30*time.Second, func() bool {
			return !slices.ContainsFunc(c.partitions(other, "t"), func(p kmsg.MetadataResponseTopicPartition) bool { return len(p.ISR) != 3 })
		})
		for i, w := range writers {
			there := map[string]bool{}
			for _, v := range c.contents(c.leaders(other, "t")[i], "t", int32(i)) {
				there[v] = true
			}
			for v := range w.at {
				if !there[fmt.Sprint(v)] {
					t.Errorf("partition %d: value %d was acknowledged and is gone", i, v)
				}
			}
		}
		if code, _ := c.write(c.leaders(other, "t")[0], "t", 0, "after"); code != kafka.ErrNone {
			t.Errorf("writing afterwards: %v", code)
		}
	}
}

// A flush that ends before the node has said that it hangs may have been told to the controller by a heartbeat already. When it is over
// the node takes writes again, of whatever it leads then.
func TestAFlushThatHungAndEndedHoldsNobodyBack(t *testing.T) {
	c := newThreeWith(t, 7, func(int) map[string]string {
		return map[string]string{
			"min.insync.replicas": "2", "milena.flush.stall.ms": "1000", "broker.heartbeat.interval.ms": "20",
			"leader.imbalance.check.interval.seconds": "1", "leader.imbalance.per.broker.percentage": "0",
		}
	})
	const partitions = 6
	c.create(1, "t", partitions)
	hung := c.controller(1)%3 + 1
	other := hung%3 + 1
	var writers []*writer
	for p := range int32(partitions) {
		writers = append(writers, c.writer("t", p, -1))
	}
	c.w.Run(200 * time.Millisecond)
	c.at(hung).slow = 1040 * time.Millisecond
	c.await("others lead, without it", 10*time.Second, func() bool { return !slices.Contains(c.leaders(other, "t"), hung) })
	c.at(hung).slow = 0
	if strings.Contains(c.at(hung).log.String(), "its device hangs or is very slow") {
		t.Fatal("its log tells of a flush that hangs: this is not the case that the test is for")
	}
	c.await("it leads again", 30*time.Second, func() bool { return slices.Contains(c.leaders(other, "t"), hung) })
	for _, w := range writers {
		w.over = true
	}
	c.w.Run(2 * time.Second)
	for p, leader := range c.leaders(other, "t") {
		if code, _ := c.write(leader, "t", int32(p), "after"); code != kafka.ErrNone {
			t.Errorf("partition %d, led by node %d of which node %d's disk hung: %v", p, leader, hung, code)
		}
	}
}

// A controller whose disk hangs is none, whichever directory the metadata log has.
func TestAControllerWhoseDiskHangsStepsAside(t *testing.T) {
	for _, dir := range []string{"data", "metadata"} {
		c := newThreeWith(t, 7, func(int) map[string]string {
			return map[string]string{"milena.flush.stall.ms": "1000", "metadata.log.dir": dir}
		})
		hung := c.controller(1)
		c.at(hung).slow = 20 * time.Second
		c.w.Run(4 * time.Second)
		if now := c.controller(hung%3 + 1); now == hung || now < 0 {
			t.Errorf("metadata in %s: node %d controls, and node %d's disk hangs", dir, now, hung)
		}
	}
}

// A successor that dies before it hears that it is one is not the last that is asked.
func TestAControllerWhoseDiskHangsAsksAnother(t *testing.T) {
	c := newCluster(t, 7)
	for id := range int32(5) {
		c.add(id+1, "broker,controller", "controller.quorum.voters", "1@h1:9093,2@h2:9093,3@h3:9093,4@h4:9093,5@h5:9093", "milena.flush.stall.ms", "1000")
	}
	c.startAll()
	hung := c.at(c.controller(1))
	hung.slow = 20 * time.Second
	var said string
	c.await("it hands over", 5*time.Second, func() (yes bool) {
		_, said, yes = strings.Cut(hung.log.String(), "metadata leader hands over\" component=kafka.raft to=")
		return yes
	})
	successor := int32(said[0] - '0')
	c.kill(successor)
	c.w.Run(4 * time.Second)
	other := int32(1)
	for other == successor || other == hung.id {
		other++
	}
	if now := c.controller(other); now == hung.id || now < 0 {
		t.Errorf("node %d controls, and node %d's disk hangs", now, hung.id)
	}
}

func counts(writers []*writer) (out []int) {
	for _, w := range writers {
		out = append(out, len(w.at))
	}
	return out
}
