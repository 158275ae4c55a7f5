package log

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/must"
)

// scarce is a file system that counts the open files and lets only so many be open at a time.
type scarce struct {
	disk.FS
	most, now, peak, ever atomic.Int64
}

func (s *scarce) Open(path string, flags disk.Flag) (disk.File, error) {
	f, err := s.FS.Open(path, flags)
	if err != nil {
		return nil, err
	}
	s.ever.Add(1)
	if n := s.now.Add(1); n > s.peak.Load() {
		s.peak.Store(n)
	}
	if most := s.most.Load(); most > 0 && s.now.Load() > most {
		s.now.Add(-1)
		_ = f.Close()
		return nil, fmt.Errorf("%s: %d files are open", path, most)
	}
	return &scarceFile{f, s}, nil
}

type scarceFile struct {
	disk.File
	of *scarce
}

func (f *scarceFile) Close() error {
	f.of.now.Add(-1)
	return f.File.Close()
}

func flush(l *Log) {
	targets, upTo := l.Dirty()
	for _, t := range targets {
		must.OK(t.Sync())
	}
	l.Flushed(upTo)
}

// TestMoreLogsThanDescriptors: logs that are written in turn, many more than files may be open, hold a file only while they
// have something that is not durable; rolls, truncations, restarts and deletions included, nothing is lost and nothing leaks.
func TestMoreLogsThanDescriptors(t *testing.T) {
	const logs, kept = 60, 8
	fs := &scarce{FS: disk.NewMem()}
	fs.most.Store(kept + 4) // and the writer's, and a checkpoint's beside it
	shared := Shared{Handles: segment.NewHandles(kept)}
	config := DefaultConfig()
	config.Roll.SegmentBytes = 400
	config.Accept.TimestampAfterMaxMs = 1 << 62
	open := func(i int, clean bool) *Log {
		return must.Get(Open(Options{FS: fs, Path: fmt.Sprintf("t-%d", i), Partition: kafka.TopicPartition{Topic: "t", Partition: int32(i)},
			Config: config, Shared: shared, Clean: clean}))
	}
	var all [logs]*Log
	for i := range all {
		all[i] = open(i, false)
	}
	const rounds = 12
	write := func(l *Log, i, n int) {
		must.Get(l.AppendAsLeader(kafka.Instant{}, nobody.batch(1000, fmt.Sprintf("%d of %d", n, i)), 0, Client))
	}
	for n := range rounds {
		for i, l := range all {
			write(l, i, n)
			flush(l)
		}
	}
	for i, l := range all {
		if l.Segments() < 2 || l.Offsets().Durable != rounds {
			t.Fatalf("log %d has %d segments and is durable to %d", i, l.Segments(), l.Offsets().Durable)
		}
		must.OK(l.TruncateTo(rounds - 1)) // of a file that rests
		write(l, i, rounds-1)
		flush(l)
		must.OK(l.MaybeRoll(kafka.Instant{WallMs: 1 << 50}))
		flush(l)
	}
	if fs.now.Load() > kept {
		t.Errorf("%d files are open", fs.now.Load())
	}
	for i, l := range all {
		for n := range rounds {
			s := must.Get(l.Read(kafka.Offset(n), ReadOptions{MaxBytes: 1, MinOne: true, Upper: rounds}))
			if s.First != kafka.Offset(n) || s.Len == 0 {
				t.Fatalf("log %d: %d bytes from %d where %d was asked for", i, s.Len, s.First, n)
			}
			s.Release()
		}
	}
	for i, l := range all {
		must.OK(l.Close(kafka.Instant{}))
		all[i] = open(i, true)
		write(all[i], i, rounds)
		flush(all[i])
	}
	for _, l := range all {
		must.OK(l.Delete())
	}
	if fs.now.Load() != 0 || shared.Handles.Idle() != 0 {
		t.Errorf("%d files are open of deleted logs, %d idle", fs.now.Load(), shared.Handles.Idle())
	}
}

// TestWhatIsNotDurableKeepsItsFile: a write that fails behind our back is told to who has the file open (S5), so it stays
// open until it is synced; and a busy log opens it once.
func TestWhatIsNotDurableKeepsItsFile(t *testing.T) {
	fs := &scarce{FS: disk.NewMem()}
	l := must.Get(Open(Options{FS: fs, Path: "t-0", Partition: tp, Config: DefaultConfig(), Shared: Shared{Handles: segment.NewHandles(0)}}))
	write := func() {
		must.Get(l.AppendAsLeader(kafka.Instant{}, nobody.batch(0, "v"), 0, Client))
	}
	write()
	_, upTo := l.Dirty()
	ever := fs.ever.Load()
	for range 5 { // a flush that ends is not of everything
		write()
		l.Flushed(upTo)
	}
	if fs.now.Load() != 1 || fs.ever.Load() != ever {
		t.Fatalf("%d files are open, %d were opened", fs.now.Load(), fs.ever.Load()-ever)
	}
	flush(l)
	if fs.now.Load() != 0 {
		t.Fatalf("%d files are open of a durable log", fs.now.Load())
	}
	write()
	if got := must.Get(l.Read(5, ReadOptions{MaxBytes: 1000, Upper: 7})); got.Next != 7 || fs.now.Load() != 1 {
		t.Fatalf("up to %d, %d files are open", got.Next, fs.now.Load())
	} else {
		got.Release()
	}
	must.OK(l.Close(kafka.Instant{}))
	if fs.now.Load() != 0 {
		t.Errorf("%d files are open of a closed log", fs.now.Load())
	}
}
