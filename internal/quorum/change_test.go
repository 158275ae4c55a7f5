package quorum

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// moving is a cluster whose voters may come and go.
func moving(t testing.TB, seed uint64, voters int, conf Config) *cluster {
	c := newCluster(t, seed, voters, conf)
	c.moving = true
	for _, nd := range c.nodes { // they were started before it was said
		nd.q.o.Unseated = c.unseated(nd)
	}
	return c
}

// ends names the voters as a node sees them.
func members(nd *simNode) string {
	var ids []int32
	for _, v := range nd.q.voters {
		ids = append(ids, int32(v.ID))
	}
	return fmt.Sprint(ids)
}

// outcome keeps an answer as its code.
func outcome(to *string) func(error) {
	return func(err error) { *to += fault.CodeOf(err).String() + " " }
}

func TestAVoterIsAddedWhenItHasTheLog(t *testing.T) {
	c := moving(t, 1, 3, Config{})
	leader := c.awaitLeader()
	h := newHistory(c)
	for range 30 {
		h.submit(leader)
	}
	nd := c.newcomer()
	for id := range kafka.NodeID(4) {
		c.cut[[2]kafka.NodeID{nd.key.NodeID, id}] = true
	}
	var first, second string
	leader.q.AddVoter(c.seat(4), time.Minute, true, outcome(&first))
	leader.q.RemoveVoter(c.nodes[0].key, time.Minute, outcome(&second))
	c.w.Run(20 * time.Second)
	if first != "" || second != "REQUEST_TIMED_OUT " || members(leader) != "[1 2 3]" {
		t.Fatalf("%q, %q, %s: a voter without the log must wait, and the next change for it", first, second, members(leader))
	}
	c.cut = map[[2]kafka.NodeID]bool{}
	if !c.w.RunUntil(10*time.Second, func() bool { return nd.q != nil && first != "" }) || first != "NONE " {
		t.Fatalf("%q, voter %v", first, nd.q != nil)
	}
	// Of four voters three are a majority: it has a vote that counts.
	for _, other := range c.nodes[:3] {
		if other != leader {
			c.crash(other)
			break
		}
	}
	before := len(h.acked)
	h.submit(leader)
	c.w.Run(5 * time.Second)
	if len(h.acked) != before+1 {
		t.Fatal("two of the first voters and the new one are no majority")
	}
	leader.proc.Kill()
	c.w.Run(10 * time.Second)
	if c.leader() != nil {
		t.Fatal("one of three and a new one lead: a majority of four is three")
	}
}

func TestAnAddedVoterCanLead(t *testing.T) {
	c := moving(t, 2, 1, Config{SnapshotBytes: 400, RetentionBytes: 500})
	leader := c.awaitLeader()
	h := newHistory(c)
	for range 40 {
		h.submit(leader)
		c.w.Run(50 * time.Millisecond)
	}
	for id := kafka.NodeID(2); id <= 3; id++ {
		nd, got := c.newcomer(), ""
		c.w.Run(3 * time.Second)
		leader.q.AddVoter(c.seat(id), 10*time.Second, true, outcome(&got))
		c.w.Run(10 * time.Second)
		if got != "NONE " || nd.q == nil {
			t.Fatalf("node %d: %s, voter %v", id, got, nd.q != nil)
		}
	}
	got := ""
	leader.q.TransferTo(3, outcome(&got))
	c.w.Run(5 * time.Second)
	if got != "NONE " || c.leader() != c.nodes[2] {
		t.Fatalf("%s, %v", got, c.leader())
	}
	h.submit(c.leader())
	c.w.Run(2 * time.Second)
	h.check("the third voter", c.leader().machine.committed)
	sameBytes(t, 2, c)
}

func TestALeaderThatIsRemovedIsSucceededAtOnce(t *testing.T) {
	for seed := range uint64(20) {
		c := moving(t, seed, 3, Config{ElectionTimeout: time.Second})
		leader := c.awaitLeader()
		h := newHistory(c)
		for range 10 {
			h.submit(leader)
		}
		got := ""
		leader.q.RemoveVoter(leader.key, time.Second, outcome(&got))
		if !c.w.RunUntil(c.conf.patience(), func() bool { return c.leader() != nil && c.leader() != leader }) {
			t.Fatalf("seed %d: nobody succeeded, answer %q", seed, got)
		}
		c.w.Run(time.Second)
		next := c.leader()
		if got != "NONE " || len(h.acked) != 10 || leader.ob == nil || slices.Contains([]byte(members(next)), byte('0'+leader.key.NodeID)) {
			t.Fatalf("seed %d: %q, %d acknowledged, voters %s, an observer %v", seed, got, len(h.acked), members(next), leader.ob != nil)
		}
		h.submit(next)
		c.w.Run(5 * time.Second)
		h.check("who was removed", leader.view.state)
	}
}

