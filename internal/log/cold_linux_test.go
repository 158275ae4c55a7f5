package log

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// TestRotBehindReadAhead: a reader that is far behind has what comes next brought into memory with what it asks for. That it is
// in memory when its turn comes doesn't mean that it was there since it was checked.
func TestRotBehindReadAhead(t *testing.T) {
	const batches = 60
	for _, rot := range []struct {
		batch, byte int64
		from        kafka.Offset // where the reader begins: the newest boundaries need no header to be found
		each        int
	}{
		{0, 3000, 0, 60_000}, {4, 8, 0, 60_000}, {5, 8, 0, 60_000}, {5, 3000, 0, 60_000}, {6, 17, 0, 60_000},
		{0, 3000, 0, 5_000}, {5, 3000, 5, 5_000}, {43, 3000, 40, 60_000}, {43, 8, 40, 5_000},
	} {
		t.Run(fmt.Sprintf("batch %d byte %d of %d", rot.batch, rot.byte, rot.each), func(t *testing.T) {
			fs, dir := disk.NewOS(), filepath.ToSlash(t.TempDir())+"/t-0"
			l := must.Get(Open(Options{FS: fs, Path: dir, Config: DefaultConfig(), Shared: Shared{Cold: NewCold(4)}}))
			defer l.Abandon()
			size := int64(0)
			for range batches {
				size = int64(must.Get(l.AppendAsLeader(kafka.Instant{WallMs: 1}, nobody.batch(1, strings.Repeat("v", rot.each)), 0, Client)).Bytes)
			}
			must.OK(l.settleAll())
			flip(t, fs, dir+"/00000000000000000000.log", rot.batch*size+rot.byte)
			for at := rot.from; at <= kafka.Offset(rot.batch); {
				s, err := l.Read(at, ReadOptions{MaxBytes: int(2*size + 10), Upper: batches})
				if err != nil {
					return // refused, as it must be
				}
				first, next := s.First, s.Next
				_, err = s.AppendTo(nil) // as a client would have it
				s.Release()
				if err != nil || int64(first) <= rot.batch && rot.batch < int64(next) {
					t.Fatalf("offsets %d to %d are served: %v", first, next-1, err)
				}
				at = next
			}
			t.Fatal("the reader came past it")
		})
	}
}

// flip has the disk change a bit of a byte, and memory forget the file.
func flip(t *testing.T, fs disk.FS, path string, at int64) {
	t.Helper()
	f := must.Get(fs.Open(path, disk.Write))
	defer f.Close()
	b := make([]byte, 1)
	must.Get(f.ReadAt(b, at))
	b[0] ^= 0x40
	must.Get(f.WriteAt(b, at))
	must.OK(f.Sync())
	f.(disk.Cache).Drop(0, 0)
	if f.(disk.Cache).Resident(at, 1) {
		t.Skipf("%s stays in memory (a tmpfs?), or this kernel does not tell (cachestat, Linux 6.5)", path)
	}
}
