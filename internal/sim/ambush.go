package sim

import (
	"math/rand/v2"
	"time"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/sim/network"
)

// ambush is faults that come not by the clock but in the moment in which they hurt most: right after a log was cut, right after a leader
// was elected, while a process that has just begun is about to be in sync. A seed lies in wait for one sort of moment, or for none.
type ambush struct {
	r    *run
	dice *rand.Rand // its own: what is drawn for one moment shifts nothing else
	lies moment
	next time.Duration // not sooner: something has to happen between two
}

// moment is what an ambush waits for.
type moment uint8

const (
	aCut     moment = iota // a node has cut a log on its leader's word: it loses its power, and what was cut may come back
	aLeader                // a node leads: it dies before the others know, and before they have what it was given
	aJoiner                // a process has begun: what leaders tell the controller of it takes long, and meanwhile it begins once more
	noAmbush               // as often as the three together
)

// breath is how long nothing is ambushed after something was.
const breath = 250 * time.Millisecond

func newAmbush(r *run) ambush {
	dice := rand.New(rand.NewPCG(r.plan.Swarm.Seed, 17))
	return ambush{r: r, dice: dice, lies: min(moment(dice.IntN(2*int(noAmbush))), noAmbush)}
}

// at hears of a moment of some machine's.
func (a *ambush) at(what moment, m *machine) {
	if a.r == nil {
		return // the watch has not begun
	}
	now := a.r.w.Now().Mono
	if a.lies != what || a.r.phase != faulty || now < a.next || m == nil || m.proc == nil || !m.serves() {
		return
	}
	a.next = now + breath
	a.r.reached.add(Ambushed)
	proc := m.proc
	strike := func() {
		if m.proc != proc || a.r.phase != faulty {
			return
		}
		a.r.note("ambush: node %d dies", m.id)
		how := m.unplug
		if what == aJoiner || a.r.plan.Swarm.Cached {
			how = m.die
		}
		end := m.down(how)
		a.r.w.After(a.lasts(what), end)
	}
	wait := a.upTo(10 * time.Millisecond)
	if what == aJoiner {
		a.slow(m)
		wait = a.upTo(250 * time.Millisecond)
	}
	a.r.w.After(wait, strike)
}

// lasts is how long the machine is down.
func (a *ambush) lasts(what moment) time.Duration {
	if what == aJoiner {
		return time.Millisecond
	}
	return 5*time.Millisecond + a.upTo(300*time.Millisecond)
}

func (a *ambush) upTo(d time.Duration) time.Duration { return time.Duration(a.dice.Int64N(int64(d))) }

// slow has what the other machines tell the active controller take long, for a while.
func (a *ambush) slow(joiner *machine) {
	for _, c := range a.r.machines {
		if c.node == nil || c == joiner || !c.node.Probe().Quorum().Leading {
			continue
		}
		long := 100*time.Millisecond + a.upTo(300*time.Millisecond)
		for _, m := range a.r.machines {
			if m != c && m != joiner {
				a.r.net.Delay(m.host(), c.host(), network.Delay{Least: long, Most: long + long/8})
				a.r.w.After(2*long, func() { a.r.net.Delay(m.host(), c.host(), network.LAN()) })
			}
		}
	}
}

// elected looks for a new leader among the partitions that an image has changed.
func (a *ambush) elected(was lead, now *image.Partition) {
	if now.LeaderEpoch > was.epoch && now.Leader >= 0 {
		a.at(aLeader, a.r.at(now.Leader))
	}
}