func TestVoterChangesAreRefusedInKafkasWords(t *testing.T) {
	c := moving(t, 3, 3, Config{})
	leader := c.awaitLeader()
	c.w.Run(time.Second)
	follower := c.nodes[leader.key.NodeID%3]
	newcomer := Voter{ID: 9, Directory: kafka.DirectoryID{9}, MaxKRaft: 1, Endpoints: c.seat(1).Endpoints}
	change := func(f func(v *Voter)) Voter { v := newcomer; f(&v); return v }
	cases := []struct {
		name string
		ask  func(done func(error))
		want kafka.ErrorCode
	}{
		{"no leader", func(d func(error)) { follower.q.AddVoter(newcomer, time.Second, true, d) }, kafka.ErrNotLeaderOrFollower},
		{"id twice", func(d func(error)) { leader.q.AddVoter(change(func(v *Voter) { v.ID = 2 }), time.Second, true, d) }, kafka.ErrDuplicateVoter},
		{"no directory", func(d func(error)) {
			leader.q.AddVoter(change(func(v *Voter) { v.Directory = kafka.DirectoryID{} }), time.Second, true, d)
		}, kafka.ErrInvalidRequest},
		{"no endpoint", func(d func(error)) {
			leader.q.AddVoter(change(func(v *Voter) { v.Endpoints = nil }), time.Second, true, d)
		}, kafka.ErrInvalidRequest},
		{"another version", func(d func(error)) {
			leader.q.AddVoter(change(func(v *Voter) { v.MaxKRaft = 0 }), time.Second, true, d)
		}, kafka.ErrInvalidRequest},
		{"never heard of", func(d func(error)) { leader.q.AddVoter(newcomer, time.Second, true, d) }, kafka.ErrRequestTimedOut},
		{"nobody", func(d func(error)) { leader.q.RemoveVoter(Key{9, kafka.DirectoryID{9}}, time.Second, d) }, kafka.ErrVoterNotFound},
		{"another directory", func(d func(error)) { leader.q.RemoveVoter(Key{2, kafka.DirectoryID{9}}, time.Second, d) }, kafka.ErrVoterNotFound},
		{"update of nobody", func(d func(error)) { leader.q.UpdateVoter(newcomer, time.Second, d) }, kafka.ErrVoterNotFound},
	}
	for _, q := range cases {
		var got error
		q.ask(func(err error) { got = err })
		c.w.Run(2 * time.Second)
		if fault.CodeOf(got) != q.want {
			t.Errorf("%s: %v, want %v", q.name, got, q.want)
		}
	}
	moved := c.seat(2)
	moved.Endpoints[0].Port = 1234
	got := ""
	leader.q.UpdateVoter(moved, time.Second, outcome(&got))
	c.w.Run(time.Second)
	for _, nd := range c.nodes {
		if v, _ := nd.q.voters.byKey(c.nodes[1].key); got != "NONE " || v.Endpoints[0].Port != 1234 {
			t.Errorf("%s, node %d still sees port %d", got, nd.key.NodeID, v.Endpoints[0].Port)
		}
	}
	alone := moving(t, 3, 1, Config{})
	nd := alone.awaitLeader()
	var last error
	nd.q.RemoveVoter(nd.key, time.Second, func(err error) { last = err })
	if fault.CodeOf(last) != kafka.ErrInvalidRequest {
		t.Errorf("the only voter: %v", last)
	}
}

