// Package faults plans what goes wrong in a run: from a seed a cluster, a mixture of faults and their moments, in two phases,
// as plain values; and it shrinks a plan that failed to the least that still fails.
//
// The simulator and the process nemesis carry plans out; the package never touches a cluster. Invariants: the same seed
// gives the same plan on every machine; all faults have ended when the healing begins; whatever part of a plan is left out,
// what is left is a plan, too, since each event carries its own end.
package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// Kind is a sort of fault.
type Kind uint8

// The kinds, by reliability.md's fault catalogue.
const (
	Crash     Kind = iota // F1: the process dies; its disk keeps what the kernel had
	PowerCut              // F3: the node dies with what was not durable
	AllPower              // F4: every node at once
	Pause                 // F2: the process stands still, and goes on
	CutOneWay             // F16: what Nodes send to Others is lost
	CutBoth               // F16: and the other way
	Isolate               // F16: Nodes are alone
	Slow                  // F17: what Nodes send takes Delay more
	Lossy                 // F17: a share of what Nodes send is lost
	SlowDisk              // F11: each sync of Nodes takes Delay
	SyncFails             // F9: a sync of Nodes fails, and is final
	FullDisk              // F10: Nodes have no room
	ClockJump             // F15: the wall clock of Nodes is Delay off
	Restart               // F27: a clean stop and a start
	Roll                  // F27: every node is stopped and started, each when the one before serves again
	Wipe                  // F8: Nodes lose their disks, and come back under their ids with empty ones
	Restore               // F8: Nodes start anew, and at the end once more, on the disks as they were at the beginning
	DirFails              // F9: a sync in the second log directory of Nodes fails, and is final
	Kinds                 // how many there are
)

// String returns a word for reports.
func (k Kind) String() string {
	if k >= Kinds {
		return fmt.Sprintf("fault %d", k)
	}
	return [...]string{
		"crash", "power-cut", "all-power-cut", "pause", "cut-one-way", "cut", "isolate", "slow", "lossy", "slow-disk", "sync-fails",
		"full-disk", "clock-jump", "restart", "roll", "wipe", "restore", "dir-fails",
	}[k]
}

// Event is one fault: it begins At and is over For later. A node that dies starts again then.
type Event struct {
	At     time.Duration
	For    time.Duration
	Kind   Kind
	Nodes  []kafka.NodeID
	Others []kafka.NodeID // the other side of a cut
	Delay  time.Duration
	Share  float64 // of what is lost
}

// End returns when the fault is over.
func (e Event) End() time.Duration { return e.At + e.For }

// String tells the event on one line.
func (e Event) String() string {
	s := fmt.Sprintf("%v for %v: %v of %v", e.At, e.For, e.Kind, e.Nodes)
	if len(e.Others) > 0 {
		s += fmt.Sprintf(" from %v", e.Others)
	}
	if e.Delay != 0 {
		s += fmt.Sprintf(" by %v", e.Delay)
	}
	if e.Share > 0 {
		s += fmt.Sprintf(" of %.0f %%", 100*e.Share)
	}
	return s
}

// Swarm is the cluster of a seed and the faults that it gets: each seed has its own few, some have one only, for what many
// faults at once hide from one another.
type Swarm struct {
	Seed         uint64
	Nodes        int // 3 to 5
	Partitions   int // 1 to 8
	Replicas     int // 3, or 1 or 2 now and then
	MinISR       int // 1 or 2
	Cached       bool
	SegmentBytes int
	Idempotent   bool
	Weights      [Kinds]int    // how often each kind comes; 0 for never
	Every        time.Duration // between two faults, on average
	Longest      time.Duration // a fault lasts
	DiskFaults   int           // nodes whose disk may be faulty: fewer than half of the replicas
	Variety      Variety
}

// Draw makes the swarm of a seed.
func Draw(seed uint64) Swarm {
	dice := rand.New(rand.NewPCG(seed, 1))
	s := Swarm{
		Seed: seed, Nodes: 3 + dice.IntN(3), Partitions: 1 + dice.IntN(8), Replicas: 3, MinISR: 1 + dice.IntN(2), Cached: dice.IntN(5) == 0,
		SegmentBytes: 1 << (9 + dice.IntN(8)), Idempotent: dice.IntN(5) > 0,
		Every: time.Duration(20+dice.IntN(400)) * time.Millisecond, Longest: time.Duration(50+dice.IntN(3000)) * time.Millisecond,
		DiskFaults: 1, Variety: Vary(seed),
	}
	if dice.IntN(8) == 0 {
		s.Replicas = 1 + dice.IntN(2)
		s.MinISR, s.DiskFaults = 1, 0
	}
	if dice.IntN(5) == 0 { // one kind only
		s.Weights[dice.IntN(int(Kinds))] = 1
	} else {
		for k := range s.Weights {
			if dice.IntN(2) == 0 {
				s.Weights[k] = 1 + dice.IntN(8)
			}
		}
		s.Weights[dice.IntN(int(Kinds))] += 2
	}
	if s.DiskFaults == 0 {
		s.Without(SyncFails, Wipe, Restore, DirFails) // the only copy
	}
	if s.MinISR < 2 {
		s.Without(Wipe, Restore) // what is acknowledged may be on one disk only
	}
	s.Without()
	return s
}

