package cli

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func spread(list []assignment, first bool) map[int32]int {
	out := map[int32]int{}
	for _, a := range list {
		for i, id := range a.Replicas {
			if i == 0 || !first {
				out[id]++
			}
		}
	}
	return out
}

func gap(counts map[int32]int, brokers []int32) int {
	lo, hi := 1<<30, 0
	for _, id := range brokers {
		lo, hi = min(lo, counts[id]), max(hi, counts[id])
	}
	return hi - lo
}

// Of any assignment the planner makes one without doubles, on the brokers wanted, even, and moves no replica that may stay when it
// only has to fill.
func TestPlannerOfRandomClusters(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		brokers := []int32{}
		for id := range int32(3 + r.IntN(5)) {
			brokers = append(brokers, id+1)
		}
		factor := 1 + r.IntN(3)
		var current []assignment
		for p := range int32(1 + r.IntN(40)) {
			order := r.Perm(len(brokers))
			a := assignment{Topic: fmt.Sprint("t", p%3), Partition: p}
			for i := range factor {
				a.Replicas = append(a.Replicas, brokers[order[i]])
			}
			current = append(current, a)
		}
		keep := brokers
		if len(brokers) > factor {
			keep = brokers[1:]
		}
		p := newPlanner(current, keep, nil)
		if !p.fill(0) {
			t.Fatalf("seed %d: %d brokers are not enough for %d", seed, len(keep), factor)
		}
		for i, a := range p.list {
			for j, id := range a.Replicas {
				if was := current[i].Replicas[j]; slices.Contains(keep, was) && id != was {
					t.Fatalf("seed %d: %v became %v", seed, current[i], a)
				}
			}
		}
		p.even()
		p.lead()
		for _, a := range p.list {
			if set := slices.Compact(slices.Sorted(slices.Values(a.Replicas))); len(set) != factor || slices.ContainsFunc(set, func(id int32) bool { return !slices.Contains(keep, id) }) {
				t.Fatalf("seed %d: %v", seed, a)
			}
		}
		if g := gap(spread(p.list, false), keep); g > 1 {
			t.Fatalf("seed %d: replicas differ by %d: %v", seed, g, spread(p.list, false))
		}
		if len(keep) == factor { // everybody has everything
			if g := gap(spread(p.list, true), keep); g > 1 {
				t.Fatalf("seed %d: leaders differ by %d: %v", seed, g, spread(p.list, true))
			}
		}
	}
}

func TestPlannerKeepsRacksApart(t *testing.T) {
	rack := map[int32]string{1: "a", 2: "a", 3: "b", 4: "b"}
	var current []assignment
	for p := range int32(8) {
		current = append(current, assignment{"t", p, []int32{1, 3}})
	}
	p := newPlanner(current, []int32{1, 2, 3, 4}, rack)
	p.even()
	for _, a := range p.list {
		if rack[a.Replicas[0]] == rack[a.Replicas[1]] {
			t.Errorf("%v is in one rack", a)
		}
	}
	if g := gap(spread(p.list, false), []int32{1, 2, 3, 4}); g > 1 {
		t.Errorf("%v", spread(p.list, false))
	}
	p = newPlanner([]assignment{{"t", 0, []int32{1}}}, []int32{1, 2, 3, 4}, rack)
	if !p.fill(2) || rack[p.list[0].Replicas[1]] != "b" {
		t.Errorf("%v", p.list)
	}
	if p.fill(5) {
		t.Errorf("five replicas on four brokers: %v", p.list)
	}
	if p.list = []assignment{{"t", 0, []int32{4, 3, 2}}}; !p.fill(1) || !slices.Equal(p.list[0].Replicas, []int32{4}) {
		t.Errorf("%v", p.list)
	}
}
