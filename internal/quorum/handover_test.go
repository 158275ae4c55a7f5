package quorum

import (
	"fmt"
	"testing"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// succession kills a leader, tells the others after a moment that its process is gone, or doesn't, and returns how long
// nobody took commands.
func succession(t testing.TB, seed uint64, voters int, told bool) time.Duration {
	c := newCluster(t, seed, voters, Config{ElectionTimeout: time.Second})
	c.awaitLeader()
	c.w.Run(time.Duration(c.w.Rand().IntN(500)) * time.Millisecond) // somewhere between two heartbeats
	leader := c.awaitLeader()
	died := c.w.Now().Mono
	leader.proc.Kill()
	for _, nd := range c.nodes {
		if nd != leader && told {
			c.w.After(time.Duration(c.w.Rand().IntN(2000))*time.Microsecond, func() { nd.q.LeaderGone(leader.key.NodeID) })
		}
	}
	c.awaitLeader()
	return c.w.Now().Mono - died
}

func TestALeaderWhoseProcessIsGoneIsSucceededWithoutWaiting(t *testing.T) {
	for seed := range uint64(100) {
		patience := Config{ElectionTimeout: time.Second}.patience()
		if took := succession(t, seed, 3+2*int(seed%2), true); took >= patience {
			t.Fatalf("seed %d: %v of virtual time without a leader although all were told; silence would have taken %v", seed, took, patience)
		}
		if took := succession(t, seed, 3, false); took < patience/2 {
			t.Fatalf("seed %d: a leader after %v although nobody was told: what does telling do?", seed, took)
		}
	}
}

func TestARumourAboutAnotherChangesNothing(t *testing.T) {
	c := newCluster(t, 3, 3, Config{})
	leader := c.awaitLeader()
	_, epoch := leader.q.Leader()
	c.w.Run(time.Second)
	for _, nd := range c.nodes {
		for id := range kafka.NodeID(5) {
			if id != leader.key.NodeID || nd == leader {
				nd.q.LeaderGone(id)
			}
		}
	}
	c.w.Run(10 * time.Second)
	if _, now := c.awaitLeader().q.Leader(); now != epoch {
		t.Fatalf("epoch %d became %d", epoch, now)
	}
}

// A false rumour costs an election and loses nothing.
func TestALeaderThatIsNotGoneIsOnlyDisturbed(t *testing.T) {
	c := newCluster(t, 4, 3, Config{})
	h := newHistory(c)
	for range 40 {
		leader := c.awaitLeader()
		h.submit(leader)
		for _, nd := range c.nodes {
			nd.q.LeaderGone(leader.key.NodeID)
		}
		c.w.Run(time.Duration(c.w.Rand().IntN(30)) * time.Millisecond)
	}
	c.w.Run(30 * time.Second)
	h.check("the leader", c.awaitLeader().machine.committed)
}

func TestALeadershipIsHandedOverWithoutALoss(t *testing.T) {
	for seed := range uint64(30) {
		c := newCluster(t, seed, 3, Config{})
		h := newHistory(c)
		leader := c.awaitLeader()
		c.w.Run(time.Second)
		for range 50 {
			h.submit(leader)
		}
		to := kafka.NoNode
		if seed%2 == 0 {
			to = leader.key.NodeID%3 + 1
		}
		answer := "none"
		leader.q.TransferTo(to, func(err error) { answer = fmt.Sprint(err) })
		late := kafka.ErrNone
		leader.q.Submit(put{"late", "v", 1}, func(_ Reply, err error) { late = fault.CodeOf(err) })
		if !c.w.RunUntil(150*time.Millisecond, func() bool { return answer != "none" && c.leader() != nil }) {
			t.Fatalf("seed %d: answer %s, leader %v", seed, answer, c.leader())
		}
		next := c.leader()
		if next == leader || to != kafka.NoNode && next.key.NodeID != to || answer != "<nil>" {
			t.Fatalf("seed %d: node %d leads, %d was wanted; %s", seed, next.key.NodeID, to, answer)
		}
		if len(h.acked) != 50 || late != kafka.ErrNotController {
			t.Fatalf("seed %d: %d of 50 changes were acknowledged, the late one got %v", seed, len(h.acked), late)
		}
		h.check("the next leader", next.machine.committed)
	}
}

func TestALeadershipThatNobodyTakesStays(t *testing.T) {
	c := newCluster(t, 5, 3, Config{})
	leader := c.awaitLeader()
	c.w.Run(time.Second)
	to := leader.key.NodeID%3 + 1
	c.cut[[2]kafka.NodeID{leader.key.NodeID, to}] = true
	var got error
	leader.q.TransferTo(to, func(err error) { got = err })
	var second error
	leader.q.TransferTo(to, func(err error) { second = err })
	c.w.Run(20 * time.Second)
	if fault.CodeOf(got) != kafka.ErrRequestTimedOut || fault.CodeOf(second) != kafka.ErrRequestTimedOut {
		t.Fatalf("%v, %v", got, second)
	}
	c.cut = map[[2]kafka.NodeID]bool{}
	h := newHistory(c)
	h.submit(c.awaitLeader())
	c.w.Run(time.Second)
	if c.awaitLeader() != leader || len(h.acked) != 1 {
		t.Fatalf("node %d leads, %d acknowledged", c.awaitLeader().key.NodeID, len(h.acked))
	}
	leader.q.TransferTo(9, func(err error) { got = err })
	if fault.CodeOf(got) != kafka.ErrVoterNotFound {
		t.Fatalf("%v", got)
	}
	leader.q.TransferTo(to, func(err error) { got = err })
	leader.q.Close()
	if !fault.IsKind(got, fault.Closed) {
		t.Fatalf("%v", got)
	}
}

// There is somebody to hand over to at any moment, also at those at which Raft begins anew to count whom it has heard of.
func TestASuccessorIsFoundWhileRaftCountsAnew(t *testing.T) {
	c := newCluster(t, 6, 3, Config{})
	leader := c.awaitLeader()
	c.w.Run(time.Second)
	counted := func() (n int) {
		leader.q.engine.node.WithProgress(func(_ uint64, _ raft.ProgressType, pr tracker.Progress) {
			if pr.RecentActive {
				n++
			}
		})
		return n
	}
	if !c.w.RunUntil(time.Second, func() bool { return counted() == 1 }) {
		t.Fatal("Raft always counts others as heard of: this is not the case that the test is for")
	}
	err := error(fault.Shutdown("not answered"))
	leader.q.StepAside(func(e error) { err = e })
	c.w.Run(time.Second)
	if err != nil || c.awaitLeader() == leader {
		t.Errorf("it leads on: %v", err)
	}
}

// hanging is a flush service that at some moment ends no flush any more.
type hanging struct {
	Flusher
	hangs bool
}

func (h *hanging) Flush(targets []disk.Syncer, done func(error)) {
	h.Flusher.Flush(targets, func(err error) {
		if !h.hangs {
			done(err)
		}
	})
}

// A leader whose disk hangs from the moment of its election on is not active, and steps aside all the same.
func TestALeaderThatNeverBeganStepsAside(t *testing.T) {
	c := newCluster(t, 7, 3, Config{})
	for _, nd := range c.nodes {
		nd.q.o.Flusher = &hanging{Flusher: nd.q.o.Flusher}
	}
	var elected *simNode
	if !c.w.RunUntil(10*time.Second, func() bool {
		for _, nd := range c.nodes {
			if r := nd.q.lead.role; r.leading && !r.active {
				elected = nd
			}
		}
		return elected != nil
	}) {
		t.Fatal("nobody was seen between its election and its first commit")
	}
	elected.q.o.Flusher.(*hanging).hangs = true
	c.w.Run(20 * time.Second)
	if elected.q.Active() || !elected.q.lead.role.leading {
		t.Fatal("it is active, or leads no more: this is not the case that the test is for")
	}
	err := error(fault.Shutdown("not answered"))
	elected.q.StepAside(func(e error) { err = e })
	c.w.Run(time.Second)
	if next := c.awaitLeader(); err != nil || next == elected {
		t.Errorf("it leads on: %v", err)
	}
}
