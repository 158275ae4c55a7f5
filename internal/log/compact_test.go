package log

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/clean"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// fact is a record as its reader sees it.
type fact struct {
	offset    kafka.Offset
	key       string
	value     string
	tombstone bool
	ms        int64
}

// history is a random life of a compacted topic, and what a reader of all of it would know.
type history struct {
	*rig
	rng     *rand.Rand
	open    map[kafka.ProducerID][]fact // records of transactions that are not decided
	first   map[kafka.ProducerID]kafka.Offset
	facts   map[kafka.Offset]fact // committed
	aborted map[kafka.Offset]bool
	seqs    map[kafka.ProducerID]int32
	rounds  int
}

func compacting(c *Config) {
	c.Roll.SegmentBytes, c.Accept.Compacted, c.Keep.Delete = 900, true, false
	c.Clean.DeleteRetentionMs = 1000
}

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{
		rng: rand.New(rand.NewPCG(seed, 11)), open: map[kafka.ProducerID][]fact{}, first: map[kafka.ProducerID]kafka.Offset{},
		facts: map[kafka.Offset]fact{}, aborted: map[kafka.Offset]bool{}, seqs: map[kafka.ProducerID]int32{},
	}
	h.rig = newRig(t, compacting, func(c *Config) {
		c.Roll.SegmentBytes = 500 + int64(seed%4)*400
		c.Clean.SegmentBytes = c.Roll.SegmentBytes * int64(1+seed%3)
	})
	return h
}

// write appends a batch of one to four records of few keys, plain, idempotent or of a transaction, in any codec.
func (h *history) write() {
	who := sender{id: kafka.ProducerID(h.rng.IntN(6) - 1), seq: -1, epoch: -1}
	who.txn = who.id >= 2
	if who.id >= 0 {
		who.epoch, who.seq = 0, h.seqs[who.id]
	} else {
		who = nobody
	}
	o := record.Plain()
	o.Codec = []record.Codec{record.None, record.None, record.Gzip, record.Snappy, record.LZ4, record.Zstd}[h.rng.IntN(6)]
	o.ProducerID, o.ProducerEpoch, o.BaseSequence, o.Transactional = who.id, who.epoch, who.seq, who.txn
	b := record.NewBuilder(o)
	var facts []fact
	for i := range 1 + h.rng.IntN(4) {
		f := fact{key: fmt.Sprint("k", h.rng.IntN(8)), value: fmt.Sprint("v", h.rng.Uint32()), ms: h.now.WallMs - h.rng.Int64N(50)}
		var value []byte
		if f.tombstone = h.rng.IntN(4) == 0; f.tombstone {
			f.value = ""
		} else {
			value = []byte(f.value)
		}
		f.offset = h.l.Offsets().End + kafka.Offset(i)
		facts = append(facts, f)
		b.Append(f.ms, []byte(f.key), value, record.Header{Key: []byte("h"), Value: value})
	}
	a, err := h.l.AppendAsLeader(h.now, must.Get(b.Build()), kafka.LeaderEpoch(h.rounds/3), Coordinator)
	if err != nil || a.Base != facts[0].offset {
		h.t.Fatalf("append at %d: %+v, %v", facts[0].offset, a, err)
	}
	if who.id >= 0 {
		h.seqs[who.id] += int32(len(facts))
	}
	if !who.txn {
		h.commit(facts)
		return
	}
	if len(h.open[who.id]) == 0 {
		h.first[who.id] = a.Base
	}
	h.open[who.id] = append(h.open[who.id], facts...)
}

func (h *history) commit(facts []fact) {
	for _, f := range facts {
		h.facts[f.offset] = f
	}
}

// decide ends a transaction.
func (h *history) decide(id kafka.ProducerID) {
	if len(h.open[id]) == 0 {
		return
	}
	committed := h.rng.IntN(2) == 0
	h.end(sender{id: id, epoch: 0, txn: true}, committed)
	for _, f := range h.open[id] {
		if !committed {
			h.aborted[f.offset] = true
		}
	}
	if committed {
		h.commit(h.open[id])
	}
	delete(h.open, id)
}

// latest is what a reader of committed records knows up to an offset: the last fact of each key.
func (h *history) latest(facts map[kafka.Offset]fact, upTo kafka.Offset) map[string]fact {
	out := map[string]fact{}
	for o, f := range facts {
		if was, ok := out[f.key]; o < upTo && (!ok || was.offset < o) {
			out[f.key] = f
		}
	}
	return out
}

