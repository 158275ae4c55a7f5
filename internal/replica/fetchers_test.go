package replica_test

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

func acked(c *city) (n int) {
	for _, a := range c.acked {
		n += len(a)
	}
	return n
}

func TestFollowersFollow(t *testing.T) {
	c := newCity(t, 1, 6, 2)
	for range 50 {
		for i := range c.regs {
			c.write(i)
		}
		c.w.Run(20 * time.Millisecond)
	}
	c.settle()
	if n := acked(c); n != 300 {
		t.Fatalf("%d of 300 writes were acknowledged", n)
	}
}

// One record alone waits for the flush of each member and two trips, and not for a long poll (architecture D7).
func TestALoneRecordDoesNotWaitForTheLongPoll(t *testing.T) {
	c := newCity(t, 2, 1, 3)
	c.w.Run(10 * time.Second)
	for n := 1; n <= 20; n++ {
		c.w.Run(time.Duration(c.w.Uint64()%1000) * time.Millisecond)
		c.write(0)
		c.w.Run(100 * time.Millisecond)
		if acked(c) != n {
			t.Fatalf("record %d is not acknowledged after 100 ms", n)
		}
	}
}

// A leader that keeps no fetch sessions isn't asked without a pause, and what it takes is acknowledged soon all the same.
func TestWithoutSessionsFollowersDoNotAskAllTheTime(t *testing.T) {
	c := newCityOf(t, 3, 1, 3, 0)
	c.w.Run(time.Second)
	before := c.asked
	c.w.Run(10 * time.Second)
	if n := c.asked - before; n == 0 || n > 2*1000 { // two followers, each a hundred times a second
		t.Errorf("followers that have everything asked %d times in 10 s", n)
	}
	for n := 1; n <= 20; n++ {
		c.write(0)
		c.w.Run(100 * time.Millisecond)
		if acked(c) != n {
			t.Fatalf("record %d is not acknowledged after 100 ms", n)
		}
	}
}

// A follower whose log could not be opened follows once it can, also when there was news of it in between, which ends its rest.
func TestAFollowerWhoseLogDidNotOpenFollowsLater(t *testing.T) {
	for _, news := range []bool{false, true} {
		c := newCity(t, 5, 1, 2)
		c.kill(3, false)
		c.write(0)
		c.w.Run(time.Second)
		tries := 0
		c.refuse = func(id kafka.NodeID) error {
			tries++
			return &fault.Error{Op: "test", Kind: fault.Full, Code: kafka.ErrKafkaStorageError, Message: "no room"}
		}
		c.revive(3)
		for c.w.RunUntil(time.Second, func() bool { return tries > 0 }); news && tries < 40; {
			c.publish(0)
			c.w.Run(time.Millisecond)
		}
		c.refuse = nil
		c.settle()
		if tries == 0 {
			t.Error("the log was opened at once")
		}
	}
}

// A partition that begins to follow a broker which is asked for others already is not kept waiting behind their long poll.
func TestOneMorePartitionDoesNotWaitForTheLongPoll(t *testing.T) {
	c := newCity(t, 4, 6, 3)
	for n := 1; n <= 20; n++ {
		c.w.Run(time.Duration(c.w.Uint64()%1000) * time.Millisecond)
		reg := &c.regs[0]
		reg.Leader, reg.LeaderEpoch, reg.PartitionEpoch = reg.Leader%3+1, reg.LeaderEpoch+1, reg.PartitionEpoch+1
		c.publish(0)
		c.w.Run(10 * time.Millisecond)
		c.write(0)
		c.w.Run(100 * time.Millisecond)
		if got := acked(c); got != n {
			t.Fatalf("%d of %d writes are acknowledged 100 ms after a change of leaders", got, n)
		}
	}
}