// migration runs voters that come and go through loss, cuts and crashes.
func migration(t testing.TB, seed uint64) (h *history, changes, stale int) {
	conf := Config{}
	if seed%3 == 0 {
		conf = Config{SnapshotBytes: 2000, RetentionBytes: 3000}
	}
	c := moving(t, seed, 3, conf)
	h = newHistory(c)
	c.newcomer()
	c.newcomer()
	rng := c.w.Rand()
	count := func(err error) {
		c.note("changed", fault.CodeOf(err))
		if err == nil {
			changes++
		}
	}
	some := func() *simNode { return c.nodes[rng.IntN(len(c.nodes))] }
	for range 60 {
		switch rng.IntN(9) {
		case 0:
			c.loss = rng.IntN(30)
		case 1:
			c.cut[[2]kafka.NodeID{some().key.NodeID, some().key.NodeID}] = true
		case 2, 3:
			c.cut, c.loss = map[[2]kafka.NodeID]bool{}, 0
		case 4:
			nd := some()
			c.crash(nd)
			c.w.Run(time.Duration(rng.IntN(3000)) * time.Millisecond)
			c.restart(nd)
		case 5, 6:
			if leader := c.leader(); leader != nil {
				leader.q.AddVoter(c.seat(some().key.NodeID), 3*time.Second, rng.IntN(2) == 0, count)
			}
		case 7:
			if leader := c.leader(); leader != nil {
				leader.q.RemoveVoter(some().key, 3*time.Second, count)
			}
		case 8:
			if leader := c.leader(); leader != nil && rng.IntN(2) == 0 {
				for _, nd := range c.nodes {
					if nd.q != nil {
						nd.q.LeaderGone(leader.key.NodeID)
					}
				}
			}
		}
		for range rng.IntN(15) {
			if nd := some(); nd.q != nil {
				h.submit(nd)
			}
			c.w.Run(time.Duration(rng.IntN(20)) * time.Millisecond)
		}
		c.w.Run(time.Duration(rng.IntN(1500)) * time.Millisecond)
		c.note("round")
	}
	c.cut, c.loss = map[[2]kafka.NodeID]bool{}, 0
	if !c.w.RunUntil(2*time.Minute, func() bool { return agreed(c) }) {
		for _, nd := range c.nodes {
			if nd.q != nil {
				t.Logf("node %d: %+v", nd.key.NodeID, nd.q.Describe())
			} else {
				id, e := nd.ob.Leader()
				t.Logf("node %d observes %d of epoch %d, committed %d", nd.key.NodeID, id, e, nd.ob.committed)
			}
		}
		t.Fatalf("seed %d: no agreement two minutes after all is healed", seed)
	}
	leader := c.leader()
	for _, nd := range c.nodes {
		state := nd.view.state
		if _, votes := leader.q.voters.byKey(nd.key); nd.q != nil && !votes {
			stale++
			continue
		} else if nd.q != nil {
			state = nd.machine.committed
		}
		h.check(fmt.Sprintf("seed %d, node %d", seed, nd.key.NodeID), state)
		if nd.failed != nil || !maps.Equal(state, leader.machine.committed) {
			t.Fatalf("seed %d: node %d differs, or failed: %v", seed, nd.key.NodeID, nd.failed)
		}
	}
	sameBytes(t, seed, c)
	return h, changes, stale
}

// agreed reports whether every node has what the leader has, and votes if and only if the leader's list says so.
func agreed(c *cluster) bool {
	leader := c.leader()
	if leader == nil {
		return false
	}
	end := leader.q.engine.store.pos.end()
	for _, nd := range c.nodes {
		_, votes := leader.q.voters.byKey(nd.key)
		switch {
		case nd.q != nil && votes:
			if nd.q.committed != end {
				return false
			}
		case nd.q != nil: // removed, and all whom it knows were, too: nobody tells it, and it does no harm
		case nd.ob == nil || votes || nd.ob.committed != end || nd.view.next != end:
			return false
		}
	}
	return true
}

func TestVotersComeAndGoInAStormAndNothingAcknowledgedIsLost(t *testing.T) {
	acked, changes, stale := 0, 0, 0
	for seed := range uint64(150) {
		h, n, s := migration(t, seed)
		acked, changes, stale = acked+len(h.acked), changes+n, stale+s
	}
	t.Logf("%d changes of voters, %d of state, %d stale voters at the end", changes, acked, stale)
	if acked < 1500 || changes < 500 || stale > 50 {
		t.Fatalf("%d changes of voters, %d of state: the test tests nothing", changes, acked)
	}
}