// read is what a read_committed consumer that starts at the log start gets, and every record that the log holds.
func (h *history) read() (committed map[kafka.Offset]fact, offsets []kafka.Offset) {
	h.t.Helper()
	committed = map[kafka.Offset]fact{}
	o := h.l.Offsets()
	aborted := must.Get(h.l.AbortedTransactions(o.LogStart, o.End))
	skipped := map[kafka.ProducerID][]AbortedTxn{}
	for _, a := range aborted {
		skipped[a.Producer] = append(skipped[a.Producer], a)
	}
	for rest := h.bytes(o.LogStart); len(rest) > 0; {
		b, more, err := record.Next(rest)
		must.OK(err)
		must.OK(b.CheckCRC())
		rest = more
		must.OK(b.Each(record.Limits{}, func(r *record.Record) error {
			offsets = append(offsets, r.Offset)
			gone := b.IsControl()
			for _, a := range skipped[b.ProducerID()] {
				gone = gone || b.IsTransactional() && r.Offset >= a.First && r.Offset <= a.Last
			}
			if !gone && r.Offset < o.FirstUnstable {
				committed[r.Offset] = fact{r.Offset, string(r.Key), string(r.Value), r.Value == nil, r.TimestampMs}
			}
			return nil
		}))
	}
	return committed, offsets
}

// compact runs one compaction to its end, and shows each step to between.
func (h *history) compact(buffers clean.Buffers, between func()) (*Compaction, error) {
	h.t.Helper()
	var mu sync.Mutex
	c, err := Compact(h.l, h.now, CompactOptions{
		Policy: h.cfg.Clean, Buffers: buffers, HighWatermark: h.l.Offsets().Durable, IndexInterval: 200, Writer: &mu,
	})
	if err != nil || c == nil {
		return nil, err
	}
	for {
		done, _, err := c.Step(300)
		if err != nil {
			_ = c.End(false)
			return c, err
		}
		between()
		if done {
			return c, c.End(true)
		}
	}
}

// check holds the log against the history: C1 to C4.
func (h *history) check(what string) {
	h.t.Helper()
	got, offsets := h.read()
	o := h.l.Offsets()
	if !slices.IsSorted(offsets) || len(slices.Compact(slices.Clone(offsets))) != len(offsets) {
		h.t.Fatalf("%s: offsets out of order or twice: %v", what, offsets)
	}
	for offset, f := range got {
		if f != h.facts[offset] {
			h.t.Fatalf("%s: the record at %d is %+v, was %+v", what, offset, f, h.facts[offset])
		}
	}
	want, have := h.latest(h.facts, o.FirstUnstable), h.latest(got, o.FirstUnstable)
	for key, f := range want {
		g, ok := have[key]
		mayBeGone := f.tombstone && h.now.WallMs-f.ms >= h.cfg.Clean.DeleteRetentionMs
		if g != f && (ok || !mayBeGone) {
			h.t.Fatalf("%s: the last of %s is %+v, was %+v", what, key, g, f)
		}
	}
	for key := range have {
		if _, ok := want[key]; !ok {
			h.t.Fatalf("%s: %s came back", what, key)
		}
	}
	for id, facts := range h.open {
		for _, f := range facts {
			if !slices.Contains(offsets, f.offset) {
				h.t.Fatalf("%s: the record at %d of the open transaction of %d is gone", what, f.offset, id)
			}
		}
		if first := h.first[id]; !slices.ContainsFunc(h.l.Producers(), func(e ProducerState) bool { return e.ID == id && e.TxnFirst == first }) {
			h.t.Fatalf("%s: the transaction of %d is not open at %d: %+v", what, id, first, h.l.Producers())
		}
	}
	for _, e := range h.l.Producers() {
		if want := h.seqs[e.ID] - 1; e.LastSequence() != want {
			h.t.Fatalf("%s: producer %d is at sequence %d, was %d", what, e.ID, e.LastSequence(), want)
		}
		if len(h.open[e.ID]) == 0 && e.TxnFirst != kafka.NoOffset {
			h.t.Fatalf("%s: the decided transaction of %d is open again at %d", what, e.ID, e.TxnFirst)
		}
	}
	if len(h.l.Producers()) != len(h.seqs) {
		h.t.Fatalf("%s: %d producers, were %d", what, len(h.l.Producers()), len(h.seqs))
	}
}

