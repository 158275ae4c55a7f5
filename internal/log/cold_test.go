package log

import (
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
