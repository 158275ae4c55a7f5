package groups

import (
	"math"

	"github.com/milena-io/milena/internal/history"
)

// begins is before every event: when a register got its first value, none.
const begins = math.MinInt64

// register is the committed offset of one key.
type register struct {
	key     history.Key
	writes  []access
	reads   []access
	removed bool // by age or request
}

// access is one write or read of a register, with the ID of the commit; 0 stands for no offset.
type access struct {
	id    uint64
	event *history.GroupOp
}

// again marks the ID of a commit's earlier attempt, which its client gave up before a later one was accepted. No coordinator can tell it
// from a new commit, and it may take effect at any time, once, also behind those that came after.
const again = 1 << 63

// registers holds G3, no lost commit: a fetch returns the last commit that was accepted before it began, or a later one; and
// K5: commits and fetches of a key are those of one register, in some order that agrees with time.
func (g *group) registers() {
	of := map[history.Key]*register{}
	var order []*register
	for _, e := range g.events {
		for _, m := range e.Offsets {
			r := of[m.Key]
			if r == nil {
				r = &register{key: m.Key}
				of[m.Key] = r
				order = append(order, r)
			}
			switch e.F {
			case history.GroupCommit:
				r.writes = append(r.writes, access{m.ID, e})
			case history.GroupExpire, history.GroupDelete:
				if e.Kind != history.Fail {
					r.writes, r.removed = append(r.writes, access{0, e}), true
				}
			case history.GroupFetch:
				if e.Kind == history.Ok {
					r.reads = append(r.reads, access{m.ID, e})
				}
			}
		}
	}
	for _, r := range order {
		r.attempts()
		if g.fresh(r) && !r.removed { // of several removals nobody knows which a fetch saw
			g.linearizable(r)
		}
	}
}

// attempts tells commits that were accepted from earlier attempts of the same: those have the same ID, and an outcome that nobody knows.
func (r *register) attempts() {
	accepted := map[uint64]bool{}
	for _, w := range r.writes {
		accepted[w.id] = accepted[w.id] || w.event.Kind == history.Ok
	}
	for i, w := range r.writes {
		if w.event.F == history.GroupCommit && w.event.Kind == history.Info && accepted[w.id] {
			r.writes[i].id |= again
		}
	}
}

// fresh is G3 for one register, and what a fetch can't return at all. A fetch that returns what an earlier attempt may have written late has
// its ID then.
func (g *group) fresh(r *register) (fine bool) {
	by := map[uint64]*history.GroupOp{}
	done := new(history.Timeline) // how late the last write began that was done
	for i, w := range r.writes {
		if w.id != 0 {
			by[w.id] = w.event
		}
		if w.event.Kind == history.Ok {
			done.Add(w.event.Complete, w.event.Invoke, int32(i))
		}
	}
	done.Seal()
	fine = true
	bad := func(name string, events []*history.GroupOp, format string, args ...any) {
		fine = false
		g.add(name, events, format, args...)
	}
	for n, read := range r.reads {
		e := read.event
		from := by[read.id]
		wrote := int64(begins)
		switch {
		case read.id == 0:
			wrote = r.lastRemoval(e)
		case from == nil:
			bad("K5 offset-register", []*history.GroupOp{e}, "a fetch of %v returned commit %d, which nobody made", r.key, read.id)
			continue
		case from.Kind == history.Fail:
			bad("G4 zombie-commit", []*history.GroupOp{from, e}, "the commit of member %s for %v was refused with %v, and a fetch returned it", from.Member, r.key, from.Code)
			continue
		case from.Invoke > e.Complete:
			bad("K5 offset-register", []*history.GroupOp{e, from}, "a fetch of %v returned a commit that began later", r.key)
			continue
		default:
			wrote = from.Done()
		}
		if began, i, found := done.Before(e.Invoke); found && began > wrote {
			if late := by[read.id|again]; read.id != 0 && late != nil && late.Invoke <= e.Complete {
				r.reads[n].id |= again
				continue
			}
			events := []*history.GroupOp{r.writes[i].event, e}
			if from != nil {
				events = append([]*history.GroupOp{from}, events...)
			}
			bad("G3 lost-commit", events, "commit %d of %v was accepted, and a fetch that began later returned what was before it (%d)", r.writes[i].id, r.key, read.id)
		}
	}
	return fine
}

// lastRemoval returns when the latest removal that a fetch may have seen was done.
func (r *register) lastRemoval(e *history.GroupOp) int64 {
	at := int64(begins)
	for _, w := range r.writes {
		if w.id == 0 && w.event.Invoke < e.Complete {
			at = max(at, w.event.Done())
		}
	}
	return at
}

// linearizable is K5 for one register.
func (g *group) linearizable(r *register) {
	var all []history.Access
	of := map[int]*history.GroupOp{}
	add := func(a access, write bool) {
		e := a.event
		of[e.Index] = e
		all = append(all, history.Access{ID: a.id, Write: write, Kind: e.Kind, Invoke: e.Invoke, Complete: e.Complete, Op: e.Index})
	}
	for _, a := range r.writes {
		add(a, true)
	}
	for _, a := range r.reads {
		add(a, false)
	}
	proof, fine := history.Linearizable(all)
	if fine {
		return
	}
	var events []*history.GroupOp
	for _, op := range proof {
		events = append(events, of[op])
	}
	g.add("K5 offset-register", events, "no order of the commits and fetches of %v agrees with what was returned: a value was seen before another came and after it went", r.key)
}
