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

// firsts counts who leads each topic, and who is next of what each broker leads; that one itself has as many as the least.
func firsts(list []assignment) map[string]map[int32]int {
	out := map[string]map[int32]int{}
	for _, a := range list {
		keys := map[string]int32{"leaders of " + a.Topic: a.Replicas[0]}
		if len(a.Replicas) > 1 {
			keys[fmt.Sprint("next after ", a.Replicas[0])] = a.Replicas[1]
		}
		for what, id := range keys {
			if out[what] == nil {
				out[what] = map[int32]int{}
			}
			out[what][id]++
		}
	}
	for first := range int32(10) {
		if counts := out[fmt.Sprint("next after ", first)]; counts != nil {
			least := 1 << 30
			for _, a := range list[0].Replicas {
				if a != first {
					least = min(least, counts[a])
				}
			}
			counts[first] = least
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
			for what, counts := range firsts(p.list) {
				if g := gap(counts, keep); g > 1 {
					t.Fatalf("seed %d: %s differ by %d: %v", seed, what, g, counts)
				}
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

// A rolling restart leaves an order in which one broker leads a topic and another is next of all; the planner has each topic led by all
// again, also where all topics together were even.
func TestPlannerSpreadsEachTopic(t *testing.T) {
	var current []assignment
	for p := range int32(6) {
		current = append(current, assignment{"a", p, []int32{1, 2, 3}}, assignment{"b", p, []int32{2, 3, 1}}, assignment{"c", p, []int32{3, 1, 2}})
	}
	p := newPlanner(current, []int32{1, 2, 3}, nil)
	p.lead()
	for what, counts := range firsts(p.list) {
		if g := gap(counts, []int32{1, 2, 3}); g > 1 {
			t.Errorf("%s: %v", what, counts)
		}
	}
	again := newPlanner(p.list, []int32{1, 2, 3}, nil)
	again.lead()
	if out, _ := again.changed(p.list); len(out) > 0 {
		t.Errorf("what is even is changed: %v", out)
	}
}
