package disk

import (
	"io/fs"
	"strings"
	"sync"
	"syscall"
)

// What devices fail with.
const (
	ErrIO      = syscall.EIO
	ErrNoSpace = syscall.ENOSPC
)

// Fault says which calls fail, and how.
type Fault struct {
	Op   Op     // empty: any
	Path string // a part of the path; empty: any
	Skip int    // matching calls that still work
	// Times is how many calls fail after that; zero means all of them.
	Times int
	Err   error  // what they fail with; nil: they don't, and are only slow
	Keep  int    // of a write: bytes that reach the file all the same
	Slow  func() // runs before the call: a device that takes its time
}

// Faulty is a file system that fails on purpose.
type Faulty struct {
	hooked
	mu     sync.Mutex
	faults []*Fault
}

// NewFaulty wraps a file system; it works until faults are added.
func NewFaulty(inner FS) *Faulty {
	f := &Faulty{}
	f.hooked = hooked{inner, f.call}
	return f
}

// Add adds a fault. Of several that match a call, the first one added decides.
func (f *Faulty) Add(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, &fault)
}

// Heal takes all faults away.
func (f *Faulty) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

func (f *Faulty) call(c Call) (int, error) {
	hit, ok := f.match(c)
	if !ok {
		return 0, nil
	}
	if hit.Slow != nil {
		hit.Slow()
	}
	if hit.Err == nil {
		return 0, nil
	}
	return hit.Keep, &fs.PathError{Op: string(c.Op), Path: c.Path, Err: hit.Err}
}

func (f *Faulty) match(c Call) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, fault := range f.faults {
		if fault.Op != "" && fault.Op != c.Op || !strings.Contains(c.Path, fault.Path) {
			continue
		}
		if fault.Skip > 0 {
			fault.Skip--
			return Fault{}, false
		}
		hit := *fault
		if fault.Times > 0 {
			if fault.Times--; fault.Times == 0 {
				f.faults = append(f.faults[:i:i], f.faults[i+1:]...)
			}
		}
		return hit, true
	}
	return Fault{}, false
}
