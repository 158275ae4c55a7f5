package sim

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/milena-io/milena/internal/history/faults"
	"github.com/milena-io/milena/internal/kafka"
)

// lates have nodes hear of the metadata late, and then of all of it in one delta, as a node does that had to wait for a processor, a lock or
// an answer of the controllers: what acts on the difference of two images has not seen the steps between them. Without it a node of a
// simulation hears nearly every change by itself.
type lates struct {
	r     *run
	dice  *rand.Rand // its own
	c     *client
	every time.Duration // at the most from one to the next
	ends  time.Duration // no more of it from then on
	waits bool          // for something to change
}

// late has that happen, in runs that are to have it.
func (r *run) late() {
	if r.plan.Swarm.Variety.Late {
		l := &lates{r: r, dice: rand.New(rand.NewPCG(r.plan.Swarm.Seed, 23)), c: newClient(r, "late"), ends: r.w.Now().Mono + r.plan.Heal}
		l.every = 10*time.Millisecond + l.upTo(600*time.Millisecond)
		r.watch.late = l
		l.later()
	}
}

func (l *lates) upTo(d time.Duration) time.Duration { return time.Duration(l.dice.Int64N(int64(d))) }

func (l *lates) later() { l.r.w.After(10*time.Millisecond+l.upTo(l.every), l.turn) }

// turn has one machine be late at once, or from when something changes if that comes soon: more may, then.
func (l *lates) turn() {
	if l.waits = l.dice.IntN(2) == 0; l.waits {
		l.r.w.After(l.upTo(500*time.Millisecond), l.changed)
		return
	}
	l.begin()
}

// changed hears of a partition that a node has just heard of, others perhaps not yet.
func (l *lates) changed() {
	if l != nil && l.waits {
		l.waits = false
		l.begin()
	}
}

// begin has one machine be late, more often briefly than for long: who waits for it does nothing that others could hear of.
func (l *lates) begin() {
	r := l.r
	long := min(50*time.Millisecond+l.upTo(50*time.Millisecond+l.upTo(1400*time.Millisecond)), l.ends-r.w.Now().Mono)
	if r.phase != faulty || long <= 0 {
		return
	}
	well := l.well()
	if len(well) == 0 {
		l.later()
		return
	}
	m := well[l.dice.IntN(len(well))]
	r.note("node %d hears of the metadata %v late", m.id, long)
	m.ills.late.is = true
	r.w.After(long, func() {
		m.ills.late.is = false
		if m.ills.late.wake != nil {
			m.ills.late.wake()
		}
		l.later()
	})
	for range l.dice.IntN(4) {
		l.back(m, long)
	}
}

// well are the machines whose processes serve, or are about to.
func (l *lates) well() (out []*machine) {
	for _, m := range l.r.machines {
		if m.proc != nil && !m.stopping && m.ills.paused == 0 {
			out = append(out, m)
		}
	}
	return out
}

// back has something be done to a partition that a machine which is late may have, and undone while it still is late: once, or twice.
func (l *lates) back(m *machine, within time.Duration) {
	r := l.r
	tp := kafka.TopicPartition{Topic: topic, Partition: int32(l.dice.IntN(r.plan.Swarm.Partitions))}
	are := l.replicas(tp)
	if are == nil {
		return
	}
	ask := r.brokers[l.dice.IntN(len(r.brokers))]
	if ask == m {
		ask = r.brokers[(slices.Index(r.brokers, m)+1)%len(r.brokers)]
	}
	link, other, elect := l.c.to(ask.id), l.other(are, m), l.dice.IntN(2) == 0
	r.note("the replicas of %v are to be %v, and %v again", tp, other, are)
	at := time.Duration(0)
	for n := range 2 * (1 + l.dice.IntN(2)) {
		r.w.After(at, func() {
			link.assign(Reassigned, tp, [][]int32{other, are}[n%2])
			if elect {
				link.elect(Elected, tp, preferred)
			}
		})
		at += l.upTo(within / 3)
	}
}

// replicas are those of a partition; nil where others are on their way.
func (l *lates) replicas(tp kafka.TopicPartition) (are []int32) {
	w := &l.r.watch
	w.learn()
	t := w.newest.TopicNamed(tp.Topic)
	if t == nil {
		return nil
	}
	p, ok := t.Partition(tp.Partition)
	if !ok || len(p.Adding())+len(p.Removing()) > 0 {
		return nil
	}
	for _, n := range p.Replicas() {
		are = append(are, int32(n))
	}
	return are
}

// other are the replicas without a machine that is one of them, or with one that isn't; now and then, and where none may be taken away, the
// same in another order.
func (l *lates) other(are []int32, m *machine) []int32 {
	id, other := int32(m.id), slices.Clone(are)
	at, last := slices.Index(are, id), len(are)-1
	switch {
	case l.stay() || !m.serves() || l.dice.IntN(3) == 0:
		return append(other[1:], other[0])
	case at < 0:
		other[last] = id
	case len(are) > 2:
		return slices.Delete(other, at, at+1)
	default:
		for _, b := range l.r.brokers {
			if !slices.Contains(are, int32(b.id)) {
				other[at] = int32(b.id)
			}
		}
	}
	return other
}

// stay reports whether replicas are not to be taken away: where disks are replaced as many have to stay, and what is given back while a log
// directory is away begins in the other one, and is there twice when that is back.
func (l *lates) stay() bool {
	s := &l.r.plan.Swarm
	return s.Weights[faults.Wipe] > 0 || s.Variety.Dirs && (s.Weights[faults.DirFails] > 0 || l.r.unmounts())
}