// A leader that takes itself out writes nothing after that, so that the voter which has not heard that this is committed has the
// longest log, and the vote of who was removed.
func TestALeaderThatIsRemovedIsSucceededWithoutItsLastWord(t *testing.T) {
	for seed := range uint64(20) {
		c := moving(t, seed, 2, Config{IdleInterval: -1})
		leader := c.awaitLeader()
		next := c.nodes[2-leader.key.NodeID]
		h := newHistory(c)
		h.submit(leader)
		c.w.Run(time.Second)
		got, end := "", leader.q.committed
		leader.q.RemoveVoter(leader.key, time.Second, outcome(&got))
		h.submit(leader)
		if !c.w.RunUntil(time.Second, func() bool { return next.q.engine.store.pos.end() > end }) {
			t.Fatalf("seed %d: the change does not arrive", seed)
		}
		c.cut[[2]kafka.NodeID{leader.key.NodeID, next.key.NodeID}] = true
		if !c.w.RunUntil(time.Second, func() bool { return got != "" }) || got != "NONE " {
			t.Fatalf("seed %d: %q", seed, got)
		}
		if next.q.committed > end {
			t.Fatalf("seed %d: it is known that the change is committed: the test tests nothing", seed)
		}
		c.w.Run(10 * time.Millisecond) // what is under way is lost
		c.cut = map[[2]kafka.NodeID]bool{}
		if !c.w.RunUntil(20*time.Second, func() bool { return next.q.Active() && leader.ob != nil && leader.ob.committed == next.q.committed }) {
			t.Fatalf("seed %d: nobody succeeds: %+v", seed, next.q.Describe())
		}
		h.submit(next)
		c.w.Run(time.Second)
		if members(next) != fmt.Sprintf("[%d]", next.key.NodeID) || len(h.acked) != 2 {
			t.Fatalf("seed %d: voters %s, %d acknowledged", seed, members(next), len(h.acked))
		}
		h.check("who succeeds", next.machine.committed)
		sameBytes(t, seed, c)
	}
}

// A voter that was far behind when it was made one pulls the log as an observer, and is then offered a snapshot which it has by a leader
// that does not know how far it is, and which does not name it.
func TestAVoterTakesNoHarmFromASnapshotOfTheTimeBeforeIt(t *testing.T) {
	for seed := range uint64(20) {
		c := moving(t, seed, 1, Config{SnapshotBytes: 400, RetentionBytes: 500})
		leader := c.awaitLeader()
		h := newHistory(c)
		nd, got := c.newcomer(), ""
		c.w.Run(lentFor + time.Second)
		c.cut[[2]kafka.NodeID{nd.key.NodeID, leader.key.NodeID}] = true
		for range 40 {
			h.submit(leader)
			c.w.Run(5 * time.Millisecond)
		}
		if start, _ := leader.log.Bounds(); start <= nd.ob.store.pos.end() {
			t.Fatalf("seed %d: the leader's log goes back to %d: nobody is far behind", seed, start)
		}
		leader.q.AddVoter(c.seat(nd.key.NodeID), time.Minute, true, outcome(&got))
		c.w.Run(100 * time.Millisecond)
		if members(leader) != "[1 2]" {
			t.Fatalf("seed %d: %q, voters %s", seed, got, members(leader))
		}
		c.w.Run(5 * time.Second)
		c.cut = map[[2]kafka.NodeID]bool{}
		if !c.w.RunUntil(time.Minute, func() bool { return agreed(c) }) {
			t.Fatalf("seed %d: node 2 votes %v: %+v", seed, nd.q != nil, leader.q.Describe())
		}
		h.submit(c.leader())
		c.w.Run(time.Second)
		h.check("the new voter", nd.machine.committed)
		sameBytes(t, seed, c)
	}
}

// A voter that was added and has led needs no other to tell it that it is one: its own LEADER_CHANGE names it. When it starts again, nobody
// else may have all that it wrote, and lead.
func TestALeaderThatWasAddedLeadsAgainWhenItStarts(t *testing.T) {
	for seed := range uint64(20) {
		c := moving(t, seed, 1, Config{})
		first := c.awaitLeader()
		h := newHistory(c)
		nd, got := c.newcomer(), ""
		c.w.Run(3 * time.Second)
		first.q.AddVoter(c.seat(nd.key.NodeID), 10*time.Second, true, outcome(&got))
		c.w.Run(5 * time.Second)
		if nd.q == nil {
			t.Fatalf("seed %d: %q, no voter", seed, got)
		}
		first.q.TransferTo(nd.key.NodeID, outcome(&got))
		if !c.w.RunUntil(10*time.Second, func() bool { return nd.q.Active() }) || got != "NONE NONE " {
			t.Fatalf("seed %d: %q, %v", seed, got, c.leader())
		}
		c.cut[[2]kafka.NodeID{nd.key.NodeID, first.key.NodeID}] = true
		h.submit(nd)
		c.w.Run(100 * time.Millisecond)
		c.crash(nd)
		c.start(nd)
		if nd.q.engine.store.pos.end() <= first.q.engine.store.pos.end() {
			t.Fatalf("seed %d: its log is not the longer one: the test tests nothing", seed)
		}
		c.w.Run(time.Second)
		c.cut = map[[2]kafka.NodeID]bool{}
		if !c.w.RunUntil(time.Minute, func() bool { return agreed(c) }) {
			t.Fatalf("seed %d: nobody leads: %+v", seed, nd.q.Describe())
		}
		h.check("who led", nd.machine.committed)
		sameBytes(t, seed, c)
	}
}
