package disk

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/world"
)

// syncs is a Syncer that tells of its syncs.
type syncs struct {
	name string
	tell func(string)
	err  error
}

func (s *syncs) Sync() error {
	s.tell(s.name)
	return s.err
}

// script drives a Flusher from a seed and writes down what happened when.
func script(seed uint64) string {
	v := world.NewVirtual(seed)
	f := NewFlusher(v, "dir")
	var out strings.Builder
	tell := func(what string) { fmt.Fprintf(&out, "%d %s\n", v.Now().Mono.Nanoseconds(), what) }
	var files []Syncer
	for i := range 12 {
		files = append(files, &syncs{name: fmt.Sprint("sync ", i), tell: tell})
	}
	for i := range 40 {
		v.After(time.Duration(v.Uint64()%2_000_000), func() {
			from := int(v.Uint64() % 10)
			targets := files[from : from+1+int(v.Uint64()%3)]
			tell(fmt.Sprintf("flush %d of %d+%d", i, from, len(targets)))
			f.Flush(targets, func(err error) { tell(fmt.Sprintf("done %d %v", i, err)) })
		})
	}
	v.Run(time.Second)
	return out.String()
}

func TestFlusherIsDeterministicUnderAVirtualWorld(t *testing.T) {
	a, b, c := script(1), script(1), script(2)
	if a != b {
		t.Error("one seed ran twice in two ways")
	}
	if a == c {
		t.Error("another seed ran in the same way")
	}
	if strings.Count(a, "done") != 40 || strings.Count(a, "sync") >= 80 {
		t.Errorf("%d calls done with %d syncs", strings.Count(a, "done"), strings.Count(a, "sync"))
	}
}

// What is called done was synced after it was asked for, every target of it; each is synced once in a round.
func TestFlushIsDoneAfterItsSyncs(t *testing.T) {
	for seed := range uint64(50) {
		synced := map[string]int{}
		asked := map[string]map[string]int{}
		for line := range strings.Lines(script(seed)) {
			var at int64
			var what, id string
			must.Get(fmt.Sscan(line, &at, &what, &id))
			switch what {
			case "sync":
				synced[id]++
			case "flush":
				var from, n int
				must.Get(fmt.Sscanf(line, "%d flush %s of %d+%d", &at, &id, &from, &n))
				asked[id] = map[string]int{}
				for i := range n {
					asked[id][fmt.Sprint(from+i)] = synced[fmt.Sprint(from+i)]
				}
			case "done":
				for target, before := range asked[id] {
					if synced[target] <= before {
						t.Fatalf("seed %d: flush %s is done and %s was not synced since", seed, id, target)
					}
				}
			}
		}
	}
}

// A crash may fall between any two syncs of a round.
func TestSyncsOfARoundAreEventsOfTheirOwn(t *testing.T) {
	v := world.NewVirtual(3)
	f := NewFlusher(v, "dir")
	n := 0
	var targets []Syncer
	for range 2 * flushParallel {
		targets = append(targets, &syncs{tell: func(string) { n++ }})
	}
	f.Flush(targets, func(error) {})
	for i := 0; v.Step(); i++ {
		if n > i+1 {
			t.Fatalf("%d syncs in %d events", n, i+1)
		}
	}
	if n != len(targets) {
		t.Errorf("%d syncs", n)
	}
}

func TestFailedSyncIsFinal(t *testing.T) {
	v := world.NewVirtual(1)
	f := NewFlusher(v, "the-dir")
	n := 0
	count := func(string) { n++ }
	good, bad := &syncs{tell: count}, &syncs{tell: count, err: ErrIO}
	var got []error
	done := func(err error) { got = append(got, err) }
	f.Flush([]Syncer{good}, done)
	v.Run(time.Second)
	f.Flush([]Syncer{good}, done)
	f.Flush([]Syncer{bad}, done)
	v.Run(time.Second)
	bad.err = nil // fsyncgate: the next sync "works"
	n = 0
	f.Flush([]Syncer{bad}, done)
	f.Flush(nil, done)
	v.Run(time.Second)
	if len(got) != 5 || got[0] != nil || n != 0 {
		t.Fatalf("answers %v, %d syncs after the failure", got, n)
	}
	for _, err := range append(got[1:], f.Failed()) {
		if !errors.Is(err, ErrIO) || !strings.Contains(err.Error(), "the-dir") {
			t.Errorf("answer %v", err)
		}
	}
}

func TestFlushOfNothingIsDone(t *testing.T) {
	v := world.NewVirtual(1)
	f := NewFlusher(v, "dir")
	n := 0
	f.Flush(nil, func(err error) {
		must.OK(err)
		f.Flush(nil, func(error) { n++ }) // a callback may ask again
		n++
	})
	if n != 0 {
		t.Fatal("called back inline")
	}
	v.Run(time.Second)
	if n != 2 {
		t.Errorf("%d callbacks", n)
	}
}

