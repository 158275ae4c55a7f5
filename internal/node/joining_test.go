package node_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

const servers = "controller.quorum.bootstrap.servers"

// votes reports whether exactly these nodes vote, as one of them tells.
func (c *cluster) votes(at int32, ids ...int32) bool {
	got := c.quorum(at).CurrentVoters
	if len(got) != len(ids) {
		return false
	}
	for i, v := range got {
		if v.ReplicaID != ids[i] {
			return false
		}
	}
	return true
}

// follows reports whether a node follows the metadata log without a vote, and where its directory is.
func (c *cluster) follows(at, id int32) (dir [16]byte, ok bool) {
	for _, o := range c.quorum(at).Observers {
		if o.ReplicaID == id {
			return o.ReplicaDirectoryID, true
		}
	}
	return dir, false
}

// addVoter has a controller that follows the log get a vote, by the word of a broker.
func (c *cluster) addVoter(at, id int32, dir [16]byte) kafka.ErrorCode {
	req := kmsg.NewPtrAddRaftVoterRequest()
	req.VoterID, req.VoterDirectoryID, req.TimeoutMillis = id, dir, 10_000
	l := kmsg.NewAddRaftVoterRequestListener()
	l.Name, l.Host, l.Port = "CONTROLLER", "h"+string('0'+rune(id)), 9093
	req.Listeners = append(req.Listeners, l)
	return kafka.ErrorCode(ask[*kmsg.AddRaftVoterResponse](c, at, req).ErrorCode)
}

func (c *cluster) removeVoter(at, id int32, dir [16]byte) kafka.ErrorCode {
	req := kmsg.NewPtrRemoveRaftVoterRequest()
	req.VoterID, req.VoterDirectoryID = id, dir
	return kafka.ErrorCode(ask[*kmsg.RemoveRaftVoterResponse](c, at, req).ErrorCode)
}

// The first node founds a cluster alone. Two controllers and a broker find it by its address, the controllers are given a vote, the first one
// loses its own and follows, and the others go on without it.
func TestControllersJoinAndTheFirstLeaves(t *testing.T) {
	for seed := range uint64(4) {
		c := newCluster(t, seed)
		for i, roles := range []string{"broker,controller", "controller", "controller", "broker"} {
			c.add(int32(i+1), roles, servers, "h1:9093")
		}
		c.start(1)
		c.serves(1)
		for _, id := range []int32{2, 3, 4} {
			c.start(int(id))
			c.serves(id)
		}
		if got, want := c.at(4).node.ClusterID(), c.at(1).node.ClusterID(); got != want || want == "" {
			t.Fatalf("the broker is of cluster %q, the first node of %q", got, want)
		}
		for _, id := range []int32{2, 3} {
			dir, ok := c.follows(4, id)
			if !ok {
				t.Fatalf("seed %d: node %d does not follow", seed, id)
			}
			if code := c.addVoter(4, id, dir); code != kafka.ErrNone {
				t.Fatalf("seed %d: node %d is not added: %v", seed, id, code)
			}
		}
		c.await("three vote", 10*time.Second, func() bool { return c.votes(4, 1, 2, 3) })
		first := c.quorum(4).CurrentVoters[0].ReplicaDirectoryID
		if code := c.removeVoter(4, 1, first); code != kafka.ErrNone {
			t.Fatalf("seed %d: the first is not removed: %v", seed, code)
		}
		c.await("two vote, and the first follows", 20*time.Second, func() bool {
			_, ok := c.follows(4, 1)
			return ok && c.votes(4, 2, 3)
		})
		c.kill(1)
		c.await("the others go on", 10*time.Second, func() bool { lead := c.controller(4); return lead == 2 || lead == 3 })
		c.start(1)
		c.serves(1)
	}
}

