package main

import (
	"math/rand/v2"
	"time"
)

// kind is a sort of fault.
type kind int

// The kinds, in the order of kinds below.
const (
	leaderKill kind = iota
	controllerKill
	bothKill
	allKill
	pause
	cut
	allPower
	onePower
	rolling
	quorumLoss
	slowDisk
	fullDisk
	deleted
	overtaken
)

// kinds says of each what it is, how often it comes, and how long it lasts.
var kinds = [...]struct {
	flag, about       string
	usual, slice      int // times, in the acceptance run and in a few minutes
	shortest, longest time.Duration
	do                func(*strike) error
}{
	leaderKill:     {"leaders", "a node that leads partitions is killed with -9", 200, 6, 0, 2500 * time.Millisecond, (*strike).killLeader},
	controllerKill: {"controllers", "the active controller is killed with -9", 50, 3, 0, 2500 * time.Millisecond, (*strike).killController},
	bothKill:       {"two", "the active controller and another node are killed with -9 at once", 5, 1, 0, 2500 * time.Millisecond, (*strike).killTwo},
	allKill:        {"all", "all nodes are killed with -9 at once", 5, 1, 0, time.Second, (*strike).killAll},
	pause:          {"pauses", "a node stands still by SIGSTOP, and goes on", 50, 1, 200 * time.Millisecond, 12 * time.Second, (*strike).pause},
	cut:            {"cuts", "the network between nodes is cut, one way, both ways, or all around a node", 50, 2, 200 * time.Millisecond, 12 * time.Second, (*strike).cut},
	allPower:       {"powercuts", "all nodes lose power at once", 20, 2, 0, time.Second, (*strike).powerAll},
	onePower:       {"powercut", "one node loses power", 5, 1, 0, 2500 * time.Millisecond, (*strike).powerOne},
	rolling:        {"rolling", "each node is stopped cleanly and started again", 3, 1, 0, time.Second, (*strike).rolling},
	quorumLoss:     {"quorum", "two nodes are stopped by SIGSTOP for longer than sessions and elections last", 3, 1, 3 * time.Second, 12 * time.Second, (*strike).loseQuorum},
	slowDisk:       {"slow", "the disk of a node hangs, again and again", 5, 1, 500 * time.Millisecond, 8 * time.Second, (*strike).slowDisk},
	fullDisk:       {"full", "the disk of a node is full, and has room again", 3, 1, time.Second, 5 * time.Second, (*strike).fullDisk},
	deleted:        {"strays", "a topic is deleted and made anew while a broker is away", 3, 1, 0, time.Second, (*strike).deleteTopic},
	overtaken:      {"behind", "likewise, and the metadata log begins beyond what the node has", 5, 1, 0, time.Second, (*strike).overtake},
}

// fault is one of the plan: what, how long, and the dice for whom it meets.
type fault struct {
	kind kind
	last time.Duration
	calm bool // the next waits until all replicas are in sync again
	dice *rand.Rand
}

// plan is all faults in the order of the seed.
func plan(s *settings) []fault {
	dice := rand.New(rand.NewPCG(s.seed, 1))
	var out []fault
	for k, f := range kinds {
		for range *s.counts[kind(k)] {
			most := f.longest - f.shortest
			if s.slice {
				most /= 4
			}
			out = append(out, fault{
				kind: kind(k), last: f.shortest + time.Duration(dice.Int64N(int64(most))), calm: dice.IntN(2) == 0,
				dice: rand.New(rand.NewPCG(s.seed, dice.Uint64())),
			})
		}
	}
	dice.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func (k kind) String() string { return kinds[k].flag }
