package log

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/log/clean"
	"github.com/milena-io/milena/internal/must"
)

// decayed is a log of plain, idempotent and transactional batches over many segments, all durable.
func decayed(t *testing.T, rng *rand.Rand) *rig {
	r := newRig(t, small)
	r.cfg.Clean.DirtyRatio = 0
	a, b := txn(1), txn(2)
	for i := range int32(14) {
		r.now = r.now.Add(time.Second)
		r.put(fmt.Sprint("p", i), "q", "r")
		r.send(a.at(i), fmt.Sprint("a", i))
		if rng.IntN(3) > 0 {
			r.end(a, rng.IntN(2) == 0)
		}
		if i == 4 {
			r.send(b.at(0), "open for long")
		}
	}
	r.end(a, false)
	r.end(b, false)
	r.put("last")
	r.flush()
	r.checkpointed()
	must.OK(r.dir.CheckpointHighWatermarks(func() checkpoint.Offsets { return checkpoint.Offsets{tp: r.l.Offsets().Durable} }))
	return r
}

// Whatever a disk does to files of a log (MILENA_DECAY=100000 for more of it), what is served is what was written; and of damage, which is in the log to stay,
// nothing but a read of it may answer an error that would cost the node or the directory.
func TestDecay(t *testing.T) {
	seeds := uint64(300)
	if n, err := strconv.ParseUint(os.Getenv("MILENA_DECAY"), 10, 64); err == nil {
		seeds = n
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 1))
		r := decayed(t, rng)
		all := r.readable()
		end := r.l.Offsets().End
		if rng.IntN(2) == 0 {
			must.OK(r.l.Close(r.now))
			points := checkpoint.Offsets{tp: end}
			must.OK(r.dir.CloseClean(77, points, points))
		}
		r.mem = r.mem.PowerCut()
		var did []string
		for range 1 + rng.IntN(4) {
			did = append(did, r.decay(rng))
		}
		r.openDir()
		what := fmt.Sprintf("seed %d: %s", seed, strings.Join(did, ", "))
		if err := r.tryOpen(); err != nil {
			if !fault.IsKind(err, fault.Corrupt) {
				t.Fatalf("%s: open: %v", what, err)
			}
			continue
		}
		r.endure(what, rng, all)
		if t.Failed() {
			t.FailNow()
		}
	}
}

// decay damages a file of the log: a bit, a stretch, its end, or all of it.
func (r *rig) decay(rng *rand.Rand) string {
	names := slices.DeleteFunc(r.files(), func(n string) bool { return n == partitionMetadata })
	name := names[rng.IntN(len(names))]
	data := r.file(name)
	kind := rng.IntN(10)
	switch {
	case kind == 0:
		must.OK(r.mem.Remove(root + "/" + tp.String() + "/" + name))
		return "removed " + name
	case len(data) == 0:
		return "left " + name
	case kind <= 2:
		data = data[:rng.IntN(len(data))]
	case kind <= 4:
		at := rng.IntN(len(data))
		for i := at; i < min(len(data), at+rng.IntN(100)); i++ {
			data[i] = byte(rng.Uint32()) * byte(rng.IntN(2))
		}
	default:
		bit := rng.IntN(8 * len(data))
		data[bit/8] ^= 1 << (bit % 8)
		r.overwrite(name, data)
		return fmt.Sprintf("flipped bit %d of %s", bit, name)
	}
	r.overwrite(name, data)
	return fmt.Sprintf("spoilt %s (%d)", name, kind)
}

// endure does to a damaged log what a node does.
func (r *rig) endure(what string, rng *rand.Rand, all map[kafka.Offset]string) {
	t := r.t
	calm := func(doing string, err error, corrupt bool) {
		t.Helper()
		if err != nil && !(corrupt && fault.IsKind(err, fault.Corrupt)) {
			t.Errorf("%s: %s: %v", what, doing, err)
		}
	}
	for range 12 {
		o := r.l.Offsets()
		r.now = r.now.Add(time.Second)
		switch rng.IntN(9) {
		case 0:
			for at, v := range r.readable() {
				v, _, _ := strings.Cut(v, " in epoch") // a flip in the checkpoint of the epochs may vouch for one in a batch
				old, was := all[at]
				if old, _, _ := strings.Cut(old, " in epoch"); was && old != v || !was && at < kafka.Offset(len(all)) {
					t.Errorf("%s: offset %d is %q, was %q", what, at, v, all[at])
				}
			}
		case 1:
			_, _, err := r.l.OffsetForTimestamp(r.now.WallMs - int64(rng.IntN(20_000)))
			calm("a lookup", err, true)
		case 2:
			_, _, err := r.l.MaxTimestamp()
			calm("the largest timestamp", err, true)
		case 3:
			_, err := r.l.AbortedTransactions(o.LogStart, o.End)
			calm("aborted transactions", err, true)
		case 4:
			c := r.cfg
			c.Keep.RetentionMs = int64(5000 + rng.IntN(20_000))
			r.l.SetConfig(c)
			_, err := r.l.Retain(r.now, o.End)
			calm("retention", err, false)
		case 5:
			p := r.cfg.Clean
			p.MinLagMs, p.MaxLagMs = int64(rng.IntN(2)), math.MaxInt64-int64(rng.IntN(2))
			_, err := Dirt(r.l, r.now, o.End, p)
			calm("dirt", err, true)
		case 6:
			h := history{rig: r}
			_, err := h.compact(clean.DefaultBuffers(), func() {})
			calm("compaction", err, true)
		case 7:
			_, err := r.try(nobody, Client, "new")
			calm("an append", err, false)
			all[o.End] = ""
			delete(all, o.End)
			calm("a roll", r.l.MaybeRoll(r.now), false)
		case 8:
			s := NewScrub(r.l)
			for done, n := false, 0; !done; n++ {
				var err error
				done, _, err = s.Step(300)
				calm("scrub", err, false)
				if n > 10_000 || err != nil {
					t.Errorf("%s: the scrub does not end", what)
					return
				}
			}
		}
	}
	r.flush()
	calm("close", r.l.Close(r.now), false)
}

// No checksum covers where a batch begins. A last batch of a segment that says it stands in the next one is not copied by a
// compaction, which would make it the record of another offset for good; the log is left as it is.
func TestACompactionCopiesNoBatchIntoTheNextSegment(t *testing.T) {
	r := threes(t, 12)
	r.flush()
	all := r.readable()
	first := r.l.segments[0]
	data := r.file(logName(0))
	last := len(data) - batchSize(data)
	must.Hold(data[last+7] == byte(first.Next()-3), "the last batch begins at %d", data[last+7])
	data[last+7]++
	r.overwrite(logName(0), data)
	r.cfg.Clean.SegmentBytes = 1 // each segment by itself, so that no later batch comes after this one
	h := history{rig: r}
	if _, err := h.compact(clean.DefaultBuffers(), func() {}); !fault.IsKind(err, fault.Corrupt) {
		t.Errorf("a compaction of a damaged log ends with %v", err)
	}
	r.wantReadable("after the compaction", all, first.Next()-3, first.Next())
}
