package crash

import (
	"fmt"
	"path"

	"github.com/milena-io/milena/internal/disk"
)

// Sync is one sync of a story's journal.
type Sync struct {
	Event   int
	Text    string // of the event
	Chapter string // the call that made it
	After   string // of a directory's: the name that changed last before it, empty when none did
}

// Syncs lists the syncs of a story, in their order.
func (s *Story) Syncs() (out []Sync) {
	after := map[string]string{}
	for i, e := range s.journal.Events(0, s.journal.Len()) {
		if e.Changes() {
			if e.Op == disk.OpRename || e.Op == disk.OpRemove || e.Op == disk.OpOpen {
				after[path.Dir(e.Path)] = e.String()
			}
			continue
		}
		y := Sync{Event: i, Text: e.String()}
		if e.Op == disk.OpSyncDir {
			y.After = after[e.Path]
			delete(after, e.Path)
		}
		for _, c := range s.chapters {
			if c.from <= i {
				y.Chapter = c.name
			}
		}
		out = append(out, y)
	}
	return out
}

// Drop takes one sync out of a story, whose disk then told success and did nothing, and looks for an image that breaks a
// promise. It returns the failure that proves the sync, nil when there is none.
func (s *Story) Drop(sc Scenario, y Sync, perMoment int) (Count, error) {
	x := &explorer{place: Place{Scenario: sc.Name, Seed: 1}, story: s}
	skip := func(i int, _ disk.Event) bool { return i == y.Event }
	until := s.again(y.Event)
	for _, later := range []bool{true, false} { // what is promised after it is what it is most likely there for
		r := s.journal.Replay()
		for _, m := range s.moments() {
			if m.events <= y.Event || m.events > until || later != (s.promises[m.promise].from > y.Event) {
				continue // before it, or after another sync has done its work, the disk is as it was
			}
			r.To(m.events, skip)
			for x.shift = range uint64(len(s.promises[m.promise].keep.Variants())) {
				if err := x.moment(r.Images(), m, perMoment); err != nil {
					return x.count, err
				}
			}
		}
	}
	return x.count, nil
}

// again finds when what a sync made durable is synced once more.
func (s *Story) again(event int) int {
	all := s.journal.Events(0, s.journal.Len())
	for i := event + 1; i < len(all); i++ {
		if e := all[i]; e.Op == all[event].Op && (e.Op == disk.OpSync && e.File == all[event].File || e.Op == disk.OpSyncDir && e.Path == all[event].Path) {
			return i
		}
	}
	return len(all)
}

// Trace prints a story's calls, each with the files that it wrote and synced and the names it changed, in their order.
func (s *Story) Trace() string {
	text := ""
	for i, c := range s.chapters {
		to := s.journal.Len()
		if i+1 < len(s.chapters) {
			to = s.chapters[i+1].from
		}
		text += fmt.Sprintf("# %s\n%s", c.name, s.journal.Script(c.from, to))
	}
	return text
}
