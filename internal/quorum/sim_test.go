package quorum

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// history is what a client knows: what it was told is committed, and what may be.
type history struct {
	c     *cluster
	acked map[string]string
	sent  map[string]bool
	n     int
	busy  int
}

func newHistory(c *cluster) *history {
	return &history{c: c, acked: map[string]string{}, sent: map[string]bool{}}
}

// submit sets a key of its own to its own value at a node.
func (h *history) submit(nd *simNode) {
	h.n++
	k := fmt.Sprintf("k%05d", h.n)
	h.sent[k] = true
	h.busy++
	q := nd.q
	q.Submit(put{k, "v" + k, 1 + h.n%3}, func(_ Reply, err error) {
		h.busy--
		h.c.note("answer", k, err == nil)
		if err == nil {
			h.acked[k] = "v" + k
		}
	})
}

// check holds a state to the history: nothing acknowledged is missing, nothing is there that nobody sent.
func (h *history) check(who string, state map[string]string) {
	h.c.t.Helper()
	for _, k := range slices.Sorted(maps.Keys(h.acked)) {
		if state[k] != h.acked[k] {
			h.c.t.Fatalf("%s: %s was acknowledged as %q and is %q", who, k, h.acked[k], state[k])
		}
	}
	for k, v := range state {
		if !h.sent[k] || v != "v"+k {
			h.c.t.Fatalf("%s: %s is %q, which nobody committed whole", who, k, v)
		}
	}
}

// lone runs a single voter through crashes at random moments and returns how often and what was acknowledged.
func lone(t testing.TB, seed uint64, conf Config, lies bool) (h *history, lost bool) {
	c := newCluster(t, seed, 1, conf)
	c.lies = lies
	h = newHistory(c)
	nd := c.nodes[0]
	for range 12 {
		for range c.w.Rand().IntN(30) {
			h.submit(nd)
			if c.w.Rand().IntN(2) == 0 {
				c.w.Run(time.Duration(c.w.Rand().IntN(400)) * time.Microsecond)
			}
		}
		for range c.w.Rand().IntN(40) {
			c.w.Step()
		}
		c.crash(nd)
		if err := c.tryStart(nd); err != nil {
			if lies {
				return h, true
			}
			t.Fatalf("seed %d: %v", seed, err)
		}
		c.awaitLeader()
		for k, v := range h.acked {
			if nd.machine.committed[k] != v {
				if lies {
					return h, true
				}
				t.Fatalf("seed %d: %s was acknowledged and is lost", seed, k)
			}
		}
	}
	if !lies {
		h.check("the lone voter", nd.machine.committed)
	}
	return h, false
}

func TestALoneVoterLosesNothingAcknowledged(t *testing.T) {
	acked := 0
	for seed := range uint64(60) {
		h, _ := lone(t, seed, Config{}, false)
		acked += len(h.acked)
	}
	if acked < 1000 {
		t.Fatalf("only %d commands were acknowledged: the test tests nothing", acked)
	}
}

func TestALoneVoterLosesNothingAcrossSnapshots(t *testing.T) {
	snapshots := 0
	for seed := range uint64(60) {
		h, _ := lone(t, seed, Config{SnapshotBytes: 600, RetentionBytes: 1500}, false)
		snapshots += len(h.c.nodes[0].q.snaps.refs)
		if ref := h.c.nodes[0].q.snaps.refs[0]; ref.offset > 0 {
			snapshots += 1000
		}
	}
	if snapshots < 1000 {
		t.Fatal("no old snapshot was ever dropped: the test tests nothing")
	}
}

// The flush is what the promise stands on: without it the same test must fail.
func TestWithoutTheFlushTheLossIsSeen(t *testing.T) {
	for seed := range uint64(60) {
		if _, lost := lone(t, seed, Config{}, true); lost {
			return
		}
	}
	t.Fatal("a flusher that syncs nothing was not caught")
}

func TestSameSeedSameTrace(t *testing.T) {
	run := func(seed uint64) uint64 {
		h, _ := lone(t, seed, Config{SnapshotBytes: 600}, false)
		three := storm(t, seed)
		return h.c.hash ^ three.c.hash
	}
	a, b, other := run(5), run(5), run(6)
	if a != b {
		t.Fatalf("seed 5 gave %x and %x", a, b)
	}
	if a == other {
		t.Fatal("another seed gave the same trace")
	}
}

