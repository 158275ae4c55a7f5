package placement

import (
	"fmt"
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// cluster returns brokers 0 to n-1; racks are given out in turn, "" when there are none.
func cluster(n int, racks ...string) []Broker {
	out := make([]Broker, n)
	for i := range out {
		out[i].ID = kafka.NodeID(i)
		if len(racks) > 0 {
			out[i].Rack = racks[i%len(racks)]
		}
	}
	return out
}

func TestPlacementIsRefused(t *testing.T) {
	fenced := cluster(2)
	fenced[0].Fenced, fenced[1].Fenced = true, true
	for _, c := range []struct {
		brokers  []Broker
		replicas int
		message  string
	}{
		{cluster(3), 0, "Invalid replication factor 0: the replication factor must be positive."},
		{cluster(2), 3, "The target replication factor of 3 cannot be reached because only 2 broker(s) are registered or some brokers have all their log directories cordoned."},
		{fenced, 1, "All brokers are currently fenced, or have all their log directories cordoned."},
		{nil, 1, "All brokers are currently fenced, or have all their log directories cordoned."},
	} {
		_, err := Place(c.brokers, 1, c.replicas, NewRandom(1, 1))
		if fault.CodeOf(err) != kafka.ErrInvalidReplicationFactor || *fault.MessageOf(err) != c.message {
			t.Errorf("%d brokers, factor %d: %v", len(c.brokers), c.replicas, err)
		}
	}
}

// valid checks what holds for every placement.
func valid(t *testing.T, brokers []Broker, placed [][]kafka.NodeID, replicas int) {
	t.Helper()
	byID := map[kafka.NodeID]Broker{}
	racks := map[string]bool{}
	for _, b := range brokers {
		byID[b.ID] = b
		racks[b.Rack] = true
	}
	for p, list := range placed {
		if len(list) != replicas {
			t.Fatalf("partition %d has %d replicas, want %d", p, len(list), replicas)
		}
		seen, inRacks := map[kafka.NodeID]bool{}, map[string]bool{}
		for _, id := range list {
			if _, known := byID[id]; !known || seen[id] {
				t.Fatalf("partition %d: %v", p, list)
			}
			seen[id], inRacks[byID[id].Rack] = true, true
		}
		if byID[list[0]].Fenced {
			t.Fatalf("partition %d is led by fenced broker %d", p, list[0])
		}
		if want := min(replicas, len(racks)); len(inRacks) < want && replicas >= len(racks) {
			t.Fatalf("partition %d is on %d racks, want %d: %v", p, len(inRacks), want, list)
		}
	}
}

func TestEveryPlacementIsValid(t *testing.T) {
	r := NewRandom(42, 0)
	for i := range 2000 {
		n := 1 + r.Below(12)
		racks := []string{"a", "b", "c", "d"}[:r.Below(min(n, 4)+1)]
		brokers := cluster(n, racks...)
		for j := range brokers {
			brokers[j].Fenced = r.Below(4) == 0
		}
		brokers[r.Below(n)].Fenced = false
		replicas := 1 + r.Below(n)
		placed, err := Place(brokers, r.Below(20), replicas, NewRandom(uint64(i), uint64(n)))
		if err != nil {
			t.Fatal(err)
		}
		valid(t, brokers, placed, replicas)
	}
}

func TestLeadersAndReplicasAreSpreadEvenly(t *testing.T) {
	for _, racks := range [][]string{nil, {"a", "b", "c"}} {
		brokers := cluster(6, racks...)
		placed, err := Place(brokers, 60, 3, NewRandom(5, 9))
		if err != nil {
			t.Fatal(err)
		}
		valid(t, brokers, placed, 3)
		leads, holds := map[kafka.NodeID]int{}, map[kafka.NodeID]int{}
		for _, list := range placed {
			leads[list[0]]++
			for _, id := range list {
				holds[id]++
			}
		}
		for _, b := range brokers {
			if leads[b.ID] < 8 || leads[b.ID] > 12 || holds[b.ID] < 27 || holds[b.ID] > 33 {
				t.Errorf("racks %v: broker %d leads %d of 60 and holds %d of 180", racks, b.ID, leads[b.ID], holds[b.ID])
			}
		}
	}
}

func TestFencedBrokersComeLast(t *testing.T) {
	brokers := cluster(4)
	brokers[1].Fenced = true
	placed, err := Place(brokers, 40, 3, NewRandom(3, 3))
	if err != nil {
		t.Fatal(err)
	}
	for p, list := range placed {
		if slices.Contains(list, 1) {
			t.Errorf("partition %d is on the fenced broker though three others serve: %v", p, list)
		}
	}
}

func TestStripesAreKafkas(t *testing.T) {
	// Three racks of three with every start at 0, the example in the comment of Kafka's placer: A0 B0 C0, B1 C1 A1, C2 A2 B2.
	s := newStripes(cluster(9, "a", "b", "c"), NewRandom(0, 0))
	s.first = 0
	for _, r := range s.racks {
		r.serving.start = 0
	}
	var got []string
	for range 3 {
		got = append(got, fmt.Sprint(s.partition(nil, 3)))
	}
	if want := []string{"[0 1 2]", "[4 5 3]", "[8 6 7]"}; !slices.Equal(got, want) {
		t.Errorf("placed %v, want %v", got, want)
	}
}

func TestSameSeedAndPositionPlaceTheSame(t *testing.T) {
	place := func(seed, position uint64) string {
		p, err := Place(cluster(7, "a", "b"), 50, 3, NewRandom(seed, position))
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(p)
	}
	if again := place(1, 2); again != place(1, 2) {
		t.Error("the same source placed differently")
	}
	if place(1, 2) == place(1, 3) || place(1, 2) == place(2, 2) {
		t.Error("seed or position don't matter")
	}
}
