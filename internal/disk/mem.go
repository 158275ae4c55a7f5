package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"sort"
	"strings"
	"sync"
)

// Mem is a file system in memory that knows what a crash could take: for every file the writes since its last sync, for
// every directory the name changes since its last SyncDir. Images numbers everything that a crash may leave; Crash,
// PowerCut and Killed give what the next process finds. Record keeps a journal, to go through a story crash by crash.
type Mem struct {
	mu      sync.Mutex // names; a node's bytes have their own
	root    *memDir
	locks   map[string]bool
	journal *Journal // nil while nobody records
	files   int      // made so far; the next one's number in the journal
}

// NewMem returns an empty file system with a root directory.
func NewMem() *Mem { return &Mem{root: newMemDir(), locks: map[string]bool{}} }

// memDir is a directory: what its names are now, and how they came to be since the last SyncDir.
type memDir struct {
	names   map[string]any // *memDir or *memFile
	durable map[string]any // at the last SyncDir; nil while nothing has changed since
	changes []nameChange   // since durable, in order
}

// nameChange is one atomic step: names set to nodes, or taken away with a nil.
type nameChange []struct {
	name string
	node any
}

func newMemDir() *memDir { return &memDir{names: map[string]any{}} }

// after returns the names as they are when some changes survive.
func (d *memDir) after(keep survivors) map[string]any {
	if !keep.some && keep.first == len(d.changes) {
		return d.names
	}
	names := maps.Clone(d.durable)
	for i, c := range d.changes {
		if keep.has(i) {
			c.apply(names)
		}
	}
	return names
}

func (d *memDir) change(c nameChange) {
	if len(d.changes) == 0 {
		d.durable = maps.Clone(d.names)
	}
	c.apply(d.names)
	d.changes = append(d.changes, c)
}

func (c nameChange) apply(names map[string]any) {
	for _, s := range c {
		if s.node == nil {
			delete(names, s.name)
		} else {
			names[s.name] = s.node
		}
	}
}

func set(name string, node any) nameChange {
	return nameChange{{name, node}}
}

func clean(p string) []string {
	p = strings.Trim(path.Clean("/"+p), "/")
	if p == "" {
		return nil
	}
	return strings.Split(p, "/")
}

func fail(op, p string, err error) error { return &fs.PathError{Op: op, Path: p, Err: err} }

var (
	errNotDir   = errors.New("not a directory")
	errIsDir    = errors.New("is a directory")
	errNotEmpty = errors.New("directory not empty")
)

func (d *memDir) sync() { d.durable, d.changes = nil, nil }

// newFile makes an empty file. Called with the mutex held.
func (m *Mem) newFile(p string) *memFile {
	f := &memFile{id: m.files}
	m.files++
	m.note(Event{Op: OpOpen, Path: p, File: f.id})
	return f
}

// dir walks to a directory.
func (m *Mem) dir(op, p string, parts []string) (*memDir, error) {
	d := m.root
	for _, part := range parts {
		n, ok := d.names[part]
		if !ok {
			return nil, fail(op, p, fs.ErrNotExist)
		}
		if d, ok = n.(*memDir); !ok {
			return nil, fail(op, p, errNotDir)
		}
	}
	return d, nil
}

// parent walks to the directory of a name.
func (m *Mem) parent(op, p string) (*memDir, string, error) {
	parts := clean(p)
	if len(parts) == 0 {
		return nil, "", fail(op, p, fs.ErrInvalid)
	}
	d, err := m.dir(op, p, parts[:len(parts)-1])
	return d, parts[len(parts)-1], err
}

// Open opens or creates a file.
func (m *Mem) Open(p string, flags Flag) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, name, err := m.parent("open", p)
	if err != nil {
		return nil, err
	}
	n, ok := d.names[name]
	switch {
	case !ok && flags&Create == 0:
		return nil, fail("open", p, fs.ErrNotExist)
	case !ok:
		n = m.newFile(p)
		d.change(set(name, n))
	case flags&Exclusive != 0:
		return nil, fail("open", p, fs.ErrExist)
	}
	f, ok := n.(*memFile)
	if !ok {
		return nil, fail("open", p, errIsDir)
	}
	h := &memHandle{mem: m, node: f, name: p, writable: flags&Write != 0}
	if size, _ := h.Size(); flags&Trunc != 0 && size > 0 {
		if err := h.Truncate(0); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// Rename replaces atomically within a directory; across directories it is two steps, as POSIX leaves it.
func (m *Mem) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	fd, fname, err := m.parent("rename", from)
	if err != nil {
		return err
	}
	td, tname, err := m.parent("rename", to)
	if err != nil {
		return err
	}
	n, ok := fd.names[fname]
	if !ok {
		return fail("rename", from, fs.ErrNotExist)
	}
	if err := replaceable(n, td.names[tname]); err != nil {
		return fail("rename", to, err)
	}
	if fd == td && fname == tname {
		return nil
	}
	m.note(Event{Op: OpRename, Path: from, To: to})
	if fd == td {
		fd.change(nameChange{{fname, nil}, {tname, n}})
		return nil
	}
	td.change(set(tname, n))
	fd.change(set(fname, nil))
	return nil
}

