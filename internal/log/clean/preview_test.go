package clean

import (
	"fmt"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

const dir = "data/t-0"

func put(fsys disk.FS, path string, data []byte) {
	f := must.Get(fsys.Open(path, disk.Write|disk.Create|disk.Trunc))
	must.Get(f.WriteAt(data, 0))
	must.OK(f.Close())
}

// batch is a batch of no producer; an empty value is a tombstone.
func batch(base kafka.Offset, pairs ...string) record.Batch {
	o := record.Plain()
	o.BaseOffset = base
	b := record.NewBuilder(o)
	for i := 0; i < len(pairs); i += 2 {
		var value []byte
		if pairs[i+1] != "" {
			value = []byte(pairs[i+1])
		}
		b.Append(1000+int64(base), []byte(pairs[i]), value)
	}
	return must.Get(b.Build())
}

// three writes three segments; the last is active.
func three() *disk.Mem {
	mem := disk.NewMem()
	must.OK(mem.MkdirAll(dir))
	for base, batches := range map[kafka.Offset][]record.Batch{
		0: {batch(0, "a", "1", "b", "1"), batch(2, "a", "2", "c", "1")},
		4: {batch(4, "b", ""), batch(5, "a", "3")},
		6: {batch(6, "c", "9")},
	} {
		var data []byte
		for _, b := range batches {
			data = append(data, b...)
		}
		put(mem, dir+"/"+segment.Name(base, segment.LogSuffix), data)
	}
	return mem
}

func TestPreviewTellsWhatWouldGo(t *testing.T) {
	mem := three()
	rec := disk.NewRecording(mem)
	p := must.Get(PreviewDir(rec, dir, DefaultPreviewOptions(5000)))
	if calls := rec.Calls(disk.OpWrite, disk.OpRename, disk.OpRemove, disk.OpSync, disk.OpTruncate, disk.OpSyncDir); len(calls) > 0 {
		t.Errorf("a preview writes: %v", disk.Script(calls))
	}
	if p.Segments != 3 || p.Dirt.First != 0 || p.Dirt.Until != 6 || p.UpTo != 6 || !p.Due || p.Bounds.Stable != 7 {
		t.Errorf("%+v", p)
	}
	if p.Stats.Keys != 3 || p.Stats.RecordsRead != 6 || p.Stats.RecordsLeft != 3 || len(p.Groups) != 1 || p.Groups[0].TombstonesLeft != 1 {
		t.Errorf("%+v, groups %+v", p.Stats, p.Groups)
	}
	if p.Saved() <= 0 || p.Saved() >= p.Bytes {
		t.Errorf("saves %d of %d bytes", p.Saved(), p.Bytes)
	}
}

func TestPreviewKnowsTheCheckpoints(t *testing.T) {
	mem := three()
	put(mem, "data/"+highWatermarkFile, []byte("0\n2\nother 0 9\nt 0 5\n"))
	put(mem, "data/"+cleanerFile, []byte("0\n1\nt 0 4\n"))
	p := must.Get(PreviewDir(mem, dir, DefaultPreviewOptions(5000)))
	if want := (Bounds{LogStart: 0, Stable: 5, End: 7, Checkpoint: 4}); p.Bounds != want {
		t.Errorf("bounds %+v, want %+v", p.Bounds, want)
	}
	if p.Due || p.Dirt.CleanableBytes != 0 {
		t.Errorf("the segment at 4 reaches past the high watermark: %+v", p.Dirt)
	}
}

func TestPreviewOfATornAndAForeignDirectory(t *testing.T) {
	mem := three()
	put(mem, dir+"/"+segment.Name(6, segment.LogSuffix), append([]byte(batch(6, "c", "9")), 0, 0, 0, 0, 0))
	if p, err := PreviewDir(mem, dir, DefaultPreviewOptions(5000)); err != nil || p.Bounds.End != 7 {
		t.Errorf("a torn tail: %+v, %v", p.Bounds, err)
	}
	bad := batch(4, "b", "x")
	bad[len(bad)-1] ^= 1
	put(mem, dir+"/"+segment.Name(4, segment.LogSuffix), bad)
	if _, err := PreviewDir(mem, dir, DefaultPreviewOptions(5000)); err == nil {
		t.Error("a batch that does not check passed")
	}
	must.OK(mem.MkdirAll("empty"))
	if p, err := PreviewDir(mem, "empty", DefaultPreviewOptions(0)); err != nil || p.Segments != 0 {
		t.Errorf("an empty directory: %+v, %v", p, err)
	}
	if _, err := PreviewDir(mem, "nowhere", DefaultPreviewOptions(0)); err == nil {
		t.Error("a directory that is not there passed")
	}
}

// A batch of more distinct keys than the map holds is mapped in parts; every pass gets further.
func TestAFullMapStopsInsideABatch(t *testing.T) {
	mem := disk.NewMem()
	must.OK(mem.MkdirAll(dir))
	var pairs []string
	for i := range 50 {
		pairs = append(pairs, fmt.Sprint(i), "v")
	}
	put(mem, dir+"/"+segment.Name(0, segment.LogSuffix), batch(0, pairs...))
	put(mem, dir+"/"+segment.Name(50, segment.LogSuffix), nil)
	o := DefaultPreviewOptions(5000)
	o.Buffers.MapBytes = 20 * entryBytes
	for from := kafka.Offset(0); from < 50; {
		put(mem, "data/"+cleanerFile, fmt.Appendf(nil, "0\n1\nt 0 %d\n", from))
		p := must.Get(PreviewDir(mem, dir, o))
		if p.UpTo <= from || p.UpTo > from+18 {
			t.Fatalf("a pass from %d got to %d", from, p.UpTo)
		}
		from = p.UpTo
	}
}
