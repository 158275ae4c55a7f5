// Designs measures how many partitions can be made durable together, on a real disk: fdatasync of each file, one after the
// other and side by side, with and without writeback begun on all of them first; syncfs; and one shared write-ahead log with
// lazy writes of the files, its doubled bytes counted. ADR 0009 has the figures.
//
//	cd test/bench && go run ./designs [-files 1000] [-dirty 80] [-size 1024]
//
// A round writes one batch to each of so many files, in turns, and makes all of them durable; the measure is the same bytes in
// one file with one fdatasync. The designs take turns.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	files := flag.Int("files", 1000, "files")
	dirty := flag.Int("dirty", 80, "batches of a round, each to another file")
	size := flag.Int("size", 1024, "bytes of a batch")
	rounds := flag.Int("rounds", 60, "rounds")
	flag.Parse()
	if err := run(*files, *dirty, *size, *rounds); err != nil {
		log.Fatal(err)
	}
}

// set is the files of one design.
type set struct {
	files  []*os.File
	ends   []int64
	next   int
	wal    *os.File
	end    int64 // of the write-ahead log
	owed   map[int]bool
	lazy   int64 // bytes that only the write-ahead log has durably
	gather []byte
}

type design struct {
	name  string
	files int // 0: as many as asked for
	sync  func(s *set, dirty []int, batch []byte) error
}

func designs() []design {
	out := []design{
		{"one file", 1, func(s *set, _ []int, _ []byte) error { return fdatasync(s.files[0]) }},
		{"serial", 0, func(s *set, dirty []int, _ []byte) error { return s.parallel(dirty, 1) }},
	}
	for _, width := range []int{8, 32, 128} {
		out = append(out, design{fmt.Sprint("parallel ", width), 0, func(s *set, dirty []int, _ []byte) error {
			return s.parallel(dirty, width)
		}}, design{fmt.Sprint("begun, parallel ", width), 0, func(s *set, dirty []int, _ []byte) error {
			if err := s.begin(dirty); err != nil {
				return err
			}
			return s.parallel(dirty, width)
		}})
	}
	return append(out, design{"syncfs", 0, func(s *set, _ []int, _ []byte) error { return syncfs(s.wal) }},
		design{"write-ahead log", 0, (*set).log})
}

func run(files, dirty, size, rounds int) error {
	dir, err := os.MkdirTemp(".", "designs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	batch := make([]byte, size)
	for i := range batch {
		batch[i] = byte(i * 7)
	}
	all := designs()
	sets := make([]*set, len(all))
	for i, d := range all {
		n := files
		if d.files > 0 {
			n = d.files
		}
		if sets[i], err = newSet(filepath.Join(dir, fmt.Sprint(i)), n); err != nil {
			return err
		}
	}
	took, used := make([][]time.Duration, len(all)), make([]time.Duration, len(all))
	for r := range rounds {
		for i, d := range all {
			cpu, began := cpuTime(), time.Now()
			if err := sets[i].round(d, dirty, batch); err != nil {
				return err
			}
			if r >= rounds/10 {
				took[i] = append(took[i], time.Since(began))
				used[i] += cpuTime() - cpu
			}
		}
	}
	fmt.Printf("%d batches of %d bytes a round, over %d files\n\n", dirty, size, files)
	fmt.Println("| design | round (least–most) | MB/s | over one file | CPU of a round |\n|---|---|---|---|---|")
	var first time.Duration
	for i, d := range all {
		t := took[i]
		slices.Sort(t)
		sum := time.Duration(0) // the write-ahead log pays now and then: only the mean tells
		for _, x := range t {
			sum += x
		}
		mean := sum / time.Duration(len(t))
		if i == 0 {
			first = mean
		}
		fmt.Printf("| %s | %v (%v–%v) | %.0f | %.2f | %v |\n", d.name, mean.Round(10*time.Microsecond), t[0].Round(10*time.Microsecond),
			t[len(t)-1].Round(10*time.Microsecond), float64(dirty*size)/1e6/mean.Seconds(), float64(first)/float64(mean),
			(used[i] / time.Duration(len(t))).Round(10*time.Microsecond))
	}
	return nil
}

func newSet(dir string, files int) (*set, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	s := &set{ends: make([]int64, files), owed: map[int]bool{}}
	for i := range files {
		f, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			return nil, err
		}
		s.files = append(s.files, f)
	}
	var err error
	if s.wal, err = os.Create(filepath.Join(dir, "wal")); err != nil {
		return nil, err
	}
	return s, syncfs(s.wal)
}

// round writes batches to the next files and makes them durable.
func (s *set) round(d design, dirty int, batch []byte) error {
	var which []int
	for range dirty {
		i := s.next % len(s.files)
		s.next++
		if _, err := s.files[i].WriteAt(batch, s.ends[i]); err != nil {
			return err
		}
		s.ends[i] += int64(len(batch))
		if len(which) < len(s.files) {
			which = append(which, i)
		}
	}
	return d.sync(s, which, batch)
}

func (s *set) parallel(dirty []int, width int) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, width)
	for w := range min(width, len(dirty)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := next.Add(1); int(n) <= len(dirty); n = next.Add(1) {
				if err := fdatasync(s.files[dirty[n-1]]); err != nil {
					errs[w] = err
				}
			}
		}()
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// begin starts writeback of every file without waiting for any (sync_file_range, SYNC_FILE_RANGE_WRITE).
func (s *set) begin(dirty []int) error {
	const write = 2
	for _, i := range dirty {
		if err := syscall.SyncFileRange(int(s.files[i].Fd()), 0, 0, write); err != nil {
			return err
		}
	}
	return nil
}

// log reads the new bytes of each file back from the page cache, puts them into the write-ahead log in one write, and syncs
// that; the files follow once 64 MiB are owed.
func (s *set) log(dirty []int, batch []byte) error {
	const header, owes = 64, 64 << 20
	s.gather = s.gather[:0]
	for _, i := range dirty {
		at := len(s.gather)
		s.gather = slices.Grow(s.gather, header+len(batch))[:at+header+len(batch)]
		if _, err := s.files[i].ReadAt(s.gather[at+header:], s.ends[i]-int64(len(batch))); err != nil {
			return err
		}
		s.owed[i] = true
	}
	if _, err := s.wal.WriteAt(s.gather, s.end); err != nil {
		return err
	}
	s.end += int64(len(s.gather))
	if err := fdatasync(s.wal); err != nil {
		return err
	}
	if s.end < owes {
		return nil
	}
	var all []int
	for i := range s.owed {
		all = append(all, i)
	}
	clear(s.owed)
	s.end = 0 // the file is written over: its blocks are there, which makes the next syncs cheaper, too
	return s.parallel(all, 32)
}

func fdatasync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }

func syncfs(f *os.File) error {
	const number = 306 // of syncfs on linux/amd64
	if _, _, e := syscall.Syscall(number, f.Fd(), 0, 0); e != 0 {
		return e
	}
	return nil
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
