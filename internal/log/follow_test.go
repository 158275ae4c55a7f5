package log

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// readsCounted counts the reads of log files.
type readsCounted struct {
	disk.FS
	reads atomic.Int64
}

func (c *readsCounted) Open(path string, flags disk.Flag) (disk.File, error) {
	f, err := c.FS.Open(path, flags)
	if err != nil || !strings.HasSuffix(path, segment.LogSuffix) {
		return f, err
	}
	return &readCountedFile{f, c}, nil
}

type readCountedFile struct {
	disk.File
	of *readsCounted
}

func (f *readCountedFile) ReadAt(p []byte, pos int64) (int, error) {
	f.of.reads.Add(1)
	return f.File.ReadAt(p, pos)
}

func followed(fs disk.FS, path string, tails *segment.Tails) *Log {
	config := DefaultConfig()
	config.Roll.SegmentBytes = 100_000
	return must.Get(Open(Options{FS: fs, Path: path, Partition: tp, Config: config, Shared: Shared{Tails: tails}}))
}

func add(l *Log, bytes int) {
	must.Get(l.AppendAsLeader(kafka.Instant{}, nobody.batch(0, strings.Repeat("v", bytes)), 0, Client))
}

// tailOf reads from an offset on and reports how often the log file was read for it.
func (c *readsCounted) tailOf(l *Log, from kafka.Offset, most int) (Slice, []byte, int64) {
	before := c.reads.Load()
	s := must.Get(l.Read(from, ReadOptions{MaxBytes: most, MinOne: true, Upper: l.Offsets().End}))
	return s, must.Get(s.AppendTo(nil)), c.reads.Load() - before
}

// TestFollowersReadNoFile: who follows a log reads the newest records from memory, as many as there are of him; a log that
// nobody follows keeps none, nor does one beyond the budget.
func TestFollowersReadNoFile(t *testing.T) {
	fs := &readsCounted{FS: disk.NewMem()}
	tails := segment.NewTails(40_000) // room for one
	l, other := followed(fs, "t-0", tails), followed(fs, "t-1", tails)
	reads := func(l *Log) (n int64) {
		for range 10 {
			s, b, read := fs.tailOf(l, l.Offsets().End-1, 1<<20)
			if n += read; len(b) < 100 {
				t.Fatalf("%d bytes", len(b))
			}
			s.Release()
		}
		return n
	}
	add(l, 100)
	if n := reads(l); n != 10 {
		t.Errorf("%d reads of the file where nobody follows", n)
	}
	l.Follow()
	add(l, 100)
	if n := reads(l); n != 0 {
		t.Errorf("%d reads of the file by 10 followers", n)
	}
	other.Follow()
	add(other, 100)
	if n := reads(other); n != 10 {
		t.Errorf("%d reads where there is no room for a tail", n)
	}
	l.Ease() // it was followed since
	if n := reads(l); n != 0 {
		t.Errorf("%d reads of the file after a first look", n)
	}
	l.Ease()
	if n := reads(l); n != 10 {
		t.Errorf("%d reads of the file of a log that nobody follows any more", n)
	}
	add(other, 100)
	if n := reads(other); n != 0 {
		t.Errorf("%d reads where there is room again", n)
	}
	must.OK(other.Delete())
	l.Follow()
	add(l, 100)
	if n := reads(l); n != 0 {
		t.Errorf("%d reads: a deleted log has kept its memory", n)
	}
}

