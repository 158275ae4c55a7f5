package disk

import (
	"fmt"
	"strings"
	"sync"
)

// Event is one change of a disk in memory: a file made (OpOpen), bytes written, a file cut, a name made, changed or taken
// away, a sync. Files are known by number, for their names change.
type Event struct {
	Op   Op
	Path string // of an open file the name under which it was opened
	To   string // of a rename
	File int
	Off  int64 // of a write; the size of a truncation
	Data []byte
}

// Changes reports whether the event changes what a process sees; the others, the syncs, change only what a crash leaves.
func (e Event) Changes() bool {
	switch e.Op {
	case OpSync, OpSyncDir, OpSyncVolume, opFailSync, opFailSyncs:
		return false
	}
	return true
}

// String prints an event on one line, for golden files.
func (e Event) String() string {
	op := string(e.Op)
	if e.Op == OpOpen {
		op = "create"
	}
	c := Call{Op: Op(op), Path: e.Path, To: e.To, Off: e.Off, N: len(e.Data)}
	return c.String()
}

// Journal is what changed on a disk since Record, and the disk as it was then.
type Journal struct {
	before *Mem
	mu     sync.Mutex
	events []Event
}

// Record begins a journal of m. The files that are there keep their numbers in it.
func (m *Mem) Record() *Journal {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.journal = nil
	j := &Journal{before: m.twin()}
	m.journal = j
	return j
}

// note adds an event to the journal when there is one.
func (m *Mem) note(e Event) {
	j := m.journal
	if j == nil {
		return
	}
	j.mu.Lock()
	j.events = append(j.events, e)
	j.mu.Unlock()
}

// Len returns how many events there are; the next one has this number.
func (j *Journal) Len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.events)
}

// Events returns the events from one number to another.
func (j *Journal) Events(from, to int) []Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.events[from:to:to]
}

// Replay goes through the journal from its beginning.
func (j *Journal) Replay() *Replay {
	j.before.mu.Lock()
	m := j.before.twin()
	j.before.mu.Unlock()
	r := &Replay{journal: j, mem: m}
	r.collect(m.root, map[*memDir]bool{})
	return r
}

// Replay is a disk as it was at one moment of a journal.
type Replay struct {
	journal *Journal
	mem     *Mem
	files   []*memFile // by number
	at      int
}

// collect finds the files that were there when the journal began, those included that only a crash would bring back.
func (r *Replay) collect(d *memDir, seen map[*memDir]bool) {
	if seen[d] {
		return
	}
	seen[d] = true
	d.each(func(n any) {
		switch n := n.(type) {
		case *memDir:
			r.collect(n, seen)
		case *memFile:
			r.keep(n)
		}
	})
}

func (r *Replay) keep(f *memFile) {
	for len(r.files) <= f.id {
		r.files = append(r.files, nil)
	}
	r.files[f.id] = f
}

// At returns how many events have happened.
func (r *Replay) At() int { return r.at }

// To goes on until n events have happened. Events for which skip says so do not happen; nil skips none.
func (r *Replay) To(n int, skip func(i int, e Event) bool) {
	for _, e := range r.journal.Events(r.at, n) {
		if skip == nil || !skip(r.at, e) {
			r.step(e)
		}
		r.at++
	}
}

// step makes one event happen. It worked when it was noted, so it works again.
func (r *Replay) step(e Event) {
	m := r.mem
	parts := clean(e.Path)
	switch e.Op {
	case OpWrite:
		r.files[e.File].write(e.Data, e.Off)
		return
	case OpTruncate:
		r.files[e.File].truncate(e.Off)
		return
	case OpSync:
		r.files[e.File].sync()
		return
	case opFailSync:
		r.files[e.File].failSync()
		return
	case OpSyncVolume:
		m.syncAll()
		return
	case opFailSyncs:
		m.failSyncs()
		return
	case OpRename:
		if err := m.Rename(e.Path, e.To); err != nil {
			panic("replay: " + err.Error())
		}
		return
	case OpSyncDir:
		if err := m.SyncDir(e.Path); err != nil {
			panic("replay: " + err.Error())
		}
		return
	}
	d, err := m.dir("replay", e.Path, parts[:len(parts)-1])
	if err != nil {
		panic(err.Error())
	}
	name := parts[len(parts)-1]
	switch e.Op {
	case OpOpen:
		f := &memFile{id: e.File}
		r.keep(f)
		d.change(set(name, f))
	case OpMkdirAll:
		d.change(set(name, newMemDir()))
	case OpRemove:
		d.change(set(name, nil))
	}
}

// Script prints events a line each; writes that follow each other in one file are one line.
func (j *Journal) Script(from, to int) string {
	var b strings.Builder
	last := -1
	for _, e := range j.Events(from, to) {
		if e.Op != OpWrite {
			last = -1
			fmt.Fprintln(&b, e)
			continue
		}
		if e.File != last {
			fmt.Fprintf(&b, "write %s\n", e.Path)
		}
		last = e.File
	}
	return b.String()
}

// Mem returns the disk as a process sees it at this moment, unsynced what is unsynced; what is done to it the replay does not see.
func (r *Replay) Mem() *Mem {
	r.mem.mu.Lock()
	defer r.mem.mu.Unlock()
	return r.mem.twin()
}

// Images lists the images that a crash at this moment may leave. They are valid until the replay goes on.
func (r *Replay) Images() *Images { return r.mem.Images() }