// With goroutines: many callers share few syncs, and each gets one that began after it asked.
func TestGroupCommitOnGoroutines(t *testing.T) {
	f := NewFlusher(world.NewReal(), "dir")
	var mu sync.Mutex
	begun, waiting := 0, make(chan struct{})
	file := &syncs{tell: func(string) {
		mu.Lock()
		begun++
		first := begun == 1
		mu.Unlock()
		if first {
			<-waiting // everybody else asks while this one is under way
		}
	}}
	var wg sync.WaitGroup
	flush := func() {
		wg.Add(1)
		mu.Lock()
		before := begun
		mu.Unlock()
		f.Flush([]Syncer{file}, func(err error) {
			defer wg.Done()
			mu.Lock()
			defer mu.Unlock()
			if err != nil || begun <= before {
				t.Errorf("%v: %d syncs begun, %d before", err, begun, before)
			}
		})
	}
	flush()
	for range 100 {
		flush()
	}
	close(waiting)
	wg.Wait()
	if begun > 3 {
		t.Errorf("%d syncs for 101 callers", begun)
	}
}

func TestFlusherTellsOfItsSyncs(t *testing.T) {
	v := world.NewVirtual(3)
	f := NewFlusher(v, "dir")
	var told []time.Duration
	f.Synced = func(took time.Duration) { told = append(told, took) }
	good := &syncs{tell: func(string) {}}
	bad := &syncs{tell: func(string) {}, err: errors.New("no")}
	f.Flush([]Syncer{good}, func(error) {})
	v.Run(time.Second)
	f.Flush([]Syncer{bad}, func(error) {})
	v.Run(time.Second)
	if len(told) != 1 || told[0] < 0 {
		t.Errorf("of one good sync and one bad it told %v", told)
	}
}

// begun is a Syncer whose writing can be begun.
type begun struct{ syncs }

func (b *begun) Begin(_, _ int64) { b.tell("begin " + b.name) }

// The writing of all targets is begun before anybody waits for one; a lone target has nobody to wait for.
func TestWritingIsBegunBeforeTheFirstSync(t *testing.T) {
	v := world.NewVirtual(5)
	f := NewFlusher(v, "dir")
	var order []string
	tell := func(what string) { order = append(order, strings.Fields(what)[0]) }
	var targets []Syncer
	for i := range 3 {
		targets = append(targets, &begun{syncs{name: fmt.Sprint("sync ", i), tell: tell}})
	}
	targets = append(targets, &syncs{name: "sync", tell: tell}) // one that cannot
	f.Flush(targets, func(err error) { must.OK(err) })
	v.Run(time.Second)
	f.Flush(targets[:1], func(err error) { must.OK(err) })
	v.Run(time.Second)
	if got := strings.Join(order, " "); got != "begin begin begin sync sync sync sync sync" {
		t.Error(got)
	}
}

// Writing that nobody waits for: one at a time, what comes meanwhile is left out, and after a failure there is none.
func TestEarlyWritingIsOneAtATime(t *testing.T) {
	v := world.NewVirtual(5)
	f := NewFlusher(v, "dir")
	var ranges []int64
	b := beginner(func(from, n int64) {
		ranges = append(ranges, from, n)
		f.Begin(beginner(func(from, n int64) { t.Errorf("%d bytes from %d on are begun beside others", n, from) }), 1, 2)
	})
	for from := range int64(3) { // two of them find the first under way
		f.Begin(b, from, 10)
	}
	v.Run(time.Second)
	f.Begin(b, 3, 10)
	v.Run(time.Second)
	f.Flush([]Syncer{&syncs{tell: func(string) {}, err: errors.New("no")}}, func(error) {})
	v.Run(time.Second)
	f.Begin(b, 4, 10)
	v.Run(time.Second)
	if got := fmt.Sprint(ranges); got != "[0 10 3 10]" {
		t.Errorf("begun: %s", got)
	}
}

// beginner is a Beginner that is a function.
type beginner func(from, n int64)

func (b beginner) Begin(from, n int64) { b(from, n) }

// Whoever watches a disk that hangs sees since when.
func TestFlushUnderWayIsSeen(t *testing.T) {
	v := world.NewVirtual(5)
	f := NewFlusher(v, "dir")
	var since time.Duration
	var during bool
	if _, busy := f.UnderWay(); busy {
		t.Error("an idle flusher has a flush under way")
	}
	asked := v.Now().Mono
	f.Flush([]Syncer{&syncs{tell: func(string) { since, during = f.UnderWay() }}}, func(error) {})
	v.Run(time.Second)
	if _, after := f.UnderWay(); !during || after || since < asked || since > v.Now().Mono {
		t.Errorf("under way: during %v since %v, after %v", during, since, after)
	}
}
