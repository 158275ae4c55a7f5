package faults

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestASeedIsAPlan(t *testing.T) {
	var met [Kinds]int
	single, sizes, isr := 0, map[int]int{}, map[int]int{}
	partitions, varieties := map[int]int{}, map[Variety]int{}
	const length = 10 * time.Second
	for seed := range uint64(2000) {
		s := Draw(seed)
		p := Make(s, length)
		if again := Make(Draw(seed), length); !reflect.DeepEqual(p, again) {
			t.Fatalf("seed %d gives two plans", seed)
		}
		sizes[s.Nodes]++
		isr[s.MinISR]++
		partitions[s.Partitions]++
		varieties[s.Variety]++
		of := map[Kind]bool{}
		bad := map[string]bool{}
		for i, e := range p.Events {
			met[e.Kind]++
			of[e.Kind] = true
			if s.Weights[e.Kind] == 0 || i > 0 && e.At < p.Events[i-1].At || e.For <= 0 || e.End() > p.Heal || len(e.Nodes) == 0 || e.String() == "" {
				t.Fatalf("seed %d: %+v", seed, e)
			}
			for _, n := range slices.Concat(e.Nodes, e.Others) {
				if n < 1 || int(n) > s.Nodes || slices.Contains(e.Nodes, n) && slices.Contains(e.Others, n) {
					t.Fatalf("seed %d: %v in a cluster of %d", seed, e, s.Nodes)
				}
			}
			if (e.Kind == Wipe || e.Kind == Restore) && s.MinISR < 2 {
				t.Fatalf("seed %d: what is acknowledged may be on the disk that goes: %v", seed, e)
			}
			if slices.Contains([]Kind{SyncFails, Wipe, Restore, DirFails}, e.Kind) {
				bad[e.String()[len(e.String())-3:]] = true
				if len(e.Nodes) > (s.Replicas-1)/2 || len(bad) > 1 {
					t.Fatalf("seed %d: too many disks fail for anything to be promised: %v", seed, e)
				}
			}
		}
		if len(of) == 1 {
			single++
		}
		if p.Heal != length || p.Length < p.Heal+p.Patience {
			t.Fatalf("seed %d has no time to heal: %+v", seed, p)
		}
	}
	for k, n := range met {
		if n == 0 {
			t.Errorf("no plan has %v", Kind(k))
		}
	}
	if varieties[Variety{}] < 100 || len(varieties) < 32 {
		t.Errorf("%d varieties, and %d seeds have nothing but faults", len(varieties), varieties[Variety{}])
	}
	if single < 100 || len(sizes) != 3 || len(isr) != 2 || len(partitions) != 8 {
		t.Errorf("the seeds are too much alike: %d have one kind of fault, nodes %v, min.insync %v, partitions %v", single, sizes, isr, partitions)
	}
	if reflect.DeepEqual(Draw(1), Draw(2)) {
		t.Error("two seeds are one")
	}
}

// TestShrinkFindsWhatIsNeeded: of a long plan the few events stay without which the run passes, and they are short.
func TestShrinkFindsWhatIsNeeded(t *testing.T) {
	for seed := range uint64(200) {
		p := Make(Draw(seed), 20*time.Second)
		if len(p.Events) < 4 {
			continue
		}
		n := len(p.Events)
		needed := []Event{p.Events[int(seed)%n], p.Events[(int(seed)*7+n/2)%n], p.Events[n-1]}
		asked := 0
		fails := func(events []Event) bool {
			asked++
			for _, e := range needed {
				if !slices.ContainsFunc(events, func(x Event) bool {
					return x.At == e.At && x.Kind == e.Kind && x.For > min(e.For/4, 8*time.Millisecond)
				}) {
					return false
				}
			}
			return true
		}
		got := Shrink(p.Events, fails, 0)
		unique := map[time.Duration]bool{}
		for _, e := range needed {
			unique[e.At] = true
		}
		if len(got) != len(unique) {
			t.Fatalf("seed %d: %d events are left of %d, and %d are needed: %v", seed, len(got), n, len(unique), got)
		}
		if !fails(got) {
			t.Fatalf("seed %d: what is left doesn't fail: %v", seed, got)
		}
		for _, e := range got {
			if !unique[e.At] || e.For > 20*time.Millisecond || len(e.Nodes) != 1 {
				t.Fatalf("seed %d: %v is not as short as it may be", seed, e)
			}
		}
		if asked > 60*n+400 {
			t.Errorf("seed %d: asked %d times for %d events", seed, asked, n)
		}
		if Cut(got) > 20*time.Second || Cut(got) < needed[0].At {
			t.Errorf("seed %d: cut at %v", seed, Cut(got))
		}
	}
}

func TestShrinkAtItsBounds(t *testing.T) {
	p := Make(Draw(7), 20*time.Second)
	if got := Shrink(p.Events, func([]Event) bool { return false }, 0); !reflect.DeepEqual(got, p.Events) {
		t.Error("a plan that doesn't fail was shrunk")
	}
	if got := Shrink(p.Events, func([]Event) bool { return true }, 0); len(got) != 0 {
		t.Errorf("a run that always fails needs no fault: %v", got)
	}
	asked := 0
	got := Shrink(p.Events, func(e []Event) bool { asked++; return len(e) > 3 }, 5)
	if asked != 5 || len(got) <= 3 {
		t.Errorf("asked %d times, %d events left", asked, len(got))
	}
	if again := p.With(got); !reflect.DeepEqual(again.Swarm, p.Swarm) || len(again.Events) != len(got) {
		t.Error("a plan with fewer events is another")
	}
	if got := Shrink(nil, func([]Event) bool { return true }, 0); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
