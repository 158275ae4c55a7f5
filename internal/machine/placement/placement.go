// Package placement says which brokers get the replicas of new partitions: Apache Kafka's striped placement.
//
// machine/controller calls it for topics and partitions that come without an assignment. It is pure: the same brokers,
// counts and random source give the same answer. It never looks at how full a broker is, as Kafka doesn't.
//
// Invariants: the replicas of a partition are different brokers; the first, its leader, is not fenced; replicas go round
// the racks before a rack gets a second one; in a rack fenced brokers come after all others.
package placement

import (
	"cmp"
	"slices"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Broker is one that may be given replicas.
type Broker struct {
	ID     kafka.NodeID
	Rack   string // empty for none, which is a rack like another
	Fenced bool
}

// Place returns the replicas of new partitions, the preferred leader first. Errors, as INVALID_REPLICATION_FACTOR: a
// factor that is not positive or that there are not enough brokers for, and no broker that could lead.
func Place(brokers []Broker, partitions int, replicas int, random *Random) ([][]kafka.NodeID, error) {
	const op = "placement"
	if replicas <= 0 {
		return nil, fault.New(op, kafka.ErrInvalidReplicationFactor,
			"Invalid replication factor %d: the replication factor must be positive.", replicas)
	}
	racks := newStripes(brokers, random)
	if racks.serving == 0 {
		return nil, fault.New(op, kafka.ErrInvalidReplicationFactor,
			"All brokers are currently fenced, or have all their log directories cordoned.")
	}
	if replicas > len(brokers) {
		return nil, fault.New(op, kafka.ErrInvalidReplicationFactor, "The target replication factor of %d cannot be reached because only "+
			"%d broker(s) are registered or some brokers have all their log directories cordoned.", replicas, len(brokers))
	}
	all := make([]kafka.NodeID, 0, partitions*replicas)
	out := make([][]kafka.NodeID, partitions)
	for i := range out {
		from := len(all)
		all = racks.partition(all, replicas)
		out[i] = all[from:len(all):len(all)]
	}
	return out, nil
}

// stripes is the racks in the order in which partitions begin with them: each partition begins one rack further.
type stripes struct {
	racks   []*rack
	serving int // brokers not fenced
	first   int // rack that the next partition begins with
	round   int // partitions since the last shuffle
	random  *Random
}

type rack struct {
	name            string
	serving, fenced ring
}

// ring is brokers that are taken in turn; each partition begins one broker further.
type ring struct {
	ids    []kafka.NodeID
	start  int
	taken  int // of the present round
	rounds int
}

func newStripes(brokers []Broker, random *Random) *stripes {
	s := &stripes{random: random}
	sorted := slices.SortedFunc(slices.Values(brokers), func(a, b Broker) int {
		return cmp.Or(cmp.Compare(a.Rack, b.Rack), cmp.Compare(a.ID, b.ID))
	})
	for _, b := range sorted {
		if n := len(s.racks); n == 0 || s.racks[n-1].name != b.Rack {
			s.racks = append(s.racks, &rack{name: b.Rack})
		}
		r := s.racks[len(s.racks)-1]
		if b.Fenced {
			r.fenced.ids = append(r.fenced.ids, b.ID)
		} else {
			r.serving.ids = append(r.serving.ids, b.ID)
			s.serving++
		}
	}
	for _, r := range s.racks {
		r.fenced.start, r.serving.start = random.Below(len(r.fenced.ids)), random.Below(len(r.serving.ids))
	}
	s.first = random.Below(len(s.racks))
	return s
}

// partition appends the replicas of the next partition. The leader comes from the first rack that has a serving broker,
// the others from the racks in turn, beginning again with the first; the leader's rack is passed over once.
func (s *stripes) partition(dst []kafka.NodeID, replicas int) []kafka.NodeID {
	if s.round == s.serving && s.serving > 1 {
		s.shuffle()
	}
	if s.first == len(s.racks) {
		s.first = 0
	}
	leading := s.first
	for {
		if id, ok := s.racks[leading].serving.next(s.round); ok {
			dst = append(dst, id)
			break
		}
		leading = (leading + 1) % len(s.racks)
	}
	passed := false
	for at, n := s.first, 1; n < replicas; at = (at + 1) % len(s.racks) {
		if at == leading && !passed {
			passed = true
			continue
		}
		id, ok := s.racks[at].serving.next(s.round)
		if !ok {
			id, ok = s.racks[at].fenced.next(s.round)
		}
		if ok {
			dst = append(dst, id)
			n++
		}
	}
	s.round++
	s.first++
	return dst
}

// shuffle begins anew in another order, once every serving broker had its turn: the same replica sets would come again.
func (s *stripes) shuffle() {
	shuffle(s.racks, s.random)
	for _, r := range s.racks {
		shuffle(r.fenced.ids, s.random)
		shuffle(r.serving.ids, s.random)
	}
	s.round = 0
}

// next takes the next broker for a partition; false when it has had all of them.
func (r *ring) next(round int) (kafka.NodeID, bool) {
	if len(r.ids) == 0 {
		return kafka.NoNode, false
	}
	if r.rounds != round {
		r.rounds, r.taken, r.start = round, 0, (r.start+1)%len(r.ids)
	}
	if r.taken == len(r.ids) {
		return kafka.NoNode, false
	}
	id := r.ids[(r.start+r.taken)%len(r.ids)]
	r.taken++
	return id, true
}