// A follower whose log ends before the leader's begins starts anew, also when it hears of that by a report: others are being fetched
// from that leader, so that there is no Fetch for records to hear it by.
func TestAFollowerBehindTheLogStartBeginsAnewBesideALongPoll(t *testing.T) {
	c := newCity(t, 5, 6, 2)
	lead := func(n kafka.NodeID) {
		reg := &c.regs[0]
		reg.Leader, reg.LeaderEpoch, reg.PartitionEpoch = n, reg.LeaderEpoch+1, reg.PartitionEpoch+1
		c.publish(0)
		c.w.Run(5 * time.Second)
	}
	c.kill(3, false)
	c.w.Run(time.Second)
	for range 3 {
		c.write(0)
		c.w.Run(time.Second)
	}
	c.node(1).parts[0].DeleteRecords(2, time.Minute, func(kafka.Offset, error) {})
	c.w.Run(time.Second)
	lead(kafka.NoNode)
	c.revive(3)
	lead(1)
	if at, want := c.node(3).parts[0].Standing(), c.node(1).parts[0].Standing(); at.LogStart != 2 || at.End != want.End {
		t.Fatalf("the follower stands at %+v, its leader at %+v", at, want)
	}
}

// A partition whose leadership comes to a broker that is fetched from already is asked for at once.
func TestANewLeaderIsFetchedFromAtOnce(t *testing.T) {
	c := newCity(t, 3, 6, 2)
	c.w.Run(5 * time.Second)
	c.kill(1, false)
	c.w.Run(20 * time.Millisecond)
	for i := range c.regs {
		c.write(i)
	}
	c.w.Run(150 * time.Millisecond)
	if n := acked(c); n != 6 {
		t.Fatalf("%d of 6 writes were acknowledged", n)
	}
	c.revive(1)
	c.settle()
}

// Brokers that never fetched from each other, since one led everything, begin to at once when that is gone: the first Fetch of a
// session is not parked, behind which whoever follows a moment later would stand.
func TestANewSessionDoesNotWaitForTheLongPoll(t *testing.T) {
	for seed := range uint64(10) {
		c := newCity(t, seed, 30, 2)
		for i := range c.regs {
			reg := &c.regs[i]
			reg.Leader, reg.LeaderEpoch, reg.PartitionEpoch = 1, reg.LeaderEpoch+1, reg.PartitionEpoch+1
			c.publish(i)
		}
		c.w.Run(5 * time.Second)
		c.kill(1, false)
		c.w.Run(20 * time.Millisecond)
		c.write(28)
		c.write(29)
		c.w.Run(150 * time.Millisecond)
		if n := acked(c); n != 2 {
			t.Fatalf("seed %d: %d of 2 writes were acknowledged", seed, n)
		}
	}
}

func TestNothingAcknowledgedIsLost(t *testing.T) {
	total := 0
	for seed := range uint64(100) {
		c := newCity(t, seed, 3, 2)
		down := kafka.NodeID(0)
		for range 60 {
			for range c.w.Uint64() % 6 {
				c.write(int(c.w.Uint64() % 3))
				c.w.Run(time.Duration(c.w.Uint64()%4000) * time.Microsecond)
			}
			switch n := kafka.NodeID(c.w.Uint64()%3 + 1); c.w.Uint64() % 8 {
			case 0, 1:
				if down == 0 {
					c.kill(n, c.w.Uint64()%2 == 0)
					down = n
				}
			case 2, 3:
				if down != 0 {
					c.revive(down)
					down = 0
				}
			case 6:
				if down == 0 && c.w.Uint64()%3 == 0 {
					for range 20 {
						c.write(int(c.w.Uint64() % 3))
						c.w.Run(time.Duration(c.w.Uint64()%400) * time.Microsecond)
					}
					for id := range kafka.NodeID(3) {
						c.kill((n+id)%3+1, true)
					}
					c.w.Run(time.Duration(c.w.Uint64()%1000) * time.Millisecond)
					for id := range kafka.NodeID(3) {
						c.revive(id + 1)
					}
				}
			case 4:
				other := n%3 + 1
				c.net.Break(host(n), host(other))
			case 5:
				other := n%3 + 1
				c.net.Cut(host(n), host(other))
				c.w.After(time.Duration(c.w.Uint64()%4000)*time.Millisecond, func() { c.net.Heal(host(n), host(other)) })
			}
			c.w.Run(time.Duration(c.w.Uint64()%500) * time.Millisecond)
		}
		if down != 0 {
			c.revive(down)
		}
		c.w.Run(5 * time.Second)
		c.settle()
		total += acked(c)
	}
	if total < 1000 {
		t.Fatalf("only %d writes were acknowledged: the test tests nothing", total)
	}
}
