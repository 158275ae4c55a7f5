package groups

import (
	"slices"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

// generations holds G2: generations don't go back, also across coordinators, and one generation has one assignment. Of
// KIP-848's epochs who joins gets none below what others had, and nobody's own goes back.
func (g *group) generations() {
	given := g.timeline(func(e *history.GroupOp) (int64, bool) { return int64(e.Generation), ok(e, history.GroupAssign) })
	own := map[string]*history.Timeline{}
	type one struct {
		member     string
		generation int32
	}
	assigned := map[one]*history.GroupOp{}
	for _, e := range g.events {
		if !ok(e, history.GroupJoin, history.GroupAssign) {
			continue
		}
		before := given
		if e.Consumer && e.F == history.GroupAssign {
			if own[e.Member] == nil {
				own[e.Member] = g.timeline(func(x *history.GroupOp) (int64, bool) {
					return int64(x.Generation), x.Member == e.Member && ok(x, history.GroupAssign, history.GroupJoin)
				})
			}
			before = own[e.Member]
		}
		if to, by, found := before.Before(e.Invoke); found && int64(e.Generation) < to {
			g.add("G2 generation", []*history.GroupOp{g.events[by], e}, "member %s was given generation %d after member %s had been given %d", e.Member, e.Generation, g.events[by].Member, to)
		}
		if e.F != history.GroupAssign || e.Consumer {
			continue
		}
		if first := assigned[one{e.Member, e.Generation}]; first == nil {
			assigned[one{e.Member, e.Generation}] = e
		} else if !sameKeys(first.Keys, e.Keys) {
			g.add("G2 generation", []*history.GroupOp{first, e}, "generation %d gave member %s %v, and later %v", e.Generation, e.Member, first.Keys, e.Keys)
		}
	}
}

func sameKeys(a, b []history.Key) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(k history.Key) bool { return !slices.Contains(b, k) })
}

// zombies holds G4: no commit of an older generation, or of a member that was removed, is accepted.
func (g *group) zombies() {
	given := g.timeline(func(e *history.GroupOp) (int64, bool) {
		return int64(e.Generation), !e.Consumer && ok(e, history.GroupAssign)
	})
	owners := map[history.Key]*history.Timeline{}
	for _, e := range g.events {
		if !ok(e, history.GroupCommit) || e.Member == "" {
			continue
		}
		if f := g.removed(e); f != nil {
			g.add("G4 zombie-commit", []*history.GroupOp{f, e}, "a commit of member %s was accepted after the coordinator had removed it", e.Member)
			continue
		}
		if !e.Consumer {
			if to, by, found := given.Before(e.Invoke); found && int64(e.Generation) < to {
				g.add("G4 zombie-commit", []*history.GroupOp{g.events[by], e}, "a commit of member %s in generation %d was accepted after generation %d had been given", e.Member, e.Generation, to)
			}
			continue
		}
		for _, m := range e.Offsets {
			if owners[m.Key] == nil {
				owners[m.Key] = g.timeline(func(x *history.GroupOp) (int64, bool) {
					return int64(x.Generation), ok(x, history.GroupAssign) && slices.Contains(x.Keys, m.Key)
				})
			}
			if to, by, found := owners[m.Key].Before(e.Invoke); found && to > int64(e.Generation) && g.events[by].Member != e.Member {
				g.add("G4 zombie-commit", []*history.GroupOp{g.events[by], e}, "a commit of member %s in epoch %d for %v was accepted after member %s had it in epoch %d",
					e.Member, e.Generation, m.Key, g.events[by].Member, to)
				break
			}
		}
	}
}

// removed returns the event by which a member had been removed before another event began, unless it may have joined again.
func (g *group) removed(e *history.GroupOp) *history.GroupOp {
	var out *history.GroupOp
	for _, x := range g.events {
		if x.Member == e.Member && ok(x, history.GroupFenced) && x.Complete < e.Invoke && (out == nil || x.Complete > out.Complete) {
			out = x
		}
	}
	if out == nil {
		return nil
	}
	for _, x := range g.events {
		if x.Member == e.Member && x.F == history.GroupJoin && x.Kind != history.Fail && x.Invoke < e.Complete && x.Done() > out.Invoke {
			return nil
		}
	}
	return out
}

// coordinators holds G7: what a coordinator accepts into the group's log it accepts in the newest epoch, and an epoch has one
// coordinator.
func (g *group) coordinators() {
	accepted := func(e *history.GroupOp) bool {
		return e.Epoch != kafka.NoLeaderEpoch && ok(e, history.GroupAssign, history.GroupCommit)
	}
	newest := g.timeline(func(e *history.GroupOp) (int64, bool) { return int64(e.Epoch), accepted(e) })
	nodes := map[kafka.LeaderEpoch]*history.GroupOp{}
	for _, e := range g.events {
		if !accepted(e) {
			continue
		}
		if to, by, found := newest.Before(e.Invoke); found && int64(e.Epoch) < to {
			g.add("G7 two-coordinators", []*history.GroupOp{g.events[by], e}, "node %d accepted a %v in epoch %d after node %d had accepted one in epoch %d",
				e.Coordinator, e.F, e.Epoch, g.events[by].Coordinator, to)
		}
		if first := nodes[e.Epoch]; first == nil {
			nodes[e.Epoch] = e
		} else if first.Coordinator != e.Coordinator {
			g.add("G7 two-coordinators", []*history.GroupOp{first, e}, "nodes %d and %d both accepted in epoch %d", first.Coordinator, e.Coordinator, e.Epoch)
		}
	}
}