// C1 to C4 as one property: whatever is written, compacted and restarted in whatever order, a reader from the start knows
// of each key what a reader of the whole history would, a tombstone at least for delete.retention.ms; what survives is where
// and what it was; open transactions stay whole; no offset is given out twice; every producer goes on where it was.
func TestCompactionKeepsTheLastOfEveryKey(t *testing.T) {
	seeds := uint64(8)
	compacted, dropped := 0, 0
	for seed := range seeds {
		h := newHistory(t, seed)
		for h.rounds = range 12 {
			for range 5 + h.rng.IntN(30) {
				h.write()
				if h.rng.IntN(3) == 0 {
					h.decide(kafka.ProducerID(2 + h.rng.IntN(3)))
				}
			}
			h.flush()
			end := h.l.Offsets().End
			buffers := clean.DefaultBuffers()
			if h.rng.IntN(3) == 0 {
				buffers.MapBytes = 24 * 5
			}
			before := h.l.Size()
			c, err := h.compact(buffers, func() {
				if h.rng.IntN(8) == 0 { // and readers: each sees old segments or new ones
					h.check(fmt.Sprintf("seed %d round %d while it is compacted", seed, h.rounds))
				}
				if h.rng.IntN(4) == 0 { // writers go on meanwhile
					h.write()
					end = h.l.Offsets().End
				}
			})
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if c != nil {
				compacted++
				if h.l.Size() < before {
					dropped++
				}
				if upTo := h.l.compacted.get(); upTo <= c.Dirt.First {
					t.Fatalf("seed %d: compacted from %d, and no further than %d", seed, c.Dirt.First, upTo)
				}
			}
			h.check(fmt.Sprintf("seed %d round %d", seed, h.rounds))
			if h.l.Offsets().End != end {
				t.Fatalf("seed %d: the end moved from %d to %d", seed, end, h.l.Offsets().End)
			}
			h.now = later(h.now, h.rng.Int64N(900))
			h.flush()
			if how := h.rng.IntN(5); how < 3 {
				h.restart([]string{"clean", "kill", "power"}[how])
				h.check(fmt.Sprintf("seed %d round %d restarted %d", seed, h.rounds, how))
				if h.l.Offsets().End != end {
					t.Fatalf("seed %d: after a restart the log ends at %d, not %d", seed, h.l.Offsets().End, end)
				}
			}
		}
	}
	if compacted < int(seeds)*4 || dropped < int(seeds)*3 {
		t.Errorf("%d compactions, %d of which dropped something: the histories are too tame", compacted, dropped)
	}
}

// C3 beside a compaction: readers that start at 0 and go on to the end, by offset and by time, meet no error and miss no key,
// and a slice that was read before is what it was.
func TestReadersBesideACompaction(t *testing.T) {
	for seed := range uint64(4) {
		h := dirtied(t, seed)
		want := h.latest(h.facts, h.l.Offsets().FirstUnstable)
		slice := must.Get(h.l.Read(0, ReadOptions{MaxBytes: 1 << 20, MinOne: true, Upper: h.l.Offsets().End}))
		before := must.Get(slice.AppendTo(nil))
		over, failed := make(chan struct{}), make(chan error, 1)
		go func() {
			defer close(failed)
			for {
				seen := map[string]bool{}
				data, err := readAllOf(h.l, 0)
				if err == nil {
					_, err = h.l.AbortedTransactions(0, h.l.Offsets().End)
				}
				if err == nil {
					_, _, err = h.l.OffsetForTimestamp(h.now.WallMs - 10)
				}
				for rest := data; err == nil && len(rest) > 0; {
					var b record.Batch
					if b, rest, err = record.Next(rest); err == nil {
						err = b.Each(record.Limits{}, func(r *record.Record) error { seen[string(r.Key)] = true; return nil })
					}
				}
				for key := range want {
					if err == nil && !seen[key] {
						err = fmt.Errorf("a reader finds nothing of %s", key)
					}
				}
				if err != nil {
					failed <- err
					return
				}
				select {
				case <-over:
					return
				default:
				}
			}
		}()
		if c, err := h.compact(clean.DefaultBuffers(), func() {}); err != nil || c == nil {
			t.Fatal(c, err)
		}
		close(over)
		if err := <-failed; err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		equalBytes(t, "a slice that was read before", must.Get(slice.AppendTo(nil)), before)
		slice.Release()
	}
}

func later(now kafka.Instant, ms int64) kafka.Instant {
	now.WallMs += ms
	now.Mono += durationMs(ms)
	return now
}

func durationMs(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

// A log that is cut while a compaction of it finds out what there is to do: what it has found is of the log before.
func TestACutBeforeTheFirstStepEndsACompaction(t *testing.T) {
	r := newRig(t, compacting)
	var faulty *disk.Faulty
	r.around = func(fsys disk.FS) disk.FS { faulty = disk.NewFaulty(fsys); return faulty }
	r.restart("kill")
	for i := range 60 {
		r.put(fmt.Sprint("value-", i))
	}
	r.flush()
	cut := false
	faulty.Add(disk.Fault{Op: disk.OpList, Path: "/t-0", Times: 1, Slow: func() {
		cut = true
		must.OK(r.l.TruncateTo(r.l.Offsets().End - 1))
	}})
	var mu sync.Mutex
	c, err := Compact(r.l, r.now, CompactOptions{Policy: r.cfg.Clean, Buffers: clean.DefaultBuffers(), HighWatermark: r.l.Offsets().Durable, Writer: &mu})
	if err != nil || c == nil || !cut {
		t.Fatalf("%v, %v, cut %v", c, err, cut)
	}
	if err := c.End(true); !Abandoned(err) {
		t.Errorf("it goes on: %v", err)
	}
}
