package partition

import (
	"sync/atomic"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/must"
)

// Place is the log directory that a replica moves to, as the owner of the directories sees it. What it does may wait for the
// disk; it is asked by one caller at a time, without locks.
type Place interface {
	Env() *Env
	// Open opens the copy, and goes on with what an earlier move has left of it. Discard removes one that is not open.
	Open(c log.Config) (*log.Log, error)
	Discard() error
	// Room tells why no so many bytes may be copied now; nil when they may.
	Room(bytes int) error
	// Waits hears why the move does not go on for a while.
	Waits(why error)
	// Pace tells how many bytes to copy at a time, and how long to wait after some were.
	Pace() (bytes int)
	Wait(moved int64) time.Duration
	// Told reports whether the controller knows that the replica is about to live there, and tells it when nobody did yet.
	Told() bool
	// Prepare, Promote and Promoted make the copy, which is closed, the log (log.Dir); Settle follows when the old one is gone.
	Prepare(at log.Checkpointed) error
	Promote() (begun bool, err error)
	Promoted(c log.Config) (*log.Log, error)
	Settle() error
	// Over reports whether nothing may be done any more: the node has given up, or the directory has.
	Over() bool
}

// Move is a replica on its way to another log directory: it is copied beside everything else, step by step on the World, and
// when the copy has caught up and the controller knows, writers wait for the moment that it takes to close the copy and to
// rename it. Until the renaming the old log is the log, and afterwards the copy; see log.Promote for what a crash leaves.
type Move struct {
	p     *Partition
	place Place
	done  func(Moved)

	// These are the chain's, which is one step at a time.
	source    *log.Log
	copying   *log.Copy
	unflushed int64

	// These are under the partition's mutex.
	still   bool // nobody writes: the copy is becoming the log
	quiet   func()
	parked  []func() // writers that wait; each is called with the mutex held and gives it back
	waiting int      // bytes of records that they hold

	// These are asked, and fate is sealed, without the partition's mutex, which may be held for as long as a recovery or a disk takes.
	fate atomic.Uint32
	copy atomic.Pointer[log.Log] // nil until it is open
}

// What Move.fate holds.
const (
	cancelled = 1 << iota
	turned    // there is no way back
)

// turns makes sure that there is no way back, unless the move was cancelled before.
func (m *Move) turns() bool {
	for {
		was := m.fate.Load()
		if was&cancelled != 0 {
			return false
		}
		if m.fate.CompareAndSwap(was, was|turned) {
			return true
		}
	}
}

// Moved is how a move ended.
type Moved struct {
	Done  bool         // the replica lives in the other directory
	Err   error        // why it does not, unless it was cancelled or stopped
	Kept  bool         // the copy was closed cleanly, to be gone on with
	End   kafka.Offset // of the copy
	Bytes int64        // of the log
}

const (
	moveFlushBytes = 16 << 20              // copied between two flushes
	movePoll       = 10 * time.Millisecond // between looks at a log that has been caught up with
	moveRetry      = time.Second           // between looks at a directory without room
	moveParkedMost = 64 << 20              // bytes of records that may wait for the copy to become the log
)

// StartMove begins to move a replica; done is called once. One at a time; a Stop of the partition ends it and keeps the copy.
func StartMove(p *Partition, place Place, done func(Moved)) *Move {
	m := &Move{p: p, place: place, done: done}
	p.at().World.Go(m.enter)
	return m
}

// enter has the partition know of the move. One that was stopped before is left as it is, and so is the copy: the next start goes on with it.
func (m *Move) enter() {
	p := m.p
	p.mu.Lock()
	stopped := fault.IsKind(p.gone, fault.Closed)
	if !stopped {
		must.Hold(p.ending.move == nil, "%s is moving already", p.name)
		p.ending.move = m
	}
	p.mu.Unlock()
	if stopped {
		m.done(Moved{})
		return
	}
	m.begin()
}

// Cancel gives the move up: the copy goes, the old log stays. A copy that is becoming the log at this moment does.
func (m *Move) Cancel() { m.fate.Or(cancelled) }

func (m *Move) cancelled() bool { return m.fate.Load()&cancelled != 0 }

// Turned reports whether the copy is the log, or may be, although the partition does not use it yet.
func (m *Move) Turned() bool { return m.fate.Load()&turned != 0 }

// Copied is how far a copy has come.
type Copied struct {
	Bytes, Lag int64 // how large it is, and how many offsets behind
}

// Copied tells how far the copy has come.
func (m *Move) Copied() (c Copied) {
	m.p.mu.Lock()
	defer m.p.mu.Unlock()
	if m.p.log != nil {
		c.Lag = int64(m.p.log.Offsets().End)
	}
	if l := m.copy.Load(); l != nil {
		c.Bytes, c.Lag = l.Size(), c.Lag-int64(l.Offsets().End)
	}
	c.Lag = max(c.Lag, 0)
	return c
}

// Recovery is where the recovery point of the copy may stand; 0 while it is not open. It waits for nothing of the directory that the replica
// leaves, whose disk may hang.
func (m *Move) Recovery() kafka.Offset {
	if l := m.copy.Load(); l != nil {
		return log.Recoverable(l)
	}
	return 0
}

