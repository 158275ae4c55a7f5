package records

import (
	"flag"
	"reflect"
	"testing"

	"github.com/milena-io/milena/internal/history"
)

var seeds = flag.Int("seeds", 10_000, "how many random histories are checked")

// TestRightHistoriesAreClean: whatever clients do to a log that is right, nobody is accused.
func TestRightHistoriesAreClean(t *testing.T) {
	values, reads, counts := 0, 0, map[string]int{}
	for seed := range uint64(*seeds) {
		ops, w, o := generate(seed, 300)
		r := Check(ops, o)
		values, reads = values+r.Values, reads+r.Reads
		for _, c := range r.Counts {
			counts[c.Name] += c.N
		}
		for _, f := range r.Findings {
			if f.Bad(w) || f.Verdict == history.Always {
				t.Errorf("seed %d, %+v: %v", seed, w, f)
			}
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d values sent, %d read; allowed, and counted: %v", values, reads, counts)
	if values < 50**seeds || reads < 150**seeds {
		t.Errorf("only %d values were sent and %d read", values, reads)
	}
	for _, name := range []string{"int-send-skip", "G0", "duplicate", "G1b intermediate-read"} {
		if counts[name] == 0 {
			t.Errorf("no history has %s, which is allowed: the model is too tame", name)
		}
	}
}

// TestTheSameHistoryGivesTheSameReport: nothing is decided from the order of a map.
func TestTheSameHistoryGivesTheSameReport(t *testing.T) {
	for seed := range uint64(50) {
		ops, _, o := generate(seed, 200)
		mutations[int(seed)%len(mutations)].do(&mutator{ops: ops, seed: seed})
		if a, b := Check(ops, o), Check(ops, o); !reflect.DeepEqual(a, b) {
			t.Fatalf("seed %d: %+v, then %+v", seed, a, b)
		}
	}
}
