package quorum

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/world"
)

// FormingOptions is what a node forms a quorum with, or finds one.
type FormingOptions struct {
	World   world.World
	FS      disk.FS
	Dir     string // the directory of __cluster_metadata-0
	Self    Voter
	Cluster string // the cluster's id where somebody chose it, or this node has adopted one; else empty
	// Seats is controller.quorum.voters, this node among them or not; or controller.quorum.bootstrap.servers, whose ids are
	// NoNode: from those no quorum is formed, one that exists is found.
	Seats []Voter
	// Begun tells that the directory's log has begun, though no snapshot of it is there: one that Apache Kafka began at kraft.version 0.
	Begun bool
	// Ask carries a greeting to a node and its answer, which is that of Answer there, back. done is called once.
	Ask func(to Voter, msg []byte, done func(answer []byte, err error))
	// Formed is told once what this node is, Failed why it can be nothing.
	Formed func(Formed)
	Failed func(error)
	Logger *slog.Logger
}

// Formed is the end of forming. Who votes opens a Quorum on the directory, everybody else an Observer.
type Formed struct {
	Cluster string
	Votes   bool
}

// Forming has the voters of a list begin one cluster, or none. The one with the lowest id decides: once it has heard that all
// are there and empty it draws the cluster's id and writes down the voters with their directory ids. The others write down the
// same. Only who knows that everybody has the decision on stable storage puts the bootstrap snapshot in place and votes. So
// nobody has voted before all are prepared, and a directory that is empty while its voter is named by others that have begun
// has lost what it acknowledged: it is refused, and never votes again (architecture D3).
//
// It goes on answering when it is done, for as long as the node runs.
type Forming struct {
	o  FormingOptions
	mu sync.Mutex

	stage    stage
	decision *decision
	heard    map[kafka.NodeID]hello
	done     bool
	round    int
	voters   func() []Voter // of the quorum, once it runs
	after    []func()
}

const (
	formingEvery = 25 * time.Millisecond // between two rounds of questions at first
	formingMax   = 500 * time.Millisecond
	maxHeard     = 1000 // nodes whose greetings are kept
)

// NewForming looks at the directory. It asks nobody before Start.
func NewForming(o FormingOptions) (*Forming, error) {
	if err := o.FS.MkdirAll(o.Dir); err != nil {
		return nil, fault.Storage("quorum.form", err)
	}
	if err := settleName(o.FS, o.Dir); err != nil {
		return nil, err
	}
	f := &Forming{o: o, stage: stageEmpty, heard: map[kafka.NodeID]hello{}}
	var err error
	if f.decision, err = loadDecision(o.FS, o.Dir); err != nil {
		return nil, err
	}
	if f.decision != nil {
		f.stage = stagePrepared
	}
	refs, err := listSnapshots(o.FS, o.Dir)
	if err != nil {
		return nil, err
	}
	if len(refs) > 0 || o.Begun {
		f.stage = stageBegun
	}
	return f, nil
}

// Start begins to ask. A directory that has begun asks nobody.
func (f *Forming) Start() {
	f.locked(func() {
		if f.stage == stageBegun {
			f.finish(Formed{Cluster: f.cluster(), Votes: true})
			return
		}
		f.decide()
		f.ask()
	})
}

// Stop ends the asking.
func (f *Forming) Stop() { f.locked(func() { f.done = true }) }

// Waits says what a forming that is not done waits for, and what would help; empty when it is done.
func (f *Forming) Waits() (reason string) {
	f.locked(func() {
		var silent, there []string
		for _, s := range f.o.Seats {
			if _, ok := f.heard[s.ID]; s.ID != f.o.Self.ID && !ok {
				silent = append(silent, seatName(s))
			}
		}
		for id, h := range f.heard {
			there = append(there, fmt.Sprintf("%d (%s)", id, h.Stage))
		}
		slices.Sort(there)
		listed := slices.Contains(f.seats(), int32(f.o.Self.ID))
		switch {
		case f.done:
		case listed && len(silent) > 0:
			reason = fmt.Sprintf("a new cluster begins when all of controller.quorum.voters are there; nothing was heard of %s: start them, and see that they listen where "+
				"that list says and are of no other cluster", strings.Join(silent, ", "))
		case listed:
			reason = fmt.Sprintf("all of controller.quorum.voters are there, and have not agreed: %s; node %d decides", strings.Join(there, ", "), f.seats()[0])
		case len(f.seats()) > 0:
			reason = fmt.Sprintf("none of controller.quorum.voters that answers has a cluster: heard of %s, and nothing of %s", list(there), list(silent))
		default:
			reason = fmt.Sprintf("of controller.quorum.bootstrap.servers (%s) none that answers has a cluster (heard of %s): controllers that name each other by "+
				"that key alone begin none. Begin one with the same controller.quorum.voters=ID@HOST:PORT,... on all of its first controllers, or with one controller that names "+
				"nobody but itself", strings.Join(silent, ", "), list(there))
		}
	})
	return reason
}

func list(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, ", ")
}

