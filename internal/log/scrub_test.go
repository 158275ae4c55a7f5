package log

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/must"
)

// scrubbed steps a scrub to its end.
func scrubbed(t *testing.T, l *Log, bytes int64) *Scrub {
	t.Helper()
	s := NewScrub(l)
	for steps := 0; ; steps++ {
		done, read, err := s.Step(bytes)
		must.OK(err)
		if done {
			return s
		}
		if steps > 10_000 {
			t.Fatalf("no end after %d bytes, last %d", s.Bytes, read)
		}
	}
}

// sealedBytes is what a scrub has to read.
func sealedBytes(l *Log) (n int64) {
	for _, s := range l.segments[:len(l.segments)-1] {
		n += s.Size()
	}
	return n
}

// A scrub reads every sealed byte once, at any pace, and finds nothing where nothing is wrong.
func TestScrubReadsEverySealedByte(t *testing.T) {
	r, _ := durableRig(t)
	for _, bytes := range []int64{1, 100, 1 << 20} {
		if s := scrubbed(t, r.l, bytes); s.Bytes != sealedBytes(r.l) || s.Bytes == 0 || s.Damages != 0 {
			t.Errorf("steps of %d: %d bytes of %d, %d damages", bytes, s.Bytes, sealedBytes(r.l), s.Damages)
		}
	}
}

// S3: every flipped bit of a sealed segment is found by a scrub though nobody reads, it costs the batch that it is in and no
// other, and the next scrub finds nothing more.
func TestScrubFindsEveryBit(t *testing.T) {
	origin, all := durableRig(t)
	must.OK(origin.l.Close(origin.now))
	end := checkpoint.Offsets{tp: 36}
	must.OK(origin.dir.CloseClean(77, end, end))
	image := origin.mem
	base := origin.l.segments[1].Base()
	data := origin.file(logName(base))
	for bit := range 8 * len(data) {
		if bit%7 != 0 && os.Getenv("MILENA_EVERY_BIT") == "" {
			continue
		}
		r := &rig{t: t, mem: image.PowerCut(), cfg: origin.cfg, now: origin.now}
		r.open()
		scrubbed(t, r.l, 1<<20) // all was checked before it rots
		bad := slices.Clone(data)
		bad[bit/8] ^= 1 << (bit % 8)
		r.overwrite(logName(base), bad)
		hit := base + 3*kafka.Offset(bit/8/batchSize(data))
		what := fmt.Sprintf("byte %d, bit %d", bit/8, bit%8)
		for range 2 {
			if s := scrubbed(t, r.l, 100); s.Damages != 1 || len(r.l.Damages()) != 1 || r.l.Damages()[0].First != hit || r.l.Damages()[0].Next != hit+3 {
				t.Fatalf("%s: %d damages, %+v", what, s.Damages, r.l.Damages())
			}
		}
		r.wantReadable(what, all, hit, hit+3)
	}
}

// A scrub goes on behind damage in the middle, and on from a log start that moved meanwhile.
func TestScrubGoesAroundDamage(t *testing.T) {
	r, _ := durableRig(t)
	for at := range 2 {
		path := r.l.options.Path + "/" + logName(r.l.segments[at].Base())
		f := must.Get(r.fs.Open(path, disk.Write))
		for _, eighth := range []int64{1, 5} { // the first and the third of four batches
			must.Get(f.WriteAt([]byte{0xff, 0xfe, 0xff}, r.l.segments[at].Size()*eighth/8))
		}
		must.OK(f.Close())
		if s := scrubbed(t, r.l, 64); s.Damages != 2*(at+1) {
			t.Errorf("%d damages after segment %d", s.Damages, at)
		}
	}
	s := NewScrub(r.l)
	_, _, err := s.Step(1)
	must.OK(err)
	must.OK(r.l.AdvanceStart(r.l.segments[1].Base()))
	for done := false; !done; {
		done, _, err = s.Step(1 << 20)
		must.OK(err)
	}
	if s.Bytes > sealedBytes(r.l) {
		t.Errorf("%d bytes of %d", s.Bytes, sealedBytes(r.l))
	}
}

// pagedFS is of files that know which of their pieces are in memory: Ahead brings them there, and Drop takes them away.
type pagedFS struct {
	disk.FS
	hot   map[int64]bool // by piece
	asked map[int64]bool
	reads bool // and so do reads and writes
}

type pagedFile struct {
	disk.File
	fs *pagedFS
}

func (p *pagedFS) Open(path string, flags disk.Flag) (disk.File, error) {
	f, err := p.FS.Open(path, flags)
	return &pagedFile{f, p}, err
}

func (f *pagedFile) Resident(off, n int64) bool {
	for at := off / scrubPiece; at*scrubPiece < off+n; at++ {
		if !f.fs.hot[at] {
			return false
		}
	}
	return true
}

func (f *pagedFile) Ahead(off, n int64) { f.touch(off, n) }

func (f *pagedFile) touch(off, n int64) {
	for at := off / scrubPiece; at*scrubPiece < off+n; at++ {
		f.fs.hot[at], f.fs.asked[at] = true, true
	}
}

func (f *pagedFile) ReadAt(b []byte, off int64) (int, error) {
	f.heat(off, len(b))
	return f.File.ReadAt(b, off)
}

func (f *pagedFile) WriteAt(b []byte, off int64) (int, error) {
	f.heat(off, len(b))
	return f.File.WriteAt(b, off)
}

func (f *pagedFile) heat(off int64, n int) {
	for at := off / scrubPiece; f.fs.reads && at*scrubPiece < off+int64(n); at++ {
		f.fs.hot[at] = true
	}
}

func (f *pagedFile) Drop(off, n int64) {
	for at := (off + scrubPiece - 1) / scrubPiece; at*scrubPiece < off+n; at++ {
		delete(f.fs.hot, at)
	}
}

// A scrub leaves the page cache as it was: what was there stays, what was not is not.
func TestScrubPassesThePageCacheBy(t *testing.T) {
	p := &pagedFS{FS: disk.NewMem(), hot: map[int64]bool{}, asked: map[int64]bool{}}
	c := DefaultConfig()
	c.Roll.SegmentBytes = 1 << 20
	l := must.Get(Open(Options{FS: p, Path: "t-0", Config: c}))
	for len(l.segments) < 2 {
		must.Get(l.AppendAsLeader(kafka.Instant{WallMs: 1}, nobody.batch(1, string(make([]byte, 10_000))), 0, Client))
	}
	p.hot = map[int64]bool{3: true, 7: true}
	p.asked = map[int64]bool{}
	if s := scrubbed(t, l, 100_000); s.Bytes != sealedBytes(l) || s.Bytes < 900_000 {
		t.Errorf("%d bytes of %d", s.Bytes, sealedBytes(l))
	}
	if len(p.hot) != 2 || !p.hot[3] || !p.hot[7] || p.asked[3] || !p.asked[4] {
		t.Errorf("in memory: %v, asked for: %v", p.hot, p.asked)
	}
}