// With controller.quorum.auto.join.enable a controller gets its vote by itself; one whose directory was wiped is another voter, and takes
// the place of the one it was.
func TestAControllerJoinsByItself(t *testing.T) {
	c := newCluster(t, 3)
	c.add(1, "broker,controller", servers, "h1:9093")
	c.start(1)
	c.serves(1)
	for id := range int32(2) {
		c.add(id+2, "controller", servers, "h1:9093", "controller.quorum.auto.join.enable", "true")
		c.start(int(id + 2))
		c.serves(id + 2)
	}
	c.await("three vote", 30*time.Second, func() bool { return c.votes(1, 1, 2, 3) })
	before := c.quorum(1).CurrentVoters[2].ReplicaDirectoryID
	c.kill(3)
	c.at(3).fs = disk.NewMem()
	c.start(3)
	c.serves(3)
	c.await("the new directory votes", 30*time.Second, func() bool {
		all := c.quorum(1).CurrentVoters
		return len(all) == 3 && all[2].ReplicaID == 3 && all[2].ReplicaDirectoryID != before
	})
}

// A voter that was wiped and may not join by itself follows, and is not counted as the voter that it was.
func TestAWipedVoterOnlyFollows(t *testing.T) {
	c := newSix(t, 5)
	voted := c.quorum(4).CurrentVoters
	c.kill(2)
	c.at(2).fs = disk.NewMem()
	c.start(2)
	c.serves(2)
	c.await("it follows under its new directory", 10*time.Second, func() bool {
		dir, ok := c.follows(4, 2)
		return ok && dir != voted[1].ReplicaDirectoryID
	})
	now := c.quorum(4)
	if len(now.CurrentVoters) != 3 || now.CurrentVoters[1].ReplicaDirectoryID != voted[1].ReplicaDirectoryID {
		t.Errorf("the voters are %+v, and were %+v", now.CurrentVoters, voted)
	}
}

// A broker whose directory is of another cluster is refused with Kafka's code, and told what to do.
func TestABrokerOfAnotherClusterIsRefused(t *testing.T) {
	c := newSix(t, 6)
	other := newCluster(t, 7)
	other.add(7, "broker,controller")
	other.startAll()
	other.kill(7)
	m := c.add(7, "broker", voters, "1@h1:9093,2@h2:9093,3@h3:9093")
	m.fs, m.ends = other.at(7).fs, true
	c.start(7)
	c.await("it ends", time.Minute, func() bool { return m.ready != nil })
	if err := *m.ready; fault.CodeOf(err) != kafka.ErrInconsistentClusterId {
		t.Errorf("it starts: %v", err)
	}
}

// A voter that was removed while it was away asks for votes when it is back, is told that it has none, and follows.
func TestAVoterThatDidNotHearOfItsRemovalFollows(t *testing.T) {
	for seed := range uint64(3) {
		c := newSix(t, seed)
		voted := c.quorum(4).CurrentVoters
		c.kill(1)
		c.await("another leads", time.Minute, func() bool { lead := c.controller(4); return lead == 2 || lead == 3 })
		c.await("it is removed", time.Minute, func() bool {
			code := c.removeVoter(4, 1, voted[0].ReplicaDirectoryID)
			return code == kafka.ErrNone || code == kafka.ErrVoterNotFound
		})
		if !c.votes(4, 2, 3) {
			t.Fatalf("seed %d: the voters are %+v", seed, c.quorum(4).CurrentVoters)
		}
		if seed > 0 {
			c.campaigned(1, 1000)
		}
		c.start(1)
		dir := voted[0].ReplicaDirectoryID
		c.await("it follows", 20*time.Second, func() bool { _, ok := c.follows(4, 1); return ok })
		if code := c.addVoter(4, 1, dir); code != kafka.ErrNone {
			t.Fatalf("seed %d: %v", seed, code)
		}
		c.await("it votes again", 20*time.Second, func() bool { return c.votes(4, 1, 2, 3) })
	}
}

// campaigned leaves a voter that was killed as if it had asked for votes in an epoch that nobody won, and nobody else remembers.
func (c *cluster) campaigned(id int32, epoch int) {
	c.t.Helper()
	state := fmt.Sprintf(`{"leaderId":-1,"leaderEpoch":%d,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}`, epoch)
	f, err := c.at(id).fs.Open("data/__cluster_metadata-0/quorum-state", disk.Write|disk.Trunc)
	if err == nil {
		_, err = f.WriteAt([]byte(state), 0)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}