// seatName is a seat as the configuration writes it.
func seatName(v Voter) string {
	at := ""
	if len(v.Endpoints) > 0 {
		at = net.JoinHostPort(v.Endpoints[0].Host, strconv.Itoa(int(v.Endpoints[0].Port)))
	}
	if v.ID == kafka.NoNode {
		return at
	}
	return fmt.Sprintf("%d@%s", v.ID, at)
}

// Runs tells the forming who votes now, once the quorum runs: whoever asks later learns it.
func (f *Forming) Runs(voters func() []Voter) { f.locked(func() { f.voters = voters }) }

func (f *Forming) locked(step func()) {
	f.mu.Lock()
	step()
	after := f.after
	f.after = nil
	f.mu.Unlock()
	for _, g := range after {
		g()
	}
}

// cluster is the id as far as it is known.
func (f *Forming) cluster() string {
	if f.o.Cluster == "" && f.decision != nil {
		return f.decision.Cluster
	}
	return f.o.Cluster
}

func (f *Forming) self() Key { return Key{f.o.Self.ID, f.o.Self.Directory} }

// hello is what this node says of itself.
func (f *Forming) hello() hello {
	h := hello{Version: helloVersion, Stage: f.stage, Cluster: f.cluster(), Seats: f.seats(), Decision: f.decision,
		Self: helloVoter{seatOf(f.self()), f.o.Self.Endpoints}}
	return h
}

// seats is the ids of the voters' list, ascending; none when the list names addresses only.
func (f *Forming) seats() []int32 {
	var ids []int32
	for _, s := range f.o.Seats {
		if s.ID != kafka.NoNode {
			ids = append(ids, int32(s.ID))
		}
	}
	slices.Sort(ids)
	return ids
}

// ask greets everybody, and again after a while.
func (f *Forming) ask() {
	if f.done {
		return
	}
	f.greet()
	f.round++
	f.o.World.After(min(formingEvery<<min(f.round, 8), formingMax), func() { f.locked(f.ask) })
}

// greet asks everybody once.
func (f *Forming) greet() {
	msg := f.hello().encode()
	for _, s := range f.o.Seats {
		if s.ID == f.o.Self.ID {
			continue
		}
		f.after = append(f.after, func() {
			f.o.Ask(s, msg, func(b []byte, err error) {
				if err == nil {
					err = f.answered(b)
				}
				if err != nil {
					f.say(slog.LevelDebug, "no answer from a voter", "node", s.ID, "error", err)
				}
			})
		})
	}
}

// Answer takes another node's greeting and returns this node's. A node of another cluster, a twin, and one that lists other
// voters are refused.
func (f *Forming) Answer(msg []byte) (answer []byte, err error) {
	h, err := decodeHello(msg)
	if err != nil {
		return nil, err
	}
	f.locked(func() {
		if err = f.hear(h); err == nil {
			mine := f.hello()
			if mine.Stage == stageBegun && f.voters != nil {
				for _, v := range f.voters() {
					mine.Voters = append(mine.Voters, seatOf(Key{v.ID, v.Directory}))
				}
			}
			answer = mine.encode()
		}
	})
	return answer, err
}

func (f *Forming) answered(b []byte) error {
	h, err := decodeHello(b)
	if err != nil {
		return err
	}
	f.locked(func() { err = f.hear(h) })
	return err
}

// hear notes what another node said, and goes on if that was what was missing.
func (f *Forming) hear(h hello) error {
	const op = "quorum.form"
	mine := f.cluster()
	theirs := h.Cluster
	switch {
	case kafka.NodeID(h.Self.ID) == f.o.Self.ID:
		return fault.New(op, kafka.ErrDuplicateVoter, "node.id %d is given twice: another process greets with it, from directory %s", h.Self.ID, h.Self.Directory)
	case theirs != "" && mine != "" && theirs != mine && (f.o.Cluster != "" || h.Stage == stageEmpty):
		return fault.New(op, kafka.ErrInconsistentClusterId, "node %d is of cluster %q, this node of cluster %q", h.Self.ID, theirs, mine)
	case h.Stage != stageBegun && f.stage != stageBegun && len(h.Seats) > 0 && len(f.seats()) > 0 && !slices.Equal(h.Seats, f.seats()):
		return fault.New(op, kafka.ErrInconsistentVoterSet, "node %d lists the voters %v, this node %v: controller.quorum.voters has to be the same on all", h.Self.ID, h.Seats, f.seats())
	}
	if _, known := f.heard[kafka.NodeID(h.Self.ID)]; !known && len(f.heard) >= maxHeard {
		return fault.New(op, kafka.ErrInvalidRequest, "too many nodes greet this one")
	}
	f.heard[kafka.NodeID(h.Self.ID)] = h
	f.decide()
	return nil
}

func (f *Forming) say(level slog.Level, msg string, args ...any) {
	if f.o.Logger != nil {
		f.o.Logger.Log(context.Background(), level, msg, args...)
	}
}

// finish tells the owner, once.
func (f *Forming) finish(r Formed) {
	if !f.done {
		f.done = true
		f.after = append(f.after, func() { f.o.Formed(r) })
	}
}

func (f *Forming) fail(err error) {
	if !f.done {
		f.done = true
		f.after = append(f.after, func() { f.o.Failed(err) })
	}
}