// ends ends a move that is not to go on, and reports whether it did.
func (m *Move) ends() bool {
	m.p.mu.Lock()
	over := m.cancelled() || m.p.gone != nil
	m.p.mu.Unlock()
	if over || m.place.Over() {
		m.leave(nil)
		return true
	}
	return false
}

func (m *Move) after(d time.Duration, f func()) {
	if d <= 0 {
		m.p.at().World.Go(f)
		return
	}
	m.p.at().World.After(d, f)
}

// begin opens both logs.
func (m *Move) begin() {
	if m.ends() {
		return
	}
	p := m.p
	p.mu.Lock()
	err := p.ready()
	source, c := p.log, p.cfg.Log
	if err == nil && source.Size() == 0 {
		err = log.Settle(source) // so that a start finds the log in the old directory also when the metadata says the new one
	}
	p.mu.Unlock()
	if err != nil {
		m.end(Moved{Err: err}) // the copy, if there is one, may be all that is left
		return
	}
	if !m.room(moveFlushBytes, m.begin) {
		return
	}
	c.Keep.Delete = false // the copy follows the log, which retention judges
	l, err := m.place.Open(c)
	if err != nil {
		m.failed(err)
		return
	}
	m.source, m.copying, m.unflushed = source, log.NewCopy(source, l), 0
	m.copy.Store(l)
	m.step()
}

// step copies a piece.
func (m *Move) step() {
	if m.ends() {
		return
	}
	size := m.place.Pace()
	if !m.room(size, m.step) {
		return
	}
	moved, caught, err := m.copying.Step(m.p.at().World.Now(), size)
	if err != nil {
		m.failed(err)
		return
	}
	m.unflushed += moved
	l := m.copy.Load()
	targets, upTo := l.Dirty()
	if len(targets) == 0 || m.unflushed < moveFlushBytes && !caught {
		m.next(moved, caught)
		return
	}
	m.place.Env().Flusher.Flush(targets, func(err error) {
		if err != nil {
			m.failed(fault.Storage("flush of a copy of "+m.p.name.String(), err))
			return
		}
		l.Flushed(upTo)
		m.unflushed = 0
		m.next(moved, caught)
	})
}

// next goes on after a step.
func (m *Move) next(moved int64, caught bool) {
	wait := m.place.Wait(moved)
	if !caught {
		m.pause(wait)
		return
	}
	if !m.place.Told() {
		m.pause(max(wait, movePoll))
		return
	}
	m.freeze()
}

// pause waits before the next step, and not on when the move is called back.
func (m *Move) pause(d time.Duration) {
	if d <= movePoll {
		m.after(d, m.step)
		return
	}
	m.after(movePoll, func() {
		if !m.ends() {
			m.pause(d - movePoll)
		}
	})
}

// room reports whether there is room for so many bytes; where there is none it tries again later.
func (m *Move) room(bytes int, again func()) bool {
	err := m.place.Room(bytes)
	if err == nil {
		return true
	}
	m.place.Waits(err)
	m.after(moveRetry, again)
	return false
}

// failed deals with an error of a step: what cannot be copied ends the move, a directory that fails is lost, and for anything
// else, such as room or descriptors, it waits.
func (m *Move) failed(err error) {
	source := m.copying != nil && m.copying.Source
	switch {
	case fault.IsKind(err, fault.Corrupt):
		m.leave(err)
		return
	case source:
		unreadable(m.p, err) // the move is over when the old directory is
	case fault.IsKind(err, fault.Disk):
		m.place.Env().Failed(err)
		m.leave(err)
		return
	}
	m.place.Waits(err)
	m.after(moveRetry, m.again)
}

// again goes on where it was, with a copy that may have been closed.
func (m *Move) again() {
	if l := m.copy.Swap(nil); l != nil {
		l.Abandon()
	}
	m.begin()
}

// leave ends a move that has not come to its end, and does with the copy what the reason asks for: with a directory that
// failed or a node that stops it stays, to be gone on with by the next start.
func (m *Move) leave(err error) {
	p := m.p
	p.mu.Lock()
	l, gone, back := m.copy.Load(), p.gone, m.cancelled()
	p.mu.Unlock()
	out := Moved{Err: err}
	switch {
	case m.place.Over():
		if l != nil {
			l.Abandon()
		}
	case !back && (fault.IsKind(gone, fault.Closed) || fault.IsKind(gone, fault.Disk) || fault.IsKind(err, fault.Disk)):
		if l != nil {
			err = l.Close(p.at().World.Now())
			out.Kept, out.End = err == nil, l.Offsets().End
		}
	case l != nil:
		err = l.Delete()
	default:
		err = m.place.Discard()
	}
	if err != nil && fault.IsKind(err, fault.Disk) {
		m.place.Env().Failed(err)
	}
	m.end(out)
}

// end lets go of the partition, and of a Stop that waits for this.
func (m *Move) end(out Moved) {
	p := m.p
	m.thaw()
	p.mu.Lock()
	p.ending.move = nil
	if p.ending.done != nil && p.log != nil {
		p.flushAll() // of what was written when no flush could be
	}
	calls := p.ended()
	p.mu.Unlock()
	m.done(out)
	run(calls)
}