// TestTheTailIsWhatTheFileSays: whatever is done to a followed log, a section reads from memory as it does from the file,
// also one that was found before its bytes had to make room.
func TestTheTailIsWhatTheFileSays(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		mem := disk.NewMem()
		faults := disk.NewFaulty(mem)
		fs := &readsCounted{FS: faults}
		l := followed(fs, "t-0", segment.NewTails(40_000))
		var held []Slice
		served := 0
		check := func(s Slice, b []byte) {
			plain := make([]byte, s.Len)
			f := must.Get(mem.Open(s.File.Name(), disk.Write))
			must.Get(f.ReadAt(plain, s.Pos))
			must.OK(f.Close())
			if string(plain) != string(b) {
				t.Fatalf("seed %d: offset %d reads otherwise than in the file", seed, s.First)
			}
		}
		for range 300 {
			l.Follow()
			switch n := rng.IntN(20); {
			case n == 0 && l.Offsets().End > 3:
				for i := range held {
					held[i].Release() // truncation takes their bytes
				}
				held = held[:0]
				must.OK(l.TruncateTo(l.Offsets().End - kafka.Offset(rng.IntN(4))))
			case n == 1:
				faults.Add(disk.Fault{Op: disk.OpWrite, Times: 1, Keep: 20, Err: fmt.Errorf("refused")})
				_, err := l.AppendAsLeader(kafka.Instant{}, nobody.batch(0, "never"), 0, Client)
				faults.Heal()
				if err == nil {
					t.Fatal("a write that fails")
				}
			case n == 2:
				l.Ease()
				l.Ease()
			default:
				add(l, []int{10, 100, 1000, 3000, 15_000, 17_000}[rng.IntN(6)])
			}
			end := l.Offsets().End
			if end == 0 {
				continue
			}
			s, b, read := fs.tailOf(l, max(end-1-kafka.Offset(rng.IntN(5)), 0), 1<<rng.IntN(17))
			if read == 0 {
				served++
			}
			check(s, b)
			if held = append(held, s); len(held) > 5 {
				check(held[0], must.Get(held[0].AppendTo(nil)))
				held[0].Release()
				held = held[1:]
			}
		}
		if served < 20 {
			t.Errorf("seed %d: %d of 300 reads were from memory", seed, served)
		}
	}
}

// TestTheTailEndsWithATruncation: a section that was found before its bytes were cut is no more in memory than in the file.
func TestTheTailEndsWithATruncation(t *testing.T) {
	fs := &readsCounted{FS: disk.NewMem()}
	l := followed(fs, "t-0", segment.NewTails(40_000))
	l.Follow()
	for range 3 {
		add(l, 100)
	}
	s, _, read := fs.tailOf(l, 2, 1<<20)
	must.OK(l.TruncateTo(2))
	if b, err := s.AppendTo(nil); read != 0 || err == nil {
		t.Errorf("%d reads of the file; %d bytes that were cut", read, len(b))
	}
	s.Release()
	if s, b, read := fs.tailOf(l, 1, 1<<20); read != 0 || len(b) == 0 {
		t.Errorf("%d reads of the file for %d bytes before the cut", read, len(b))
	} else {
		s.Release()
	}
}

// TestFollowersBesideTheWriter: readers of a tail that is overwritten, given back and begun anew meanwhile get what stands in
// the log.
func TestFollowersBesideTheWriter(t *testing.T) {
	l := followed(disk.NewMem(), "t-0", segment.NewTails(40_000))
	add(l, 100)
	var over atomic.Bool
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for !over.Load() {
				l.Follow()
				end := l.Offsets().End
				s := must.Get(l.Read(max(end-3, 0), ReadOptions{MaxBytes: 15_000, MinOne: true, Upper: end}))
				b := must.Get(s.AppendTo(nil))
				if err := wholeFrom(b, s.First); err != nil {
					t.Error(err)
				}
				s.Release()
			}
		})
	}
	for n := range 1000 {
		add(l, 10+n*7%3000)
		if n%50 == 0 {
			l.Ease()
			l.Ease()
		}
	}
	over.Store(true)
	all.Wait()
}

// wholeFrom reports bytes that are not whole batches from an offset on.
func wholeFrom(b []byte, from kafka.Offset) error {
	for len(b) > 0 {
		batch, rest, err := record.Next(b)
		if err == nil {
			err = batch.CheckCRC()
		}
		if err == nil && batch.BaseOffset() != from {
			err = fmt.Errorf("offset %d where %d belongs", batch.BaseOffset(), from)
		}
		if err != nil {
			return err
		}
		b, from = rest, batch.NextOffset()
	}
	return nil
}