// replaceable tells why a node cannot take the name of another, as POSIX has it.
func replaceable(n, old any) error {
	_, dir := n.(*memDir)
	oldDir, overDir := old.(*memDir)
	switch {
	case old == nil || old == n:
		return nil
	case dir && !overDir:
		return errNotDir
	case !dir && overDir:
		return errIsDir
	case overDir && len(oldDir.names) > 0:
		return errNotEmpty
	}
	return nil
}

// Remove removes a file or an empty directory.
func (m *Mem) Remove(p string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, name, err := m.parent("remove", p)
	if err != nil {
		return err
	}
	n, ok := d.names[name]
	if !ok {
		return fail("remove", p, fs.ErrNotExist)
	}
	if sub, ok := n.(*memDir); ok && len(sub.names) > 0 {
		return fail("remove", p, errNotEmpty)
	}
	m.note(Event{Op: OpRemove, Path: p})
	d.change(set(name, nil))
	return nil
}

// RemoveAll removes a tree, name after name as an operating system does, so that a crash may leave any part of it.
func (m *Mem) RemoveAll(p string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, name, err := m.parent("removeall", p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if n, ok := d.names[name]; ok {
		m.removeTree(d, name, n, p)
	}
	return nil
}

func (m *Mem) removeTree(d *memDir, name string, n any, p string) {
	if sub, ok := n.(*memDir); ok {
		for _, inner := range sortedNames(sub.names) {
			m.removeTree(sub, inner, sub.names[inner], p+"/"+inner)
		}
	}
	m.note(Event{Op: OpRemove, Path: p})
	d.change(set(name, nil))
}

// MkdirAll makes a directory and its parents.
func (m *Mem) MkdirAll(p string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.root
	at := ""
	for _, part := range clean(p) {
		at += "/" + part
		n, ok := d.names[part]
		if !ok {
			n = newMemDir()
			m.note(Event{Op: OpMkdirAll, Path: at[1:]})
			d.change(set(part, n))
		}
		if d, ok = n.(*memDir); !ok {
			return fail("mkdir", p, errNotDir)
		}
	}
	return nil
}

// List reads a directory, sorted by name.
func (m *Mem) List(p string) ([]Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, err := m.dir("list", p, clean(p))
	if err != nil {
		return nil, err
	}
	out := make([]Entry, 0, len(d.names))
	for name, n := range d.names {
		out = append(out, memEntry(name, n))
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}

func memEntry(name string, n any) Entry {
	if f, ok := n.(*memFile); ok {
		f.mu.RLock()
		defer f.mu.RUnlock()
		return Entry{Name: name, Size: f.now.size}
	}
	return Entry{Name: name, Dir: true}
}

// Stat describes one name.
func (m *Mem) Stat(p string) (Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	parts := clean(p)
	if len(parts) == 0 {
		return Entry{Name: "/", Dir: true}, nil
	}
	d, name, err := m.parent("stat", p)
	if err != nil {
		return Entry{}, err
	}
	n, ok := d.names[name]
	if !ok {
		return Entry{}, fail("stat", p, fs.ErrNotExist)
	}
	return memEntry(name, n), nil
}

// SyncDir makes a directory's names durable.
func (m *Mem) SyncDir(p string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, err := m.dir("syncdir", p, clean(p))
	if err != nil {
		return err
	}
	m.note(Event{Op: OpSyncDir, Path: p})
	d.sync()
	return nil
}

// Lock takes a lock file; a crash image has no locks.
func (m *Mem) Lock(p string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, name, err := m.parent("lock", p)
	if err != nil {
		return nil, err
	}
	key := path.Clean("/" + p)
	if m.locks[key] {
		return nil, fmt.Errorf("%s: %w", p, ErrLocked)
	}
	if _, ok := d.names[name]; !ok {
		d.change(set(name, m.newFile(p)))
	}
	m.locks[key] = true
	return memLock{m, key}, nil
}

type memLock struct {
	m   *Mem
	key string
}

func (l memLock) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	delete(l.m.locks, l.key)
	return nil
}

// memVolume is the size that Usage tells of a volume in memory, 1 TiB.
const memVolume = int64(1) << 40

// Usage tells a volume that never fills.
func (m *Mem) Usage(string) (total, usable int64, err error) { return memVolume, memVolume, nil }
