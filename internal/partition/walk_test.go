package partition

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/replica"
)

// late is an answer that comes to a follower some steps after it was given.
type late struct {
	node      kafka.NodeID
	p         *Partition
	asked     Where
	records   []byte
	high      kafka.Offset
	start     kafka.Offset
	diverging *EpochEnd
}

// walker moves three replicas with real logs about: records are written, answers come late, power fails in the middle of
// flushes, leaders change. All three stay in the ISR, as durable replicas may (D5), so that each may lead.
type walker struct {
	*cluster
	rng    *rand.Rand
	epoch  kafka.LeaderEpoch
	leader kafka.NodeID
	late   []late
	acked  map[kafka.Offset]string
	values int
}

func (w *walker) elect() {
	w.epoch++
	w.leader = kafka.NodeID(1 + w.rng.IntN(3))
	w.become(w.leader, w.epoch, kafka.PartitionEpoch(w.epoch), 1, 2, 3)
}

func (w *walker) write() {
	w.values++
	value := fmt.Sprintf("value %d", w.values)
	p := w.nodes[w.leader].p
	p.Append(Append{Batch: batch(w.t, value), Acks: -1, Epoch: kafka.NoLeaderEpoch}, func(a Appended) {
		if a.Err == nil {
			w.acked[a.Base] = value
		}
	})
}

// ask has a follower fetch; the answer comes at once or later.
func (w *walker) ask(id kafka.NodeID) {
	f := AsFollower(w.nodes[id].p)
	at, ok, err := f.Where()
	if err != nil {
		w.t.Fatal(err)
	}
	if !ok {
		return
	}
	read := asks(id, at)
	read.MaxBytes = 1 + w.rng.IntN(1000)
	got, err := AsLeader(w.nodes[at.Leader].p).Read(read)
	if err != nil {
		w.t.Fatalf("node %d at %+v: %v", id, at, err)
	}
	records, err := got.Slice.AppendTo(nil)
	got.Slice.Release()
	if err != nil {
		w.t.Fatal(err)
	}
	l := late{id, w.nodes[id].p, at, records, got.High, got.LogStart, got.Diverging}
	if w.rng.IntN(3) > 0 {
		w.take(l)
	} else {
		w.late = append(w.late, l)
	}
}

// take brings an answer to the process that asked, if it is still there.
func (w *walker) take(l late) {
	if w.nodes[l.node].p != l.p {
		return
	}
	f := AsFollower(l.p)
	var err error
	if l.diverging != nil {
		var c Cut
		if c, _, err = f.Diverged(l.asked.Position, *l.diverging); c.Below {
			w.t.Fatalf("node %d gave up what it knew to be committed: %+v", l.node, c)
		}
	} else {
		_, _, err = f.Take(Answer{Asked: l.asked.Position, Records: l.records, High: l.high, LogStart: l.start})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// powerCut starts a node anew from what its disk has, and a new epoch (D6). What counted as durable has to be there, byte
// for byte.
func (w *walker) powerCut(id kafka.NodeID) {
	old := w.nodes[id]
	if err := old.p.Open(); err != nil {
		w.t.Fatal(err)
	}
	durable, before := old.p.Standing().Durable, w.bytes(old)
	n := w.start(id, old.fs.PowerCut())
	if err := n.p.Open(); err != nil {
		w.t.Fatal(err)
	}
	w.epoch++
	w.leader = kafka.NodeID(1 + w.rng.IntN(3))
	w.become(w.leader, w.epoch, kafka.PartitionEpoch(w.epoch), 1, 2, 3)
	after := w.bytes(n)
	if end := n.p.Standing().End; end < durable || !bytes.Equal(after[:min(len(after), len(before))], before[:min(len(after), len(before))]) {
		w.t.Fatalf("node %d had %d durable, and ends at %d", id, durable, end)
	}
}

func (w *walker) bytes(n *node) []byte {
	if n.p.Standing().End == 0 {
		return nil
	}
	return contents(w.t, n)
}

// step does one thing.
func (w *walker) step() {
	switch k := w.rng.IntN(20); {
	case k < 5:
		w.write()
	case k < 13:
		w.ask(kafka.NodeID(1 + w.rng.IntN(3)))
	case k < 16:
		w.w.Run(time.Duration(w.rng.IntN(2000)) * time.Microsecond)
	case k < 18 && len(w.late) > 0:
		i := w.rng.IntN(len(w.late))
		l := w.late[i]
		w.late = append(w.late[:i], w.late[i+1:]...)
		w.take(l)
	case k == 18:
		w.elect()
	case k == 19 && w.rng.IntN(3) == 0:
		w.powerCut(kafka.NodeID(1 + w.rng.IntN(3)))
	}
}

func TestReplicasAgree(t *testing.T) {
	cuts, acked := 0, 0
	for seed := range uint64(40) {
		w := &walker{cluster: newCluster(t, replica.Synced, 2, 1, 2, 3), rng: rand.New(rand.NewPCG(seed, 1)), acked: map[kafka.Offset]string{}}
		w.elect()
		for range 400 {
			w.step()
		}
		w.elect()
		w.write() // a log without a record of the new epoch may be longer than its leader's and say nothing
		for range 6 {
			for id := kafka.NodeID(1); id <= 3; id++ {
				if id != w.leader {
					w.sync(id)
				}
			}
			w.w.Run(time.Second)
		}
		want := contents(t, w.nodes[w.leader])
		for id, n := range w.nodes {
			if s := n.p.Standing(); !bytes.Equal(contents(t, n), want) || s.High != s.End || s.Durable != s.End || len(n.failed) > 0 {
				t.Fatalf("seed %d: node %d stands at %+v, the leader, node %d, at %+v", seed, id, s, w.leader, w.nodes[w.leader].p.Standing())
			}
		}
		for at, value := range w.acked {
			got, err := w.nodes[w.leader].p.Read(Read{From: at, MaxBytes: 1, MinOne: true, CurrentEpoch: kafka.NoLeaderEpoch, LastEpoch: kafka.NoLeaderEpoch})
			if err != nil {
				t.Fatal(err)
			}
			b, err := got.Slice.AppendTo(nil)
			got.Slice.Release()
			if err != nil || !bytes.Contains(b, []byte(value)) {
				t.Fatalf("seed %d: %q was acknowledged at offset %d, and is not there: %v", seed, value, at, err)
			}
		}
		cuts, acked = cuts+int(w.epoch), acked+len(w.acked)
	}
	t.Logf("%d leader epochs, %d records acknowledged", cuts, acked)
	if acked < 100 {
		t.Fatalf("only %d records were acknowledged", acked)
	}
}