// Without takes kinds of faults away, and has crashes come where nothing is left.
func (s *Swarm) Without(kinds ...Kind) {
	for _, k := range kinds {
		s.Weights[k] = 0
	}
	if !slices.ContainsFunc(s.Weights[:], func(w int) bool { return w > 0 }) {
		s.Weights[Crash] = 1
	}
}

// Plan is a run: faults until Heal, then nothing more, and progress is demanded within Patience; the run ends at Length.
type Plan struct {
	Swarm    Swarm
	Events   []Event // by their beginning
	Heal     time.Duration
	Patience time.Duration
	Length   time.Duration
}

// patience is how long after the last fault everything has to go on: a session, an election and a rebalance, with room.
const patience = 30 * time.Second

// Make plans a run with faults for some time.
func Make(s Swarm, faults time.Duration) Plan {
	dice := rand.New(rand.NewPCG(s.Seed, 2))
	p := Plan{Swarm: s, Heal: faults, Patience: patience, Length: faults + 2*patience}
	total := 0
	for _, w := range s.Weights {
		total += w
	}
	bad := nodes(dice, s.Nodes, s.DiskFaults)
	if s.Variety.Apart { // the brokers are the second half
		for i := range bad {
			bad[i] = kafka.NodeID(s.Nodes/2 + 1 + dice.IntN(s.Nodes/2))
		}
	}
	for at := between(dice, s.Every); at < faults; at += between(dice, s.Every) {
		e := Event{At: at, Kind: s.pick(dice.IntN(total)), For: min(10*time.Millisecond+time.Duration(dice.Int64N(int64(s.Longest))), faults-at)}
		s.aim(dice, &e, bad)
		if len(e.Nodes) > 0 {
			p.Events = append(p.Events, e)
		}
	}
	return p
}

// between draws a time with the mean of every, from a half to one and a half of it.
func between(dice *rand.Rand, every time.Duration) time.Duration {
	return every/2 + time.Duration(dice.Int64N(int64(every)+1))
}

func (s *Swarm) pick(at int) Kind {
	for k, w := range s.Weights {
		if at -= w; at < 0 {
			return Kind(k)
		}
	}
	return Crash
}

// aim chooses whom a fault meets, and how hard.
func (s *Swarm) aim(dice *rand.Rand, e *Event, bad []kafka.NodeID) {
	one := nodes(dice, s.Nodes, 1)
	switch e.Kind {
	case AllPower, Roll:
		e.Nodes = nodes(dice, s.Nodes, s.Nodes)
	case CutOneWay, CutBoth:
		both := nodes(dice, s.Nodes, 2)
		e.Nodes, e.Others = both[:1], both[1:]
	case Isolate:
		e.Nodes = nodes(dice, s.Nodes, 1+dice.IntN(s.Nodes/2))
	case SyncFails, Wipe, Restore, DirFails:
		e.Nodes = bad
	case Lossy:
		e.Nodes, e.Share = one, 0.01+0.3*dice.Float64()
	case Slow:
		e.Nodes, e.Delay = one, time.Duration(1+dice.IntN(500))*time.Millisecond
	case SlowDisk:
		e.Nodes, e.Delay = one, time.Duration(10+dice.IntN(1000))*time.Millisecond
	case ClockJump:
		e.Nodes, e.Delay = one, time.Duration(dice.IntN(121)-60)*time.Minute
	default:
		e.Nodes = one
	}
}

// nodes draws n of the nodes 1 to all, in ascending order.
func nodes(dice *rand.Rand, all, n int) []kafka.NodeID {
	var out []kafka.NodeID
	for _, i := range dice.Perm(all)[:n] {
		out = append(out, kafka.NodeID(i+1))
	}
	slices.Sort(out)
	return out
}

// With returns the plan with other events; with fewer of them the run is the same but for what is left out.
func (p Plan) With(events []Event) Plan {
	p.Events = slices.Clone(events)
	return p
}
