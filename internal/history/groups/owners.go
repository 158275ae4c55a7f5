package groups

import (
	"cmp"
	"slices"

	"github.com/milena-io/milena/internal/history"
)

// hold is one member's ownership of a key: from when it was told to when it let go, or was removed.
type hold struct {
	key      history.Key
	member   string
	by       *history.GroupOp
	from, to int64
}

// owners holds G1: a partition has one owner in a generation, and a new owner begins only after the old one let go or was
// removed; and G5: once all is quiet every partition gets an owner.
func (g *group) owners() {
	g.oneEach()
	holds := g.holds()
	if g.options.Witness {
		g.handovers(holds)
	}
	g.converged(holds)
}

// oneEach looks at each generation for itself.
func (g *group) oneEach() {
	type share struct {
		key        history.Key
		generation int32
	}
	owner := map[share]*history.GroupOp{}
	for _, e := range g.events {
		if !ok(e, history.GroupAssign) {
			continue
		}
		for _, k := range e.Keys {
			at := share{k, e.Generation}
			if first := owner[at]; first == nil {
				owner[at] = e
			} else if first.Member != e.Member {
				g.add("G1 two-owners", []*history.GroupOp{first, e}, "members %s and %s both own %v in generation %d", first.Member, e.Member, k, e.Generation)
			}
		}
	}
}

// holds returns the ownerships in the order of their beginnings. A member lets go when it says so, leaves, is told that it owns
// less, or is removed.
func (g *group) holds() []hold {
	byTime := slices.Clone(g.events)
	when := func(e *history.GroupOp) int64 {
		if e.F == history.GroupAssign {
			return e.Complete
		}
		return e.Invoke // a member stops before it tells
	}
	slices.SortStableFunc(byTime, func(a, b *history.GroupOp) int { return cmp.Compare(when(a), when(b)) })
	var out []hold
	open := map[string]map[history.Key]int{} // member, key: index in out
	release := func(member string, at int64, which func(history.Key) bool) {
		for k, i := range open[member] { // each for itself
			if which(k) {
				out[i].to = at
				delete(open[member], k)
			}
		}
	}
	for _, e := range byTime {
		switch {
		case e.F == history.GroupLeave && e.Kind != history.Fail, ok(e, history.GroupFenced):
			release(e.Member, when(e), func(history.Key) bool { return true })
		case e.F == history.GroupRevoke:
			release(e.Member, when(e), func(k history.Key) bool { return slices.Contains(e.Keys, k) })
		case ok(e, history.GroupAssign):
			release(e.Member, when(e), func(k history.Key) bool { return !slices.Contains(e.Keys, k) })
			if open[e.Member] == nil {
				open[e.Member] = map[history.Key]int{}
			}
			for _, k := range e.Keys {
				if _, has := open[e.Member][k]; !has {
					open[e.Member][k] = len(out)
					out = append(out, hold{key: k, member: e.Member, by: e, from: e.Complete, to: history.Never})
				}
			}
		}
	}
	return out
}

// handovers looks for two that own a key at one time.
func (g *group) handovers(holds []hold) {
	last := map[history.Key]hold{} // the one that lasts longest so far
	for _, h := range holds {
		before, found := last[h.key]
		if found && before.member != h.member && before.to > h.from {
			g.add("G1 two-owners", []*history.GroupOp{before.by, h.by}, "member %s was given %v in generation %d while member %s, which had it from generation %d, neither let go nor was removed",
				h.member, h.key, h.by.Generation, before.member, before.by.Generation)
		}
		if !found || h.to > before.to || before.to <= h.from {
			last[h.key] = h
		}
	}
}

// converged is G5.
func (g *group) converged(holds []hold) {
	o := g.options
	end := int64(0)
	for _, e := range g.events {
		end = max(end, e.Invoke)
	}
	if o.Converge <= 0 || end < o.Stable+int64(o.Converge) {
		return
	}
	for _, k := range o.Keys[g.name] {
		if !slices.ContainsFunc(holds, func(h hold) bool { return h.key == k && h.to == history.Never }) {
			g.add("G5 convergence", nil, "nobody owns %v, %v after everything was quiet", k, o.Converge)
		}
	}
}

// expired holds G6: offsets are removed for their age only from a group that has been empty for the time they are kept.
func (g *group) expired() {
	if g.options.Retention <= 0 {
		return
	}
	for _, e := range g.events {
		if !ok(e, history.GroupExpire) {
			continue
		}
		since, by, live := g.emptySince(e)
		switch {
		case live != nil:
			g.add("G6 expired-early", []*history.GroupOp{live, e}, "offsets were removed for their age while member %s was there", live.Member)
		case by != nil && e.Complete-since < int64(g.options.Retention):
			g.add("G6 expired-early", []*history.GroupOp{by, e}, "offsets were removed for their age before the group had been empty, or they had been there, for %v", g.options.Retention)
		}
	}
}

// emptySince returns since when a group was empty at an event, and by which event, or a member that is there. A group that never
// had members counts from its last commit.
func (g *group) emptySince(at *history.GroupOp) (since int64, by, live *history.GroupOp) {
	there := map[string]*history.GroupOp{}
	members := false
	for _, e := range g.events {
		if e.Done() >= at.Invoke {
			continue
		}
		switch e.F {
		case history.GroupJoin, history.GroupAssign:
			there[e.Member], members = e, true
		}
	}
	for _, e := range g.events {
		if e.Invoke >= at.Complete || e.Kind == history.Fail {
			continue
		}
		gone := e.F == history.GroupLeave || e.F == history.GroupFenced
		if in := there[e.Member]; gone && in != nil && e.Invoke >= in.Invoke {
			delete(there, e.Member)
		}
		if (gone && members || !members && e.F == history.GroupCommit) && e.Done() < at.Invoke {
			if by == nil || e.Invoke > since {
				since, by = e.Invoke, e
			}
		}
	}
	for _, e := range g.events { // in the order of events, not of the map
		if there[e.Member] == e {
			return 0, nil, e
		}
	}
	return since, by, nil
}
