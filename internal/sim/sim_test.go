package sim

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/history/faults"
	"github.com/milena-io/milena/internal/must"
)

var (
	seed  = flag.Uint64("seed", 0, "run this seed alone, and tell its events")
	each  = flag.Bool("each", false, "tell of each seed")
	seeds = flag.Int("seeds", 15, "how many seeds to run")
)

// TestSameSeedSameTrace: a run depends on its seed alone, whatever ran before it and on however many processors.
func TestSameSeedSameTrace(t *testing.T) {
	first := map[uint64]uint64{}
	for _, s := range []uint64{3, 8, 11, 14} {
		r := Run(s, Options{})
		first[s] = r.Trace
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, s := range []uint64{11, 3, 14, 8} {
		if r := Run(s, Options{}); r.Trace != first[s] {
			t.Errorf("seed %d: trace %016x, and %016x before", s, r.Trace, first[s])
		}
	}
	everything := Options{Faults: 3 * time.Second, Variety: &faults.Variety{Apart: true, Deletes: true, Again: true, Configs: true, Dirs: true, Voters: true, Late: true}}
	if a, b := Run(5, everything), Run(5, everything); a.Trace != b.Trace || a.Failed() {
		t.Errorf("with everything that a seed may draw: trace %016x, and %016x before\n%v", b.Trace, a.Trace, &a)
	}
	if first[3] == first[11] {
		t.Error("two seeds have one trace: the hash sees nothing")
	}
}

// TestSeeds is a slice of `make sim`, the same each time.
func TestSeeds(t *testing.T) {
	first, n := uint64(1), *seeds
	var o Options
	if *seed != 0 {
		first, n = *seed, 1
		o.Tell = func(s string) { t.Log(s) }
	}
	var all Reached
	for s := first; s < first+uint64(n); s++ {
		r := Run(s, o)
		if r.Failed() {
			t.Errorf("%v", &r)
		}
		if *each {
			t.Logf("%v", &r)
		}
		all.Add(&r.Reached)
	}
	t.Logf("%d runs: %v", all.Runs, &all)
	if m := all.Missing(); len(m) > 0 {
		t.Errorf("never happened: %v", m)
	}
}

// TestCorpus runs everything again that found something once.
func TestCorpus(t *testing.T) {
	kept, err := filepath.Glob("testdata/corpus/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range kept {
		k, err := ReadKept(must.Get(os.ReadFile(path)))
		if err != nil {
			t.Fatal(err)
		}
		if r := k.Run(); r.Failed() {
			t.Errorf("%s, which found %s in %s:\n%v", path, k.Found, k.Commit, &r)
		}
	}
}

// TestNodesThatAreLate: what a delta says is what became of a partition, and not each step of it, on nodes that are late and on no others.
func TestNodesThatAreLate(t *testing.T) {
	for _, apart := range []bool{false, true} {
		o := Options{Faults: 4 * time.Second, Events: []faults.Event{}, Variety: &faults.Variety{Apart: apart, Again: true}}
		never := Run(4, o)
		o.Variety.Late = true
		late := Run(4, o)
		if never.Failed() || late.Failed() {
			t.Errorf("apart %v:\n%v%v", apart, &never, &late)
		}
		if was, is := never.Reached.Of, late.Reached.Of; was[Bundled] > 0 || is[Bundled] < 3 || is[Returned] == 0 {
			t.Errorf("apart %v: %d deltas of more than one change of a partition, and %d where nodes are late; %d replicas are given back in one", apart, was[Bundled], is[Bundled], is[Returned])
		}
	}
}
