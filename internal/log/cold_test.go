package log

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// slowDisk is a file system whose files are in memory or not, as the test says; reading one that is not takes until the
// test lets it come.
type slowDisk struct {
	disk.FS
	mu      sync.Mutex
	absent  bool
	reading int
	ahead   int64
	come    chan struct{}
}

func (s *slowDisk) Open(path string, flags disk.Flag) (disk.File, error) {
	f, err := s.FS.Open(path, flags)
	if err != nil {
		return nil, err
	}
	return &slowFile{f, s}, nil
}

type slowFile struct {
	disk.File
	disk *slowDisk
}

func (f *slowFile) Resident(_, _ int64) bool {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return !f.disk.absent
}

func (f *slowFile) Ahead(_, n int64) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.disk.ahead = max(f.disk.ahead, n)
}

func (f *slowFile) Drop(_, _ int64) {}

func (f *slowFile) ReadAt(p []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	absent := f.disk.absent
	f.disk.reading++
	f.disk.mu.Unlock()
	if absent {
		<-f.disk.come
	}
	n, err := f.File.ReadAt(p, off)
	f.disk.mu.Lock()
	f.disk.reading--
	f.disk.mu.Unlock()
	return n, err
}

// TestColdReadsAreFew: of many readers whose records are not in memory a few go to the disk at a time, with read-ahead, and
// who reads what is in memory passes them all.
func TestColdReadsAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowDisk{FS: disk.NewMem(), come: make(chan struct{})}
		shared := Shared{Cold: NewCold(4)}
		fill := func(path string) *Log {
			l := must.Get(Open(Options{FS: s, Path: path, Config: DefaultConfig(), Shared: shared}))
			for range 10 {
				must.Get(l.AppendAsLeader(kafka.Instant{WallMs: 1}, nobody.batch(1, "value"), 0, Client))
			}
			return l
		}
		behind, tail := fill("behind-0"), fill("tail-0")
		all := ReadOptions{MaxBytes: 1 << 20, Upper: 10}
		s.absent = true
		var readers sync.WaitGroup
		for range 30 {
			readers.Go(func() {
				slice, err := behind.Read(0, all)
				if err != nil || slice.Next != 10 {
					t.Errorf("%d, %v", slice.Next, err)
				}
				slice.Release()
			})
		}
		synctest.Wait()
		s.mu.Lock()
		if s.reading != 4 || s.ahead < coldAhead {
			t.Errorf("%d wait for the disk, %d bytes ahead", s.reading, s.ahead)
		}
		s.absent = false // what the tail reads is in memory
		s.mu.Unlock()
		slice, err := tail.Read(0, all)
		if err != nil || slice.Next != 10 {
			t.Errorf("at the tail: %d, %v", slice.Next, err)
		}
		slice.Release()
		close(s.come)
		readers.Wait()
	})
}

// rotBehind has a reader, far behind, meet a bit that changed on the disk. What comes next is brought into memory with what it asks
// for: that it is in memory when its turn comes doesn't mean that it was there since it was checked.
func rotBehind(t *testing.T, newDisk func(t *testing.T) (disk.FS, string)) {
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
			fs, dir := newDisk(t)
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
	f.(disk.Cache).Drop(0, must.Get(f.Size()))
	if f.(disk.Cache).Resident(at, 1) {
		t.Skipf("%s stays in memory (a tmpfs?), or this kernel does not tell (cachestat, Linux 6.5)", path)
	}
}

func TestRotBehindReadAhead(t *testing.T) {
	rotBehind(t, func(*testing.T) (disk.FS, string) {
		return &pagedFS{FS: disk.NewMem(), hot: map[int64]bool{}, asked: map[int64]bool{}, reads: true}, "t-0"
	})
}
