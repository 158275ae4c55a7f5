package quorum

import (
	"log/slog"
	"slices"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// decide takes the steps that what was heard allows.
func (f *Forming) decide() {
	if f.done || f.stage == stageBegun {
		return
	}
	if h, ok := f.begun(); ok {
		if f.stage == stagePrepared || len(h.Voters) > 0 {
			f.join(h)
		}
		return // it may be that this node is named: who runs says it as soon as its own log is loaded
	}
	seats := f.seats()
	if !slices.Contains(seats, int32(f.o.Self.ID)) {
		return // a quorum is found, not formed
	}
	var err error
	if lowest := kafka.NodeID(seats[0]); f.o.Self.ID == lowest {
		err = f.propose(seats)
	} else if h, ok := f.heard[lowest]; ok && h.Stage == stagePrepared {
		err = f.adopt(h.Decision)
	}
	if err == nil && f.stage == stagePrepared && f.agreed(seats) {
		err = f.begin()
	}
	if err != nil {
		f.fail(err)
	}
}

// begun is a node that runs Raft, the lowest of those that say who votes, or of all when none does.
func (f *Forming) begun() (found hello, ok bool) {
	for _, h := range f.heard {
		told, better := len(h.Voters) > 0, len(found.Voters) > 0
		if h.Stage == stageBegun && (!ok || told && !better || told == better && h.Self.ID < found.Self.ID) {
			found, ok = h, true
		}
	}
	return found, ok
}

// join is for who finds a quorum that runs. Whoever has the decision by which it began, and only that, begins with it: it has
// never voted. Who has nothing and is named has lost what it had. Everybody else observes, and may be added.
func (f *Forming) join(h hello) {
	const op = "quorum.form"
	if f.o.Cluster != "" && h.Cluster != "" && h.Cluster != f.o.Cluster {
		f.fail(fault.New(op, kafka.ErrInconsistentClusterId, "node %d is of cluster %q, this node of cluster %q", h.Self.ID, h.Cluster, f.o.Cluster))
		return
	}
	switch {
	case f.stage == stagePrepared && h.Decision != nil && f.decision.ID == h.Decision.ID:
		if err := f.begin(); err != nil {
			f.fail(err)
		}
	case f.stage == stageEmpty && names(h.Voters, f.self()):
		f.fail(fault.Corruption(op, "%s is a voter of cluster %q by the word of node %d, and there is nothing in %s: acknowledged metadata is lost here; "+
			"remove this voter, delete meta.properties of its directory, and add it again", f.self(), h.Cluster, h.Self.ID, f.o.Dir))
	default:
		f.finish(Formed{Cluster: h.Cluster})
	}
}

// propose is the lowest voter's: it decides when all others were heard of, and anew when one of them lost its directory before
// the quorum began.
func (f *Forming) propose(seats []int32) error {
	d := &decision{ID: f.o.World.UUID().String(), Cluster: f.o.Cluster, WallMs: f.o.World.Now().WallMs}
	same := f.decision != nil
	for _, id := range seats {
		v := helloVoter{seatOf(f.self()), f.o.Self.Endpoints}
		if kafka.NodeID(id) != f.o.Self.ID {
			h, ok := f.heard[kafka.NodeID(id)]
			if !ok {
				return nil
			}
			v = h.Self
			if h.Stage == stageEmpty && h.Cluster != "" && d.Cluster == "" {
				d.Cluster = h.Cluster
			}
		}
		same = same && slices.Contains(f.decision.seats(), v.helloSeat)
		d.Voters = append(d.Voters, v)
	}
	if same {
		return nil
	}
	if d.Cluster == "" {
		d.Cluster = f.o.World.UUID().String()
	}
	return f.prepare(d)
}

// adopt takes the lowest voter's decision, if it means this directory and no other cluster.
func (f *Forming) adopt(d *decision) error {
	if f.decision != nil && f.decision.ID == d.ID || !names(d.seats(), f.self()) || f.o.Cluster != "" && f.o.Cluster != d.Cluster {
		return nil
	}
	return f.prepare(d)
}

// prepare makes a decision durable before it is spoken of.
func (f *Forming) prepare(d *decision) error {
	if err := d.save(f.o.FS, f.o.Dir); err != nil {
		return err
	}
	f.decision, f.stage, f.round = d, stagePrepared, 0
	f.say(slog.LevelInfo, "metadata quorum is prepared", "cluster", d.Cluster, "voters", len(d.Voters))
	f.greet() // whoever waits for this need not wait for the next round
	return nil
}

// agreed reports whether every voter has the decision.
func (f *Forming) agreed(seats []int32) bool {
	for _, id := range seats {
		h, ok := f.heard[kafka.NodeID(id)]
		if kafka.NodeID(id) != f.o.Self.ID && (!ok || h.Decision == nil || h.Decision.ID != f.decision.ID) {
			return false
		}
	}
	return true
}

// begin puts the bootstrap snapshot in place: from here on this node votes.
func (f *Forming) begin() error {
	voters, err := f.decision.voters()
	if err != nil {
		return err
	}
	if err := Format(f.o.FS, f.o.Dir, voters, kafka.Instant{WallMs: f.decision.WallMs}); err != nil {
		return err
	}
	f.stage = stageBegun
	f.say(slog.LevelInfo, "metadata quorum begins", "cluster", f.decision.Cluster, "voters", len(voters))
	f.finish(Formed{Cluster: f.decision.Cluster, Votes: true})
	return nil
}
