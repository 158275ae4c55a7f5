package segment

import (
	"bytes"
	"errors"
	"io"
	"math"
	"sync"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

const dir = "p-0"

var wide = Limits{SegmentBytes: 1 << 30, SegmentMs: 1 << 40, IndexBytes: 1 << 20, IndexIntervalBytes: 256}

// batchAt builds a batch of n records whose values have size bytes each.
func batchAt(base kafka.Offset, n int, ts int64, size int) record.Batch {
	o := record.Plain()
	o.BaseOffset, o.LeaderEpoch = base, 3
	b := record.NewBuilder(o)
	for i := range n {
		b.Append(ts, nil, bytes.Repeat([]byte{byte('a' + i%26)}, size))
	}
	return must.Get(b.Build())
}

// rig is a segment with what was written to it.
type rig struct {
	t       *testing.T
	fs      *disk.Mem
	s       *Segment
	mu      sync.RWMutex
	batches []record.Batch
	window  []byte
}

func newRig(t *testing.T, base kafka.Offset) *rig {
	t.Helper()
	r := &rig{t: t, fs: disk.NewMem(), window: make([]byte, 0, 512)}
	must.OK(r.fs.MkdirAll(dir))
	r.s = must.Get(Create(r.fs, dir, base, 1000, 0))
	return r
}

func (r *rig) write(l Limits, b record.Batch) {
	r.t.Helper()
	if err := r.s.Write(b); err != nil {
		r.t.Fatal(err)
	}
	r.s.Publish(b, l)
	r.batches = append(r.batches, b)
}

// fill writes n batches of three records each, with gaps in offsets and timestamps that rise and fall.
func (r *rig) fill(n int) {
	at := r.s.Next()
	for i := range n {
		ts := int64(10_000 + 100*i - 350*(i%4))
		r.write(wide, batchAt(at, 3, ts, 20+i%50))
		at = r.s.Next() + kafka.Offset(i%5)
	}
}

func (r *rig) seal() {
	must.OK(r.s.Finish())
	r.s.Seal().Release()
}

func (r *rig) look() Look {
	r.t.Helper()
	k, err := r.s.Look(r.mu.RLocker(), r.window)
	if err != nil {
		r.t.Fatal(err)
	}
	return k
}

// cut cuts at an offset and returns where that was to end.
func (r *rig) cut(o kafka.Offset) kafka.Offset {
	r.t.Helper()
	k := r.look()
	at, err := k.Place(o)
	k.Release()
	must.OK(err)
	must.OK(r.s.Activate(r.window))
	if err := r.s.Cut(at, r.window); err != nil {
		r.t.Fatal(err)
	}
	return at.End()
}

// reopen forgets everything and opens the segment as the sealed last one of a log.
func (r *rig) reopen() {
	r.t.Helper()
	e := must.Get(r.fs.Stat(dir + "/" + Name(r.s.base, LogSuffix)))
	r.s = Existing(r.fs, dir, r.s.base, e.Size, r.s.base, false, 1000)
	next, err := r.s.End(r.window)
	if err != nil {
		r.t.Fatal(err)
	}
	r.s.SetNext(next)
}

// checkLookups compares every answer with a walk over what was written.
func (r *rig) checkLookups() {
	r.t.Helper()
	k := r.look()
	defer k.Release()
	for from := r.s.Base(); from <= r.s.Next(); from++ {
		for _, upper := range []kafka.Offset{from, from + 1, from + 7, r.s.Next(), math.MaxInt64} {
			for _, limit := range []int64{0, 100, 700, math.MaxInt64} {
				for _, one := range []bool{false, true} {
					r.checkRange(&k, from, upper, limit, one)
				}
			}
		}
	}
	largest := NoStamp
	for _, b := range r.batches {
		if b.MaxTimestamp() > largest.Timestamp {
			largest = Stamp{b.MaxTimestamp(), b.LastOffset()}
		}
	}
	if got, err := k.Largest(); err != nil || got != largest {
		r.t.Fatalf("largest is %+v, %v, want %+v", got, err, largest)
	}
	for ts := int64(9000); ts <= largest.Timestamp+100; ts += 50 {
		for from := r.s.Base(); from < r.s.Next(); from += 11 {
			var want record.Batch
			for _, b := range r.batches {
				if b.MaxTimestamp() >= ts && b.LastOffset() >= from {
					want = b
					break
				}
			}
			got, err := k.BatchAt(ts, from)
			if err != nil || !bytes.Equal(got, want) {
				r.t.Fatalf("the first batch from %d on at %d: got %d bytes, %v, want %d bytes", from, ts, len(got), err, len(want))
			}
		}
	}
}

func (r *rig) checkRange(k *Look, from, upper kafka.Offset, limit int64, one bool) {
	r.t.Helper()
	var want []byte
	for _, b := range r.batches {
		if b.LastOffset() < from {
			continue
		}
		if b.LastOffset() >= upper || int64(len(want)+len(b)) > limit && (!one || len(want) > 0) {
			break
		}
		want = append(want, b...)
	}
	got, err := k.Range(from, upper, limit, one)
	if err != nil {
		r.t.Fatalf("range(%d, %d, %d, %v): %v", from, upper, limit, one, err)
	}
	k.Served(&got) // so that the next questions meet the trail
	data := make([]byte, got.End-got.Pos)
	if len(data) > 0 {
		if _, err := k.File().ReadAt(data, got.Pos); err != nil && !errors.Is(err, io.EOF) {
			r.t.Fatal(err)
		}
	}
	if !bytes.Equal(data, want) {
		r.t.Fatalf("range(%d, %d, %d, %v) has %d bytes, want %d", from, upper, limit, one, len(data), len(want))
	}
	if len(want) > 0 {
		last := record.Batch(nil)
		for rest := want; len(rest) > 0; {
			last, rest = must2(record.Next(rest))
		}
		if next := kafka.Offset(math.MaxInt64); got.Next < last.NextOffset() || got.Next > r.after(last.NextOffset(), next) {
			r.t.Fatalf("range(%d, %d, %d, %v) goes on at %d, want %d", from, upper, limit, one, got.Next, last.NextOffset())
		}
	}
}

// after returns the offset of the first batch at or after o.
func (r *rig) after(o, none kafka.Offset) kafka.Offset {
	for _, b := range r.batches {
		if b.BaseOffset() >= o {
			return b.BaseOffset()
		}
	}
	return none
}

func must2(b record.Batch, rest []byte, err error) (record.Batch, []byte) {
	must.OK(err)
	return b, rest
}

func TestLookupsEqualALinearScan(t *testing.T) {
	for _, base := range []kafka.Offset{0, 5_000_000_000} {
		r := newRig(t, base)
		r.fill(60)
		r.checkLookups()
		r.seal()
		r.checkLookups()
		r.reopen()
		r.checkLookups()
		must.OK(r.s.Activate(r.window))
		r.checkLookups()
		r.fill(20)
		r.checkLookups()
	}
}

func readFile(fsys disk.FS, path string) ([]byte, error) {
	f, err := fsys.Open(path, 0)
	if err != nil {
		return nil, err
	}
	return readAll(f)
}

func writeFile(fsys disk.FS, path string, data []byte) {
	f := must.Get(fsys.Open(path, disk.Write|disk.Create|disk.Trunc))
	must.Get(f.WriteAt(data, 0))
	must.OK(f.Close())
}

// Point 25 of the places where clones go wrong: when a segment is full.
func TestFull(t *testing.T) {
	l := Limits{SegmentBytes: 1000, SegmentMs: 500, JitterMs: 100, IndexBytes: 32, IndexIntervalBytes: 0}
	small := batchAt(0, 1, 5000, 10)
	for _, c := range []struct {
		name  string
		prep  func(r *rig)
		batch record.Batch
		nowMs int64
		want  bool
	}{
		{"empty takes any time", func(*rig) {}, batchAt(0, 1, 99_999, 10), 999_999, false},
		{"fits to the byte", func(*rig) {}, batchAt(0, 1, 5000, 1000-len(small)+10-2), 1000, false},
		{"a byte too long", func(*rig) {}, batchAt(0, 1, 5000, 1000), 1000, true},
		{"room after one", func(r *rig) { r.write(l, small) }, batchAt(1, 1, 5400, 10), 1000, false},
		{"time since the first batch, less jitter", func(r *rig) { r.write(l, small) }, batchAt(1, 1, 5401, 10), 1000, true},
		{"time since the first, not the newest", func(r *rig) { r.write(l, small); r.write(l, batchAt(1, 1, 5300, 10)) }, batchAt(2, 1, 5401, 10), 1000, true},
		{"without timestamps since it was made", func(r *rig) { r.write(l, batchAt(0, 1, -1, 10)) }, batchAt(1, 1, -1, 10), 1401, true},
		{"without timestamps not yet", func(r *rig) { r.write(l, batchAt(0, 1, -1, 10)) }, batchAt(1, 1, -1, 10), 1400, false},
		{"offset index full", func(r *rig) {
			for i := range 5 {
				r.write(Limits{IndexIntervalBytes: 0}, batchAt(kafka.Offset(i), 1, 5000, 10))
			}
		}, batchAt(5, 1, 5000, 10), 1000, true},
		{"time index full", func(r *rig) { r.write(l, small); r.write(l, batchAt(1, 1, 5001, 10)) }, batchAt(2, 1, 5000, 10), 1000, true},
		{"last offset that fits", func(*rig) {}, batchAt(math.MaxInt32, 1, 5000, 10), 1000, false},
		{"offset too far", func(*rig) {}, batchAt(math.MaxInt32+1, 1, 5000, 10), 1000, true},
	} {
		r := newRig(t, 0)
		c.prep(r)
		if got := r.s.Full(l, c.batch, c.nowMs); got != c.want {
			t.Errorf("%s: full is %v", c.name, got)
		}
	}
}

func TestAgedNeedsAnOldRecordAndAnOldFile(t *testing.T) {
	l := Limits{SegmentMs: 500}
	r := newRig(t, 0)
	if r.s.Aged(l, 1<<40) {
		t.Error("an empty segment was aged")
	}
	r.write(l, batchAt(0, 1, 10, 10))
	for now, want := range map[int64]bool{1001: false, 1500: false, 1501: true} {
		if got := r.s.Aged(l, now); got != want {
			t.Errorf("aged at %d is %v", now, got)
		}
	}
	r.seal()
	if r.s.Aged(l, 1<<40) {
		t.Error("a sealed segment was aged")
	}
}

// The indexes of an active segment go to disk in parts; together they are what one write of everything gives.
func TestSpilledIndexesAreComplete(t *testing.T) {
	dense := Limits{IndexIntervalBytes: 0}
	a, b := newRig(t, 0), newRig(t, 0)
	for i := range 3*spillEntries + 17 {
		batch := batchAt(kafka.Offset(i), 1, int64(1000+i), 1)
		a.write(dense, batch)
		b.write(dense, batch)
		must.OK(a.s.Spill())
		if i == 700 {
			must.OK(a.s.Finish()) // a roll that failed after it
		}
	}
	a.seal()
	b.seal()
	for _, suffix := range []string{IndexSuffix, TimeIndexSuffix} {
		if !bytes.Equal(must.Get(readFile(a.fs, a.s.Path(suffix))), must.Get(readFile(b.fs, b.s.Path(suffix)))) {
			t.Errorf("%s differs", suffix)
		}
	}
}

func TestDeletedSegmentIsReadableWhileHeld(t *testing.T) {
	r := newRig(t, 0)
	r.fill(3)
	r.seal()
	k := r.look()
	remove := must.Get(r.s.Delete())
	r.checkRange(&k, 0, math.MaxInt64, 1<<20, false)
	must.OK(remove())
	data := make([]byte, 10)
	if _, err := k.File().ReadAt(data, 0); err != nil || !bytes.Equal(data, r.batches[0][:10]) {
		t.Errorf("read %v of a deleted file that is held", err)
	}
	k.Release()
	if err := r.s.Sync(); err != nil {
		t.Errorf("the flush of a deleted segment failed: %v", err)
	}
	if list := must.Get(r.fs.List(dir)); len(list) != 0 {
		t.Errorf("%v is left", list)
	}
}

func TestNames(t *testing.T) {
	if n := Name(42, IndexSuffix); n != "00000000000000000042.index" {
		t.Errorf("name %q", n)
	}
	for name, want := range map[string]string{
		"00000000000000000042.log": ".log", "00000000000000000042.log.deleted": ".log.deleted",
		"0000000000000000042.log": "", "000000000000000000042.log": "", "00000000000000000042": "", "0000000000000000004x.log": "",
		"99999999999999999999.log": "",
	} {
		if o, suffix, ok := ParseName(name); ok != (want != "") || suffix != want || ok && o != 42 {
			t.Errorf("%s is %d, %q, %v", name, o, suffix, ok)
		}
	}
}
