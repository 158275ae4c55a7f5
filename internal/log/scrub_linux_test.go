package log

import (
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// On a real file system a scrub of files that are not in memory leaves them so, and what somebody else has read stays.
func TestScrubAndTheKernelsPageCache(t *testing.T) {
	c := DefaultConfig()
	c.Roll.SegmentBytes = 4 << 20
	dir := t.TempDir() + "/t-0"
	l := must.Get(Open(Options{FS: disk.OS{}, Path: dir, Config: c, Now: kafka.Instant{WallMs: 1}}))
	defer l.Abandon()
	for len(l.segments) < 2 {
		must.Get(l.AppendAsLeader(kafka.Instant{WallMs: 1}, nobody.batch(1, string(make([]byte, 10_000))), 0, Client))
	}
	f := must.Get(disk.OS{}.Open(dir+"/"+logName(0), disk.Write))
	defer f.Close()
	must.OK(f.Sync())
	size := must.Get(f.Size())
	cache, ok := f.(disk.Cache)
	if !ok {
		t.Skip("files don't tell here what of them is in memory")
	}
	cache.Drop(0, size)
	if cache.Resident(0, size) {
		t.Skip("the kernel doesn't tell what is in memory, or keeps it")
	}
	const hot = 20 * scrubPiece
	must.Get(f.ReadAt(make([]byte, 4096), hot)) // and what the kernel reads ahead with it
	inMemory := func() (pieces []bool) {
		for at := int64(0); at < size; at += scrubPiece {
			pieces = append(pieces, cache.Resident(at, min(scrubPiece, size-at)))
		}
		return pieces
	}
	before := inMemory()
	if s := scrubbed(t, l, 1<<20); s.Bytes != size {
		t.Errorf("%d bytes of %d", s.Bytes, size)
	}
	for i, now := range inMemory() {
		if now && !before[i] {
			t.Errorf("piece %d is in memory and was not: %v, before %v", i, inMemory(), before)
			break
		}
		if before[i] && !now {
			t.Errorf("piece %d was in memory and is not", i)
		}
	}
}
