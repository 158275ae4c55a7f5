package fetchsession

import (
	"math"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

func at(s int) kafka.Instant { return kafka.Instant{Mono: time.Duration(s) * time.Second} }

func ids() func() int32 {
	n := int32(0)
	return func() int32 { n++; return n }
}

func part(topic string, p int32) Partition {
	return Partition{Key: Key{Topic: topic, Partition: p}, CurrentEpoch: -1}
}

func open(t *testing.T, c *Cache, r Request) *Session {
	t.Helper()
	s, _, code := c.Open(at(0), &r, ids())
	if code != kafka.ErrNone {
		t.Fatalf("Open(%+v) = %v", r, code)
	}
	return s
}

// surface.md (e) 12: id 0/epoch 0 makes one, id 0/epoch -1 has none, a wrong epoch is 71, an unknown id 70.
func TestSessionLife(t *testing.T) {
	c := NewCache(10, 1000, time.Minute)
	if s := open(t, c, Request{Epoch: FinalEpoch, Add: []Partition{part("a", 0)}}); s.ID() != NoSession || c.Len() != 0 {
		t.Fatal("a final epoch must not make a session")
	}
	s := open(t, c, Request{Add: []Partition{part("a", 0), part("a", 1)}})
	if s.ID() == NoSession || c.Len() != 1 {
		t.Fatal("an initial epoch must make a session")
	}
	if _, _, code := c.Open(at(1), &Request{ID: s.ID(), Epoch: 2}, ids()); code != kafka.ErrInvalidFetchSessionEpoch {
		t.Fatalf("wrong epoch: %v", code)
	}
	if _, _, code := c.Open(at(1), &Request{ID: 999, Epoch: 1}, ids()); code != kafka.ErrFetchSessionIdNotFound {
		t.Fatalf("unknown id: %v", code)
	}
	if _, _, code := c.Open(at(1), &Request{ID: s.ID(), Epoch: 1, ByID: true}, ids()); code != kafka.ErrFetchSessionTopicIdError {
		t.Fatalf("names then ids: %v", code)
	}
	if _, inc, code := c.Open(at(1), &Request{ID: s.ID(), Epoch: 1}, ids()); code != kafka.ErrNone || !inc {
		t.Fatalf("right epoch: %v", code)
	}
	got, inc, _ := c.Open(at(1), &Request{ID: s.ID(), Epoch: 2, Forget: []Key{{Topic: "a"}, {Topic: "a", Partition: 1}}}, ids())
	if got.ID() != NoSession || inc || c.Len() != 0 {
		t.Fatal("a session that forgot everything must end")
	}
}

func TestIncrementalAnswerLeavesOutWhatDidNotChange(t *testing.T) {
	c := NewCache(10, 1000, time.Minute)
	s := open(t, c, Request{Add: []Partition{part("a", 0)}})
	k := Key{Topic: "a"}
	quiet := Answer{HighWatermark: 5, LogStart: 1}
	steps := []struct {
		name string
		a    Answer
		want bool
	}{
		{"first", quiet, true},
		{"nothing new", quiet, false},
		{"records", Answer{HighWatermark: 5, LogStart: 1, Bytes: 10}, true},
		{"high watermark moved", Answer{HighWatermark: 6, LogStart: 1}, true},
		{"log start moved", Answer{HighWatermark: 6, LogStart: 2}, true},
		{"error", Answer{Err: kafka.ErrNotLeaderOrFollower, HighWatermark: -1, LogStart: -1}, true},
		{"the same error again", Answer{Err: kafka.ErrNotLeaderOrFollower, HighWatermark: -1, LogStart: -1}, true},
		{"error over", Answer{HighWatermark: -1, LogStart: -1}, true},
		{"quiet after", Answer{HighWatermark: -1, LogStart: -1}, false},
		{"diverging", Answer{HighWatermark: -1, LogStart: -1, Always: true}, true},
	}
	for _, st := range steps {
		if got := s.Answered(k, st.a); got != st.want {
			t.Errorf("%s: included = %v, want %v", st.name, got, st.want)
		}
	}
}

// An answer that the logs part says where the leader's log begins as well, and a follower that cuts its log takes nothing else of it. It asks
// again and says where its own log begins: the leader's start is told once more, or nobody would ever tell it.
func TestALogStartIsToldUntilTheFollowerSaysIt(t *testing.T) {
	c := NewCache(10, 1000, time.Minute)
	k := Key{Topic: "a"}
	stands := func(from, start kafka.Offset) []Partition {
		return []Partition{{Key: k, FetchOffset: from, LogStartOffset: start, HighWatermark: 21, CurrentEpoch: 7}}
	}
	s := open(t, c, Request{Add: stands(26, 0), Follower: true})
	if !s.Answered(k, Answer{HighWatermark: 21, LogStart: 21, Always: true}) {
		t.Fatal("that the logs part is not told")
	}
	now := Answer{HighWatermark: 21, LogStart: 21}
	s = open(t, c, Request{ID: s.ID(), Epoch: 1, Add: stands(21, 0), Follower: true})
	if !s.Answered(k, now) {
		t.Error("a follower whose log begins at 0 is not told again that the leader's begins at 21")
	}
	s = open(t, c, Request{ID: s.ID(), Epoch: 2, Follower: true})
	if s.Answered(k, now) {
		t.Error("it is told what it was told, and has said nothing since")
	}
	s = open(t, c, Request{ID: s.ID(), Epoch: 3, Add: stands(21, 21), Follower: true})
	if s.Answered(k, now) {
		t.Error("it is told what it has said")
	}
}

func TestPartitionsWithRecordsGoToTheBack(t *testing.T) {
	c := NewCache(10, 1000, time.Minute)
	s := open(t, c, Request{Add: []Partition{part("a", 0), part("a", 1), part("a", 2)}})
	s.Answered(Key{Topic: "a"}, Answer{Bytes: 1})
	var order []int32
	for _, p := range s.AppendTo(nil) {
		order = append(order, p.Key.Partition)
	}
	if len(order) != 3 || order[0] != 1 || order[2] != 0 {
		t.Fatalf("order %v", order)
	}
}

func TestFullCache(t *testing.T) {
	c := NewCache(1, 1000, time.Minute)
	id := ids()
	first, _, _ := c.Open(at(0), &Request{Add: []Partition{part("a", 0)}}, id)
	second, _, _ := c.Open(at(30), &Request{Add: []Partition{part("b", 0)}}, id)
	if second.ID() != NoSession {
		t.Fatal("a full cache must answer without a session")
	}
	third, _, _ := c.Open(at(90), &Request{Add: []Partition{part("c", 0)}}, id)
	if third.ID() == NoSession || c.Len() != 1 || c.Evicted() != 1 {
		t.Fatal("a session unused for longer than the limit must make room")
	}
	if _, _, code := c.Open(at(91), &Request{ID: first.ID(), Epoch: 1}, id); code != kafka.ErrFetchSessionIdNotFound {
		t.Fatalf("evicted session: %v", code)
	}
}

// A follower's session gives way to another follower's, and to a consumer's only when nobody uses it (KIP-227).
func TestFollowersKeepTheirSessions(t *testing.T) {
	for follower, evicts := range map[bool]bool{false: false, true: true} {
		c := NewCache(1, 1000, time.Minute)
		id := ids()
		old, _, _ := c.Open(at(0), &Request{Add: many(0, 1), Follower: true}, id)
		if _, _, code := c.Open(at(61), &Request{ID: old.ID(), Epoch: 1, Follower: true}, id); code != kafka.ErrNone {
			t.Fatal(code)
		}
		larger, _, _ := c.Open(at(62), &Request{Add: many(0, 9), Follower: follower}, id)
		if got := larger.ID() != NoSession; got != evicts {
			t.Errorf("a larger session, of a follower: %v, takes the place of a follower's that is in use: %v", follower, got)
		}
		if late, _, _ := c.Open(at(200), &Request{Add: many(0, 1)}, id); late.ID() == NoSession {
			t.Error("a session that nobody uses gives way to anybody")
		}
	}
}

func TestEpochWraps(t *testing.T) {
	if nextEpoch(math.MaxInt32) != 1 || nextEpoch(1) != 2 || nextEpoch(-1) != FinalEpoch {
		t.Fatal("epochs run 1..MaxInt32 and wrap to 1")
	}
}

func many(from, n int) (out []Partition) {
	for i := range n {
		out = append(out, part("a", int32(from+i)))
	}
	return out
}

// TestMemoryOfSessions: the partitions of all sessions are bounded. Who comes when there is no room is served without a
// session, whose own grows too much loses it, and what a session held is free again however it ends.
func TestMemoryOfSessions(t *testing.T) {
	c := NewCache(10, 100, time.Minute)
	id := ids()
	big, _, _ := c.Open(at(0), &Request{Add: many(0, 60)}, id)
	if none, _, code := c.Open(at(1), &Request{Add: many(0, 41)}, id); code != kafka.ErrNone || none.ID() != NoSession || none.Len() != 41 {
		t.Fatalf("a session without room: %v, %d", code, none.ID())
	}
	small, _, _ := c.Open(at(2), &Request{Add: many(0, 40)}, id)
	if c.Len() != 2 || c.Bytes() != 100*PartitionBytes {
		t.Fatalf("%d sessions take %d bytes", c.Len(), c.Bytes())
	}
	if _, inc, code := c.Open(at(3), &Request{ID: small.ID(), Epoch: 1, Forget: []Key{{Topic: "a"}}, Add: many(50, 1)}, id); code != kafka.ErrNone || !inc {
		t.Fatalf("one for another: %v", code)
	}
	if _, _, code := c.Open(at(4), &Request{ID: small.ID(), Epoch: 2, Add: many(60, 1)}, id); code != kafka.ErrFetchSessionIdNotFound {
		t.Fatalf("a session that grows too much: %v", code)
	}
	if c.Len() != 1 || c.Bytes() != 60*PartitionBytes {
		t.Fatalf("%d sessions take %d bytes", c.Len(), c.Bytes())
	}
	if late, _, _ := c.Open(at(90), &Request{Add: many(0, 70)}, id); late.ID() == NoSession || c.Evicted() != 1 || c.Bytes() != 70*PartitionBytes {
		t.Fatal("a session unused for long enough must make room for a larger one")
	}
	if _, _, code := c.Open(at(91), &Request{ID: big.ID(), Epoch: FinalEpoch}, id); code != kafka.ErrNone || c.Bytes() != 70*PartitionBytes {
		t.Fatalf("closing what is gone: %v, %d bytes", code, c.Bytes())
	}
}