// storm runs three voters through loss, cuts and crashes, then heals and checks.
func storm(t testing.TB, seed uint64) *history {
	conf := Config{}
	if seed%3 == 0 {
		conf = Config{SnapshotBytes: 2000, RetentionBytes: 3000}
	}
	c := newCluster(t, seed, 3, conf)
	h := newHistory(c)
	rng := c.w.Rand()
	for range 60 {
		switch rng.IntN(8) {
		case 0:
			c.loss = rng.IntN(40)
		case 1:
			a, b := kafka.NodeID(1+rng.IntN(3)), kafka.NodeID(1+rng.IntN(3))
			c.cut[[2]kafka.NodeID{a, b}] = rng.IntN(2) == 0
		case 2:
			c.cut = map[[2]kafka.NodeID]bool{}
		case 3:
			nd := c.nodes[rng.IntN(3)]
			c.crash(nd)
			c.w.Run(time.Duration(rng.IntN(3000)) * time.Millisecond)
			c.start(nd)
		case 4:
			alone := kafka.NodeID(1 + rng.IntN(3))
			for i := range kafka.NodeID(3) {
				c.cut[[2]kafka.NodeID{alone, i + 1}], c.cut[[2]kafka.NodeID{i + 1, alone}] = true, true
			}
		}
		for range rng.IntN(20) {
			h.submit(c.nodes[rng.IntN(3)])
			c.w.Run(time.Duration(rng.IntN(20)) * time.Millisecond)
		}
		c.w.Run(time.Duration(rng.IntN(1500)) * time.Millisecond)
		c.note("round")
	}
	c.cut, c.loss = map[[2]kafka.NodeID]bool{}, 0
	settled := func() bool {
		leader := c.leader()
		if leader == nil {
			return false
		}
		end := leader.q.engine.store.pos.end()
		for _, nd := range c.nodes {
			if nd.q.committed != end {
				return false
			}
		}
		return true
	}
	if !c.w.RunUntil(time.Minute, settled) {
		for _, nd := range c.nodes {
			t.Logf("%+v", nd.q.Describe())
		}
		t.Fatalf("seed %d: the voters do not agree a minute after all is healed", seed)
	}
	for _, nd := range c.nodes {
		h.check(fmt.Sprintf("seed %d, node %d", seed, nd.key.NodeID), nd.machine.committed)
		if nd.failed != nil {
			t.Fatalf("seed %d: node %d failed: %v", seed, nd.key.NodeID, nd.failed)
		}
		if !maps.Equal(nd.machine.committed, c.nodes[0].machine.committed) {
			t.Fatalf("seed %d: node %d differs", seed, nd.key.NodeID)
		}
	}
	sameBytes(t, seed, c)
	return h
}

// sameBytes holds the logs to be equal byte for byte where they overlap. What a voter has and does not know to be committed may be of a
// leader that was removed with it.
func sameBytes(t testing.TB, seed uint64, c *cluster) {
	batches := map[kafka.Offset]string{}
	for _, nd := range c.nodes {
		start, end := nd.log.Bounds()
		if nd.q != nil {
			end = min(end, nd.q.committed)
		}
		for o := start; o < end; {
			b, err := nd.log.Read(o, 1)
			if err != nil {
				t.Fatal(err)
			}
			batch, _, err := record.Next(b)
			if err != nil {
				t.Fatal(err)
			}
			if was, ok := batches[o]; ok && was != string(batch) {
				t.Fatalf("seed %d: node %d has other bytes at offset %d", seed, nd.key.NodeID, o)
			}
			batches[o] = string(batch)
			o = batch.NextOffset()
		}
	}
}

func TestThreeVotersInAStormLoseNothingAcknowledged(t *testing.T) {
	acked := 0
	for seed := range uint64(1500) {
		acked += len(storm(t, seed).acked)
	}
	if acked < 2000 {
		t.Fatalf("only %d commands were acknowledged: the test tests nothing", acked)
	}
}
