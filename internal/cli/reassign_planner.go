package cli

import (
	"cmp"
	"slices"
)

// assignment is where one partition's replicas are, or are to be; the first is to lead.
type assignment struct {
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Replicas  []int32 `json:"replicas"`
}

// planner puts replicas onto brokers and counts what each has. It decides nothing by chance and moves no more than it must.
type planner struct {
	brokers []int32 // that may hold replicas, in order
	rack    map[int32]string
	held    map[int32]int            // replicas of a broker
	ofTopic map[string]map[int32]int // the same of one topic
	list    []assignment
}

// newPlanner copies the assignments.
func newPlanner(list []assignment, brokers []int32, rack map[int32]string) *planner {
	p := &planner{brokers: slices.Sorted(slices.Values(brokers)), rack: rack, held: map[int32]int{}, ofTopic: map[string]map[int32]int{}}
	for _, a := range list {
		a.Replicas = slices.Clone(a.Replicas)
		p.list = append(p.list, a)
		for _, id := range a.Replicas {
			p.count(a.Topic, id, 1)
		}
	}
	return p
}

func (p *planner) count(topic string, id int32, n int) {
	if p.ofTopic[topic] == nil {
		p.ofTopic[topic] = map[int32]int{}
	}
	p.held[id] += n
	p.ofTopic[topic][id] += n
}

// fill replaces replicas on brokers that may hold none, in their places, and makes each partition as many replicas as wanted, 0 for as
// many as it has. It reports whether there are brokers enough.
func (p *planner) fill(factor int) bool {
	for i := range p.list {
		a := &p.list[i]
		want := cmp.Or(factor, len(a.Replicas))
		for len(a.Replicas) > want {
			last := len(a.Replicas) - 1
			p.count(a.Topic, a.Replicas[last], -1)
			a.Replicas = a.Replicas[:last]
		}
		for at := range want {
			switch {
			case at == len(a.Replicas):
				a.Replicas = append(a.Replicas, -1)
			case slices.Contains(p.brokers, a.Replicas[at]):
				continue
			default:
				p.count(a.Topic, a.Replicas[at], -1)
			}
			a.Replicas[at] = -1
			id, ok := p.best(a)
			if !ok {
				return false
			}
			a.Replicas[at] = id
			p.count(a.Topic, id, 1)
		}
	}
	return true
}

// best is the broker for one more replica: of another rack than the others', with the fewest of the topic, then of all.
func (p *planner) best(a *assignment) (int32, bool) {
	candidates := slices.DeleteFunc(slices.Clone(p.brokers), func(id int32) bool { return slices.Contains(a.Replicas, id) })
	if len(candidates) == 0 {
		return -1, false
	}
	return slices.MinFunc(candidates, func(x, y int32) int {
		return cmp.Or(cmp.Compare(p.neighbours(a, x, -1), p.neighbours(a, y, -1)), cmp.Compare(p.ofTopic[a.Topic][x], p.ofTopic[a.Topic][y]),
			cmp.Compare(p.held[x], p.held[y]), cmp.Compare(x, y))
	}), true
}

// neighbours counts the replicas of a partition in a broker's rack, but for one that would go; brokers without a rack have none.
func (p *planner) neighbours(a *assignment, id, but int32) (n int) {
	for _, other := range a.Replicas {
		if other != but && other >= 0 && p.rack[id] != "" && p.rack[other] == p.rack[id] {
			n++
		}
	}
	return n
}

// even moves replicas from brokers with many to brokers with few until they differ by one at most, or racks are in the way.
func (p *planner) even() {
	for p.shift() {
	}
}

// shift moves one replica, and reports whether there was one to move.
func (p *planner) shift() bool {
	order := slices.SortedFunc(slices.Values(p.brokers), func(x, y int32) int { return cmp.Or(cmp.Compare(p.held[x], p.held[y]), cmp.Compare(x, y)) })
	for _, from := range slices.Backward(order) {
		for _, to := range order {
			if p.held[from]-p.held[to] < 2 {
				break
			}
			if a := p.movable(from, to); a != nil {
				a.Replicas[slices.Index(a.Replicas, from)] = to
				p.count(a.Topic, from, -1)
				p.count(a.Topic, to, 1)
				return true
			}
		}
	}
	return false
}

// movable is the partition whose replica had best go from one broker to another: of the topic that is most uneven between the two.
func (p *planner) movable(from, to int32) (best *assignment) {
	gain := 0
	for i := range p.list {
		a := &p.list[i]
		if !slices.Contains(a.Replicas, from) || slices.Contains(a.Replicas, to) || p.neighbours(a, to, from) > p.neighbours(a, from, from) {
			continue
		}
		if g := p.ofTopic[a.Topic][from] - p.ofTopic[a.Topic][to]; best == nil || g > gain {
			best, gain = a, g
		}
	}
	return best
}

// lead makes brokers preferred leaders of as many partitions each as is possible, by the order of replicas alone: no record moves. A
// broker that has too many passes some on along others to one that has too few.
func (p *planner) lead() {
	for {
		led := map[int32]int{}
		for _, a := range p.list {
			if len(a.Replicas) > 0 {
				led[a.Replicas[0]]++
			}
		}
		if !p.passOn(led) {
			return
		}
	}
}

// passOn shortens the longest list by one, and reports whether it could.
func (p *planner) passOn(led map[int32]int) bool {
	order := slices.SortedFunc(slices.Values(p.brokers), func(x, y int32) int { return cmp.Or(cmp.Compare(led[y], led[x]), cmp.Compare(x, y)) })
	for _, from := range order {
		via := map[int32]*assignment{} // by whom it comes to a broker
		queue := []int32{from}
		for len(queue) > 0 {
			at := queue[0]
			queue = queue[1:]
			if led[from]-led[at] >= 2 {
				for at != from {
					a := via[at]
					previous := a.Replicas[0]
					other := slices.Index(a.Replicas, at)
					a.Replicas[0], a.Replicas[other] = a.Replicas[other], a.Replicas[0]
					at = previous
				}
				return true
			}
			for i := range p.list {
				a := &p.list[i]
				if len(a.Replicas) == 0 || a.Replicas[0] != at {
					continue
				}
				for _, next := range a.Replicas[1:] {
					if next != from && via[next] == nil && slices.Contains(p.brokers, next) {
						via[next] = a
						queue = append(queue, next)
					}
				}
			}
		}
	}
	return false
}

// changed lists the assignments that differ from what is.
func (p *planner) changed(current []assignment) (out, was []assignment) {
	for i, a := range p.list {
		if !slices.Equal(a.Replicas, current[i].Replicas) {
			out, was = append(out, a), append(was, current[i])
		}
	}
	return out, was
}
