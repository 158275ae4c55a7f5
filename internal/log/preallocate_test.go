package log

import (
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/must"
)

func preallocated(c *Config) { c.Roll.SegmentBytes, c.Roll.Preallocate = 2000, true }

// length is the size of a segment's file.
func (r *rig) length(base kafka.Offset) int64 {
	return must.Get(r.mem.Stat(root + "/t-0/" + segment.Name(base, segment.LogSuffix))).Size
}

// The file of the active segment has segment.bytes from the beginning, and what it did not need goes when it is rolled and
// when it is closed. The log's size is that of its records all the time.
func TestPreallocatedSegments(t *testing.T) {
	plain, r := newRig(t, func(c *Config) { c.Roll.SegmentBytes = 2000 }), newRig(t, preallocated)
	for i := range 60 {
		plain.put("value")
		r.put("value")
		active := r.l.active()
		if r.length(active.Base()) != 2000 || r.l.Size() != plain.l.Size() {
			t.Fatalf("batch %d: the active file has %d bytes, the log %d, want %d", i, r.length(active.Base()), r.l.Size(), plain.l.Size())
		}
	}
	for i, s := range r.l.segments[:len(r.l.segments)-1] {
		if r.length(s.Base()) != s.Size() || s.Size() != plain.l.segments[i].Size() {
			t.Errorf("the sealed segment %d has %d bytes, its file %d", s.Base(), s.Size(), r.length(s.Base()))
		}
	}
	r.flush()
	plain.flush()
	r.restart("clean")
	plain.restart("clean")
	for _, name := range plain.files() {
		equalBytes(t, name, r.file(name), plain.file(name)) // the files are what they are without
	}
	if !r.l.Recovered.Clean {
		t.Error("the start after a clean stop recovers")
	}
}

// After kill -9 and after a power cut the zeros behind the records are neither corruption nor loss: the log ends where it did,
// nothing is told to be cut, and the file ends there, too.
func TestAPreallocatedSegmentIsRecovered(t *testing.T) {
	for _, how := range []string{"kill", "power", "roll"} {
		for _, batches := range []int{1, 5, 70} {
			r := newRig(t, preallocated)
			for range batches {
				r.put("value")
			}
			r.flush()
			want := r.values(0)
			r.restart(how)
			if got := r.l.Recovered; got.Clean || got.CutAt != kafka.NoOffset || got.Reason != nil {
				t.Errorf("%s after %d: recovery tells %+v", how, batches, got)
			}
			if have := r.values(0); len(have) != len(want) {
				t.Errorf("%s after %d: %d records of %d", how, batches, len(have), len(want))
			}
			for _, s := range r.l.segments {
				if r.length(s.Base()) != s.Size() {
					t.Errorf("%s after %d: the file of %d has %d bytes, the segment %d", how, batches, s.Base(), r.length(s.Base()), s.Size())
				}
			}
			r.put("more")
		}
	}
}

// Where there is no room to allocate, the batch is refused as on any full disk, and the log goes on when there is.
func TestNoRoomToPreallocate(t *testing.T) {
	var bounded *disk.Bounded
	r := newRig(t, preallocated)
	r.around = func(fsys disk.FS) disk.FS {
		bounded = disk.NewBounded(fsys, 3600)
		return bounded
	}
	r.restart("clean")
	var err error
	for err == nil && r.l.Segments() < 2 {
		_, err = r.try(nobody, Client, "value")
	}
	if !fault.IsKind(err, fault.Full) {
		t.Fatalf("a segment was begun without room for it: %v", err)
	}
	end, files := r.l.Offsets().End, len(r.files())
	bounded.Resize(1 << 20)
	if a := r.put("value"); a.Base != end || r.l.Segments() != 2 || len(r.files()) < files {
		t.Errorf("the next batch is at %d, the log ended at %d; %d segments", a.Base, end, r.l.Segments())
	}
}
