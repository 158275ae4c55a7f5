package alone

import (
	"flag"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
)

var (
	seed  = flag.Uint64("seed", 0, "run this seed alone")
	seeds = flag.Int("seeds", 8, "how many seeds to run")
)

func options(seed uint64) Options {
	return Options{Seed: seed, Length: 30 * time.Second, Partitions: 3, Producers: 3}
}

func TestNodeSurvivesCrashes(t *testing.T) {
	first, n := uint64(1), *seeds
	if *seed != 0 {
		first, n = *seed, 1
	}
	for s := first; s < first+uint64(n); s++ {
		r := Run(options(s))
		t.Logf("seed %d: trace %016x, %d starts, %d frames, %d records acknowledged, %d read, %d commits", s, r.Trace, r.Starts, r.Frames, r.Acked, r.Read, r.Commits)
		for _, p := range r.Problems {
			t.Errorf("seed %d: %s", s, p)
		}
		if r.Acked < 100 || r.Read < r.Acked || r.Commits < 10 || r.Starts < 3 {
			t.Errorf("seed %d: too little happened to prove anything: %+v", s, r)
		}
	}
}

func TestSameSeedSameTrace(t *testing.T) {
	a, b := Run(options(42)), Run(options(42))
	if a.Trace != b.Trace || a.Frames != b.Frames {
		t.Fatalf("two runs of one seed differ: %+v and %+v", a, b)
	}
	if c := Run(options(43)); c.Trace == a.Trace {
		t.Fatal("another seed gives the same trace: the hash sees nothing")
	}
}

// TestAckBeforeFlushIsCaught takes the flush away: files are never synced. The checkers must find that acknowledged
// records are gone.
func TestAckBeforeFlushIsCaught(t *testing.T) {
	o := options(1)
	o.FS = func(fs disk.FS) disk.FS { return lazy{fs} }
	if r := Run(o); len(r.Problems) == 0 {
		t.Fatalf("nothing was synced and no checker noticed: %+v", r)
	}
}

// lazy says yes to every sync and does none.
type lazy struct{ disk.FS }

func (l lazy) Open(path string, f disk.Flag) (disk.File, error) {
	file, err := l.FS.Open(path, f)
	return lazyFile{file}, err
}

func (lazy) SyncDir(string) error { return nil }

type lazyFile struct{ disk.File }

func (lazyFile) Sync() error { return nil }
