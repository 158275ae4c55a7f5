package quorum

import (
	"fmt"
	"maps"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// followed runs three voters and two observers through loss, cuts and crashes, heals, and wants the observers to show what
// the voters have.
func followed(t testing.TB, seed uint64) (snaps int, h *history) {
	conf := Config{SnapshotBytes: 1500, RetentionBytes: 2500}
	if seed%3 == 0 {
		conf = Config{}
	}
	c := newCluster(t, seed, 3, conf)
	h = newHistory(c)
	c.newcomer()
	rng := c.w.Rand()
	for round := range 40 {
		switch rng.IntN(6) {
		case 0:
			c.loss = rng.IntN(30)
		case 1:
			a, b := kafka.NodeID(1+rng.IntN(len(c.nodes))), kafka.NodeID(1+rng.IntN(len(c.nodes)))
			c.cut[[2]kafka.NodeID{a, b}] = true
		case 2:
			c.cut = map[[2]kafka.NodeID]bool{}
		case 3:
			nd := c.nodes[rng.IntN(len(c.nodes))]
			snaps += nd.view.snaps
			c.crash(nd)
			c.w.Run(time.Duration(rng.IntN(2000)) * time.Millisecond)
			if int(nd.key.NodeID) > 3 {
				c.observer(nd)
			} else {
				c.start(nd)
			}
		}
		if round == 20 {
			c.newcomer()
		}
		for range rng.IntN(25) {
			h.submit(c.nodes[rng.IntN(3)])
			c.w.Run(time.Duration(rng.IntN(20)) * time.Millisecond)
		}
	}
	c.cut, c.loss = map[[2]kafka.NodeID]bool{}, 0
	settled := func() bool {
		leader := c.leader()
		for _, nd := range c.nodes[3:] {
			if leader == nil || nd.ob.committed != leader.q.engine.store.pos.end() || nd.view.next != nd.ob.committed {
				return false
			}
		}
		return true
	}
	if !c.w.RunUntil(time.Minute, settled) {
		t.Fatalf("seed %d: an observer is behind a minute after all is healed: %v", seed, c.leader())
	}
	for _, nd := range c.nodes[3:] {
		h.check(fmt.Sprintf("seed %d, observer %d", seed, nd.key.NodeID), nd.view.state)
		if !maps.Equal(nd.view.state, c.leader().machine.committed) || nd.failed != nil {
			t.Fatalf("seed %d: observer %d differs from the leader, or failed: %v", seed, nd.key.NodeID, nd.failed)
		}
		snaps += nd.view.snaps
	}
	sameBytes(t, seed, c)
	return snaps, h
}

func TestObserversInAStormSeeWhatIsCommitted(t *testing.T) {
	snaps, acked := 0, 0
	for seed := range uint64(60) {
		n, h := followed(t, seed)
		snaps, acked = snaps+n, acked+len(h.acked)
	}
	if snaps < 150 || acked < 1000 {
		t.Fatalf("%d snapshots were shown, %d changes acknowledged: the test tests nothing", snaps, acked)
	}
}

// withObserver is a cluster of three with one that has observed it from before its first change.
func withObserver(t *testing.T, seed uint64) (c *cluster, h *history, leader, observer *simNode) {
	c = newCluster(t, seed, 3, Config{IdleInterval: -1})
	leader = c.awaitLeader()
	observer = c.newcomer()
	h = newHistory(c)
	h.submit(leader)
	c.w.Run(5 * time.Second)
	return c, h, leader, observer
}

// An observer's log is the voters' log byte for byte, and its snapshots know their Raft index: an observer made a voter
// counts as the others do.
func TestAnObserverIsKnownByHowFarItIs(t *testing.T) {
	_, _, leader, nd := withObserver(t, 1)
	d := leader.q.Describe()
	if len(d.Observers) != 1 || d.Observers[0].ID != nd.key.NodeID || d.Observers[0].LogEnd != d.HighWatermark || d.Observers[0].LastCaughtUpMs < 0 {
		t.Fatalf("%+v, high watermark %d", d.Observers, d.HighWatermark)
	}
	if id, epoch := nd.ob.Leader(); id != d.Leader || epoch != d.Epoch {
		t.Fatalf("the observer follows %d of epoch %d, %d leads epoch %d", id, epoch, d.Leader, d.Epoch)
	}
	if end := nd.ob.store.pos; end.next() != leader.q.engine.store.pos.next() {
		t.Fatalf("entry %d follows here, entry %d at the leader", end.next(), leader.q.engine.store.pos.next())
	}
}

// fetch asks a voter and returns what it answers within a second.
func fetch(c *cluster, nd *simNode, a Pull) (out Pulled, err error) {
	c.t.Helper()
	answered := false
	nd.q.Fetch(a, func(p Pulled, e error) { out, err, answered = p, e, true })
	if !c.w.RunUntil(time.Second, func() bool { return answered }) {
		c.t.Fatalf("%+v is not answered", a)
	}
	return out, err
}

func TestFetchSaysWhatIsWrongWithAnEpoch(t *testing.T) {
	c := newCluster(t, 2, 3, Config{IdleInterval: -1})
	first := c.awaitLeader()
	h := newHistory(c)
	h.submit(first)
	c.w.Run(time.Second)
	_, old := first.q.Leader()
	first.q.TransferTo(kafka.NoNode, func(error) {})
	c.w.RunUntil(10*time.Second, func() bool { return c.leader() != nil && c.leader() != first })
	leader := c.leader()
	h.submit(leader)
	c.w.Run(time.Second)
	id, epoch := leader.q.Leader()
	pos := &leader.q.engine.store.pos
	_, oldEnd, _ := pos.endOf(uint64(old))
	ask := func(from kafka.Offset, last, current kafka.LeaderEpoch) Pull {
		return Pull{Observer: Key{9, kafka.DirectoryID{9}}, From: from, LastEpoch: last, Epoch: current, MaxBytes: 1 << 20}
	}
	for _, q := range []struct {
		at     *simNode
		ask    Pull
		code   kafka.ErrorCode
		div    *EpochEnd
		snap   bool
		length int // batches
	}{
		{at: first, ask: ask(0, 0, -1), code: kafka.ErrNotLeaderOrFollower},
		{at: leader, ask: ask(0, 0, old), code: kafka.ErrFencedLeaderEpoch},
		{at: leader, ask: ask(0, 0, epoch+1), code: kafka.ErrUnknownLeaderEpoch},
		{at: leader, ask: ask(0, -1, -1), snap: true},
		{at: leader, ask: ask(0, 0, epoch), length: 4},
		{at: leader, ask: ask(oldEnd, old, epoch), length: 2},
		{at: leader, ask: ask(pos.end(), epoch, epoch)},
		{at: leader, ask: ask(oldEnd+1, old, epoch), div: &EpochEnd{old, oldEnd}},
		{at: leader, ask: ask(oldEnd, epoch+7, epoch), div: &EpochEnd{epoch, pos.end()}},
		{at: leader, ask: ask(pos.end()+5, epoch, epoch), div: &EpochEnd{epoch, pos.end()}},
		{at: leader, ask: ask(1, 0, epoch), div: &EpochEnd{0, 0}},
	} {
		out, err := fetch(c, q.at, q.ask)
		if fault.CodeOf(err) != q.code || (out.Snapshot != nil) != q.snap || len(out.Batches) != q.length ||
			(out.Diverging == nil) != (q.div == nil) || q.div != nil && *out.Diverging != *q.div {
			t.Errorf("%+v: %v, %+v %v, %d batches", q.ask, err, out.Diverging, out.Snapshot, len(out.Batches))
		}
		if out.Leader != id || out.Epoch != epoch || len(out.LeaderAt) != 1 {
			t.Errorf("%+v: told of leader %d, epoch %d, %v", q.ask, out.Leader, out.Epoch, out.LeaderAt)
		}
	}
}

func TestAnEmptyAnswerIsHeldBackUntilThereIsMore(t *testing.T) {
	c := newCluster(t, 3, 3, Config{IdleInterval: -1})
	leader := c.awaitLeader()
	c.w.Run(time.Second)
	end, epoch := leader.q.engine.store.pos.end(), kafka.LeaderEpoch(leader.q.lead.role.term)
	var got []string
	ask := func(wait time.Duration) {
		leader.q.Fetch(Pull{From: end, LastEpoch: epoch, Epoch: epoch, MaxBytes: 1, MaxWait: wait},
			func(p Pulled, err error) {
				got = append(got, fmt.Sprint(len(p.Batches), max(p.HighWatermark-end, 0), fault.CodeOf(err)))
			})
	}
	ask(300 * time.Millisecond)
	c.w.Run(299 * time.Millisecond)
	if len(got) != 0 {
		t.Fatalf("answered early: %v", got)
	}
	c.w.Run(2 * time.Millisecond)
	ask(time.Minute)
	h := newHistory(c)
	h.submit(leader)
	c.w.Run(time.Second)
	end = leader.q.engine.store.pos.end()
	ask(time.Hour)
	leader.q.TransferTo(kafka.NoNode, func(error) {})
	c.w.Run(time.Second)
	if want := "[0 0 NONE 1 2 NONE 0 0 FENCED_LEADER_EPOCH]"; fmt.Sprint(got) != want && fmt.Sprint(got) != "[0 0 NONE 1 2 NONE 0 0 NOT_LEADER_OR_FOLLOWER]" {
		t.Fatalf("%v, want %s", got, want)
	}
}

func TestASnapshotIsReadInPieces(t *testing.T) {
	c := newCluster(t, 4, 1, Config{SnapshotBytes: 200})
	leader := c.awaitLeader()
	h := newHistory(c)
	for range 20 {
		h.submit(leader)
		c.w.Run(100 * time.Millisecond)
	}
	c.w.Run(time.Second)
	ref := leader.q.snaps.refs[len(leader.q.snaps.refs)-1]
	_, whole, err := ref.chunk(leader.fs, testDir, 0, chunkBytes)
	if err != nil || int64(len(whole)) != ref.size {
		t.Fatalf("%v, %d bytes of %d", err, len(whole), ref.size)
	}
	var got []byte
	var failed error
	for len(got) < len(whole) && failed == nil {
		leader.q.FetchSnapshot(PullChunk{Snapshot: SnapshotID{ref.offset, ref.epoch}, Epoch: -1, Position: int64(len(got)), MaxBytes: 77}, func(p Chunk, err error) {
			if failed = err; err == nil && (p.Size != int64(len(whole)) || len(p.Bytes) > 77 || len(p.Bytes) == 0) {
				failed = fmt.Errorf("%d bytes of %d", len(p.Bytes), p.Size)
			}
			got = append(got, p.Bytes...)
		})
	}
	if failed != nil || string(got) != string(whole) {
		t.Fatalf("%v, %d bytes of %d", failed, len(got), len(whole))
	}
	for at, want := range map[int64]kafka.ErrorCode{-1: kafka.ErrPositionOutOfRange, int64(len(whole)): kafka.ErrPositionOutOfRange} {
		leader.q.FetchSnapshot(PullChunk{Snapshot: SnapshotID{ref.offset, ref.epoch}, Epoch: -1, Position: at, MaxBytes: 77}, func(_ Chunk, err error) {
			if fault.CodeOf(err) != want {
				t.Errorf("position %d: %v", at, err)
			}
		})
	}
	leader.q.FetchSnapshot(PullChunk{Snapshot: SnapshotID{ref.offset + 1, ref.epoch}, Epoch: -1}, func(_ Chunk, err error) {
		if fault.CodeOf(err) != kafka.ErrSnapshotNotFound {
			t.Errorf("another snapshot: %v", err)
		}
	})
}

// campaigned kills a node as if it had asked for votes in an epoch that nobody won, and nobody else remembers.
func (c *cluster) campaigned(nd *simNode, epoch kafka.LeaderEpoch) {
	c.t.Helper()
	c.crash(nd)
	e := election{leader: kafka.NoNode, epoch: epoch, voted: nd.key.NodeID, votedDirectory: nd.key.DirectoryID}
	if err := (stateReplacement{nd.fs, testDir, string(e.encode(kraftDynamic, nil))}).Sync(); err != nil {
		c.t.Fatal(err)
	}
}

// An epoch that nobody won, this node's own or that of a voter which nobody else hears, keeps no observer from the leader of an older one.
func TestAnObserverFollowsTheLeaderWhateverWasVotedInVain(t *testing.T) {
	c, h, leader, nd := withObserver(t, 5)
	id, epoch := leader.q.Leader()
	lonely := c.nodes[0]
	if lonely == leader {
		lonely = c.nodes[1]
	}
	for _, other := range c.nodes[:3] {
		if other != lonely {
			c.cut[[2]kafka.NodeID{lonely.key.NodeID, other.key.NodeID}] = true
			c.cut[[2]kafka.NodeID{other.key.NodeID, lonely.key.NodeID}] = true
		}
	}
	c.campaigned(lonely, epoch+10)
	c.start(lonely)
	c.campaigned(nd, epoch+5)
	c.cut[[2]kafka.NodeID{nd.key.NodeID, id}] = true
	c.observer(nd)
	c.w.Run(20 * time.Second) // it asks the others meanwhile
	delete(c.cut, [2]kafka.NodeID{nd.key.NodeID, id})
	h.submit(leader)
	c.w.Run(10 * time.Second)
	if now, e := leader.q.Leader(); now != id || e != epoch {
		t.Fatalf("%d leads epoch %d, not %d epoch %d: the test tests nothing", now, e, id, epoch)
	}
	if _, e := lonely.q.Leader(); e < epoch+10 {
		t.Fatalf("the voter that nobody hears is in epoch %d: the test tests nothing", e)
	}
	if now, e := nd.ob.Leader(); now != id || e != epoch || nd.ob.committed != leader.q.committed {
		t.Fatalf("it follows %d of epoch %d to offset %d; %d leads epoch %d and has %d", now, e, nd.ob.committed, id, epoch, leader.q.committed)
	}
}

// Who was removed and knows it gives no vote to a candidate that knows less: its log is older, or its message was long on the way. Who
// has not heard of all that is committed gives it: the candidate may know better.
func TestAnObserverIsNoVoterByTheWordOfOneWhoKnowsLess(t *testing.T) {
	c := moving(t, 6, 3, Config{IdleInterval: -1})
	leader := c.awaitLeader()
	h := newHistory(c)
	h.submit(leader)
	got := ""
	leader.q.RemoveVoter(leader.key, time.Second, outcome(&got))
	was := leader.q.voters
	c.w.RunUntil(time.Minute, func() bool { return leader.ob != nil })
	if leader.ob == nil || leader.ob.committed != leader.ob.store.pos.end() {
		t.Fatalf("%q, an observer %v: what it knew as a voter is forgotten", got, leader.ob != nil)
	}
	c.w.Run(5 * time.Second)
	h.submit(c.leader())
	c.w.Run(5 * time.Second)
	ob := leader.ob
	pos := &ob.store.pos
	last, term := pos.next()-1, pos.lastTerm()
	asks := func(candidate Key, kind raftpb.MessageType, term, index uint64) string {
		b, err := proto.Marshal(&raftpb.Message{Type: kind.Enum(), Term: new(term + 1), LogTerm: new(term), Index: new(index)})
		if err != nil {
			t.Fatal(err)
		}
		votes, err := ob.Judge(candidate, b)
		return fmt.Sprint(votes, " ", fault.CodeOf(err))
	}
	voter := c.leader().key
	for want, is := range map[string][]string{
		"false NONE": {
			asks(Key{9, kafka.DirectoryID{9}}, raftpb.MsgPreVote, term, last+1), // who knows more may know that it is a voter
			asks(voter, raftpb.MsgPreVote, term, last-1), asks(voter, raftpb.MsgVote, term-1, last+9), asks(voter, raftpb.MsgHeartbeat, term, last+1),
		},
		"true NONE": {asks(voter, raftpb.MsgVote, term, last), asks(voter, raftpb.MsgPreVote, term, last+1), asks(voter, raftpb.MsgPreVote, term+1, 1)},
		"false VOTER_NOT_FOUND": {
			asks(Key{9, kafka.DirectoryID{9}}, raftpb.MsgPreVote, term, last), asks(Key{9, kafka.DirectoryID{9}}, raftpb.MsgVote, term-1, last+9),
		},
	} {
		for i, is := range is {
			if is != want {
				t.Errorf("%s, not %s, at question %d", is, want, i)
			}
		}
	}
	now := ob.voters
	if ob.voters = was; asks(voter, raftpb.MsgPreVote, term, last-1) != "true NONE" {
		t.Error("who is a voter by its own log votes")
	}
	for _, v := range ob.Describe().Voters {
		if own := v.ID == ob.o.Self.NodeID; own != (v.LogEnd == pos.end()) {
			t.Errorf("the log of voter %d ends at %d, this one's at %d", v.ID, v.LogEnd, pos.end())
		}
	}
	ob.voters = now
	if ob.committed, _ = pos.offsetOf(pos.changes[0]); asks(voter, raftpb.MsgPreVote, term-1, pos.changes[0]-2) != "true NONE" {
		t.Error("whose removal may yet be taken back votes")
	}
}

// Whoever closes an observer hears of the end of it, also when it is stopped at the same moment.
func TestTheCloseOfAnObserverIsAnsweredWhoeverElseEndsIt(t *testing.T) {
	for range 50_000 {
		ob := &Observer{o: ObserverOptions{Log: noLog{}, Flusher: atOnce{}}}
		var all sync.WaitGroup
		var here atomic.Int32
		both := func(f func()) {
			all.Go(func() {
				for here.Add(1); here.Load() < 2; {
					runtime.Gosched()
				}
				f()
			})
		}
		answers := make(chan error, 2)
		both(func() { ob.Close(func(err error) { answers <- err }) })
		both(ob.Stop)
		all.Wait()
		if n := len(answers); n != 1 {
			t.Fatalf("it is answered %d times", n)
		}
	}
}

// noLog has nothing to be made durable, which atOnce does.
type noLog struct{ Log }

func (noLog) Dirty() ([]disk.Syncer, kafka.Offset) { return nil, 0 }
func (noLog) Flushed(kafka.Offset)                 {}

type atOnce struct{}

func (atOnce) Flush(_ []disk.Syncer, done func(error)) { done(nil) }
