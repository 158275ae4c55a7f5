package sim

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
)

// unmounts have a broker start without its second log directory in the one moment in which nobody else may lead what is on it: its peers have
// died, or lost the directory they have it in, until it alone is in sync. It begins once more with the directory back, and the partition waits
// for the operator's word (see remounts). Chance alone brings that about in fewer than one of ten thousand runs.
type unmounts struct {
	r    *run
	dice *rand.Rand // its own
}

// unmount has that happen in runs in which one replica may be in sync alone.
func (r *run) unmount() {
	if r.unmounts() {
		u := &unmounts{r, rand.New(rand.NewPCG(r.plan.Swarm.Seed, 19))}
		u.later()
	}
}

// unmounts reports whether that happens.
func (r *run) unmounts() bool {
	s := &r.plan.Swarm
	return s.Variety.Dirs && s.MinISR == 1 && s.Replicas > 1 && !s.Cached
}

func (u *unmounts) later() {
	u.r.w.After(time.Duration(300+u.dice.IntN(2500))*time.Millisecond, u.turn)
}

func (u *unmounts) turn() {
	r := u.r
	if r.phase != faulty {
		return
	}
	m, tp, p := u.choose()
	if m == nil {
		u.later()
		return
	}
	r.note("node %d is to be alone in sync with %v, and to start without it", m.id, tp)
	ends := u.desert(m, tp, p)
	over := func() {
		for _, end := range ends {
			end()
		}
		u.later()
	}
	back := func() {
		m.ills.unmounted = false
		m.down(m.die)()
		over()
	}
	alone := func(p *image.Partition) bool { return slices.Equal(p.ISR(), []kafka.NodeID{m.id}) && len(p.ELR()) == 0 }
	nobody := func(p *image.Partition) bool { return len(p.ISR())+len(p.ELR()) == 0 }
	u.until(tp, alone, over, func() {
		m.ills.unmounted = true
		m.down(m.die)()
		u.until(tp, nobody, back, back)
	})
}

// choose finds a broker and what it has in its second directory, where all others that have it can be taken away without the controllers.
func (u *unmounts) choose() (*machine, kafka.TopicPartition, *image.Partition) {
	type choice struct {
		m  *machine
		tp kafka.TopicPartition
		p  *image.Partition
	}
	var all []choice
	u.r.watch.learn()
	for t := range u.r.watch.newest.Topics() {
		for n, p := range t.Partitions() {
			tp := kafka.TopicPartition{Topic: t.Name, Partition: n}
			for _, id := range p.ISR() {
				if m := u.r.at(id); len(p.Replicas()) > 1 && second(m, tp) && u.able(m, tp, p) {
					all = append(all, choice{m, tp, p})
				}
			}
		}
	}
	if len(all) == 0 {
		return nil, kafka.TopicPartition{}, nil
	}
	c := all[u.dice.IntN(len(all))]
	return c.m, c.tp, c.p
}

// able reports whether all replicas' machines are well, and no more of them have to die than may: those that have it in their first directory.
func (u *unmounts) able(m *machine, tp kafka.TopicPartition, p *image.Partition) bool {
	die := 0
	for _, id := range p.Replicas() {
		o := u.r.at(id)
		if !o.ready || o.ills.dead+o.ills.paused+o.ills.full > 0 || o.node.Probe().Bereft() {
			return false
		}
		if o != m && !second(o, tp) {
			die++
		}
	}
	return die <= u.spare()
}

// spare is how many brokers may die and controllers enough are left.
func (u *unmounts) spare() int {
	if u.r.apart() {
		return len(u.r.brokers)
	}
	return (len(u.r.machines) - 1) / 2
}

// second reports whether a machine has a partition in its second log directory.
func second(m *machine, tp kafka.TopicPartition) bool {
	entries, err := m.fs.List(secondDir + "/" + tp.String())
	return err == nil && len(entries) > 0
}

// desert takes all other replicas of a partition away: by death, or by nothing but their directory, where no more may die.
func (u *unmounts) desert(m *machine, tp kafka.TopicPartition, p *image.Partition) (ends []func()) {
	spare := u.spare()
	var shelved []*machine
	for _, id := range p.Replicas() {
		switch o := u.r.at(id); {
		case o == m:
		case second(o, tp):
			shelved = append(shelved, o)
		default:
			spare--
			ends = append(ends, o.down(o.die))
		}
	}
	for _, o := range shelved {
		if spare--; spare >= 0 {
			ends = append(ends, o.down(o.die))
		} else {
			ends = append(ends, o.failDir())
		}
	}
	return ends
}

// until waits until a partition is registered as it is to be, for as long as faults come and three seconds at most, and goes on at once; or
// gives up.
func (u *unmounts) until(tp kafka.TopicPartition, so func(*image.Partition) bool, giveUp, then func()) {
	r := u.r
	end := r.w.Now().Mono + 3*time.Second
	var look func()
	look = func() {
		r.watch.learn()
		t := r.watch.newest.TopicNamed(tp.Topic)
		if t != nil {
			if p, ok := t.Partition(tp.Partition); ok && so(p) {
				then()
				return
			}
		}
		if t == nil || r.phase != faulty || r.w.Now().Mono > end {
			giveUp()
			return
		}
		r.w.After(5*time.Millisecond, look)
	}
	look()
}

// bare has the second directory of a process fail in whatever is done in it, as if it were not there.
func (m *machine) bare() {
	m.oneDir = m.proc
	m.faulty.Add(disk.Fault{Path: secondDir, Err: disk.ErrIO})
}
