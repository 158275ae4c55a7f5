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

// lead makes brokers preferred leaders of as many partitions each as is possible, of every topic first and then of all together, by the
// order of replicas alone: no record moves. Then it evens out who is next, so that what a broker leads goes to all others when it dies.
func (p *planner) lead() {
	topics := map[string]order{}
	for _, a := range p.list {
		if len(a.Replicas) > 0 {
			topics[a.Topic] = append(topics[a.Topic], a.Replicas)
		}
	}
	all, of, led := order{}, []map[int32]int{}, map[string]map[int32]int{}
	for topic, list := range topics {
		for p.passOn(list, nil) {
		}
		led[topic] = list.led()
	}
	for _, a := range p.list {
		if len(a.Replicas) > 0 {
			all, of = append(all, a.Replicas), append(of, led[a.Topic])
		}
	}
	for p.passOn(all, of) {
	}
	next := map[int32]order{}
	for _, replicas := range all {
		if len(replicas) > 1 {
			next[replicas[0]] = append(next[replicas[0]], replicas[1:])
		}
	}
	for _, list := range next {
		for p.passOn(list, nil) {
		}
	}
}

// order is the replicas of some partitions, of which the first of each counts.
type order [][]int32

// led counts them by broker.
func (o order) led() map[int32]int {
	led := map[int32]int{}
	for _, replicas := range o {
		led[replicas[0]]++
	}
	return led
}

// passOn has a broker that is first too often pass one on, along others where need be, to one that is first too seldom, and reports
// whether it could. With counts of the topic of each partition nobody passes on what would make a topic less even, and they are kept.
func (p *planner) passOn(list order, ofTopic []map[int32]int) bool {
	led := list.led()
	brokers := slices.SortedFunc(slices.Values(p.brokers), func(x, y int32) int { return cmp.Or(cmp.Compare(led[y], led[x]), cmp.Compare(x, y)) })
	for _, from := range brokers {
		via := map[int32]int{} // by which partition it comes to a broker
		for queue := []int32{from}; len(queue) > 0; queue = queue[1:] {
			at := queue[0]
			if led[from]-led[at] >= 2 {
				for at != from {
					at = list.swap(via[at], at, ofTopic)
				}
				return true
			}
			for i, replicas := range list {
				if replicas[0] != at {
					continue
				}
				for _, next := range replicas[1:] {
					if _, been := via[next]; been || next == from || !slices.Contains(p.brokers, next) || ofTopic != nil && ofTopic[i][at] <= ofTopic[i][next] {
						continue
					}
					via[next] = i
					queue = append(queue, next)
				}
			}
		}
	}
	return false
}

// swap puts a broker first, and returns who was.
func (o order) swap(i int, first int32, ofTopic []map[int32]int) int32 {
	was := o[i][0]
	at := slices.Index(o[i], first)
	o[i][0], o[i][at] = first, was
	if ofTopic != nil {
		ofTopic[i][was]--
		ofTopic[i][first]++
	}
	return was
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
