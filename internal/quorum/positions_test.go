package quorum

import (
	"math/rand/v2"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
)

// plain is the map as nobody would keep it: a row an entry.
type plain struct {
	index  uint64
	offset kafka.Offset
	term   uint64
	change bool
}

func TestPositionsAgreeWithAPlainList(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		p := resetPositions(2, 0, 0)
		next, end, term := uint64(2), kafka.Offset(0), uint64(1)
		var rows []plain
		for range 60 {
			switch k := rng.IntN(10); {
			case k < 7:
				n := 1 + rng.Int64N(3)
				term += uint64(rng.IntN(6) / 5)
				change := rng.IntN(5) == 0
				p.add(term, n, change)
				rows = append(rows, plain{next, end, term, change})
				next, end = next+1, end+kafka.Offset(n)
			case k == 7 && len(rows) > 0:
				i := rng.IntN(len(rows))
				p.truncate(rows[i].index)
				next, end = rows[i].index, rows[i].offset
				rows = rows[:i]
				term = max(term, p.lastTerm())
			case k == 8 && len(rows) > 0:
				i := rng.IntN(len(rows))
				p.forget(rows[i].index)
				rows = rows[i:]
			}
			checkPositions(t, seed, &p, rows, next, end)
		}
	}
}

func checkPositions(t *testing.T, seed uint64, p *positions, rows []plain, next uint64, end kafka.Offset) {
	t.Helper()
	if p.next() != next || p.end() != end {
		t.Fatalf("seed %d: next %d end %d, want %d %d", seed, p.next(), p.end(), next, end)
	}
	for i, r := range rows {
		o, ok := p.offsetOf(r.index)
		term, ok2 := p.termOf(r.index)
		if !ok || !ok2 || o != r.offset || term != r.term || p.isChange(r.index) != r.change {
			t.Fatalf("seed %d: entry %d: offset %d term %d change %v, want %+v", seed, r.index, o, term, p.isChange(r.index), r)
		}
		stop := end
		if i+1 < len(rows) {
			stop = rows[i+1].offset
		}
		for o := r.offset; o < stop; o++ {
			if x, ok := p.indexOf(o); !ok || x != r.index {
				t.Fatalf("seed %d: offset %d is in entry %d, want %d", seed, o, x, r.index)
			}
		}
	}
	if x, ok := p.indexOf(end); !ok || x != next {
		t.Fatalf("seed %d: the end is at %d, want %d", seed, x, next)
	}
}

func TestIdleNoOpsAreOneRun(t *testing.T) {
	p := resetPositions(2, 0, 0)
	for range 100_000 {
		p.add(1, 1, false)
	}
	if len(p.runs) != 1 {
		t.Fatalf("%d runs", len(p.runs))
	}
}
