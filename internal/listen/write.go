package listen

import (
	"sync"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/wire"
)

// Writes are cut into pieces of this size: it is what a stuck client holds of us, and what it has to read within Stuck.
const writeBytes = 64 << 10

// sendfileFrom is the size from which a section of a file is cheaper to send with sendfile than to copy; measured, see
// ADR 0008.
const sendfileFrom = 16 << 10

// write is the writer of the connection until the session has nothing more to write.
func (c *conn) write() {
	w := &c.writer
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		a, more := c.session.Next()
		if a == nil {
			break
		}
		w.add(a, more)
	}
	w.report() // the session has ended behind an answer that another one was to follow
	if w.buf != nil {
		w.buf.Free()
		w.buf = nil
	}
}

// writer gathers small answers that stand ready together, and the pieces of one answer, into one write. It belongs to
// whoever writes.
type writer struct {
	mu     sync.Mutex // held while somebody writes
	conn   *conn
	outlet outlet
	taken  int          // bytes of the outlet since the reaper was told of a beginning
	buf    *wire.Buffer // nil while nothing is gathered
	room   [8]*Answer
	batch  []*Answer // gathered and not reported to the session
	failed bool
}

func (w *writer) add(a *Answer, more bool) {
	if w.batch == nil {
		w.batch = w.room[:0]
	}
	w.batch = append(w.batch, a)
	p := a.Out.Payload
	if p == nil && !more && len(w.batch) == 1 {
		w.push(a.Out.Head.B)
	} else {
		w.gather(a.Out.Head.B)
		for i := 0; p != nil && i < len(p.Pieces); i++ {
			w.piece(&p.Pieces[i])
		}
	}
	if more && len(w.batch) < len(w.room) {
		return
	}
	w.flush()
	w.report()
}

// report gives back what was gathered, written or not.
func (w *writer) report() {
	for _, a := range w.batch {
		w.conn.session.Written(a)
	}
	clear(w.batch)
	w.batch = w.batch[:0]
}

func (w *writer) piece(p *wire.Piece) {
	if p.File != nil {
		w.section(p)
		return
	}
	if len(p.Bytes) < writeBytes {
		w.gather(p.Bytes)
		return
	}
	w.flush()
	w.push(p.Bytes)
}

// section sends a part of a file. Small ones are copied into the buffer, so that an answer of many partitions leaves in
// one write; from sendfileFrom on the kernel takes the bytes from the page cache.
func (w *writer) section(p *wire.Piece) {
	pos, left := p.Pos, p.Len
	if left >= sendfileFrom && w.outlet.takes(p.File) {
		w.flushMore()
		if w.failed {
			return
		}
		w.pushes()
		n, err := w.outlet.section(p.File, pos, left)
		w.conn.pushing.Store(0)
		if err != nil {
			w.fail(reasonNetwork)
			return
		}
		pos, left = pos+n, left-n
	}
	w.copy(p.File, pos, left)
}

// copy passes a part of a file through the buffer.
func (w *writer) copy(f disk.File, pos, left int64) {
	for left > 0 && !w.failed {
		room := w.space()
		n, err := f.ReadAt(room[:min(int64(len(room)), left)], pos)
		w.buf.B = w.buf.B[:len(w.buf.B)+n]
		pos, left = pos+int64(n), left-int64(n)
		if left > 0 && err != nil {
			// The length of the answer has been promised; all that is left is to break the promise visibly.
			w.conn.server.o.Log.Warn("file", "Closing the connection of "+w.conn.peer.Addr.String()+
				": cannot read what is being sent: "+err.Error(), "file", f.Name(), "position", pos)
			w.fail(reasonFile)
		}
	}
}

// space returns the free part of the buffer, which is flushed when it is full.
func (w *writer) space() []byte {
	if w.buf == nil {
		w.buf = w.conn.server.buffers.Get(writeBytes)
	}
	if len(w.buf.B) >= writeBytes {
		w.flush()
	}
	return w.buf.B[len(w.buf.B):writeBytes]
}

func (w *writer) gather(b []byte) {
	for len(b) > 0 && !w.failed {
		n := copy(w.space(), b)
		w.buf.B = w.buf.B[:len(w.buf.B)+n]
		b = b[n:]
	}
}

func (w *writer) flush() {
	if w.buf != nil {
		w.push(w.buf.B)
		w.buf.B = w.buf.B[:0]
	}
}

// flushMore writes what is gathered in front of a section that is sent from its file: the two share segments.
func (w *writer) flushMore() {
	if w.buf == nil || len(w.buf.B) == 0 || w.failed {
		return
	}
	w.pushes()
	done, err := w.outlet.more(w.buf.B)
	w.conn.pushing.Store(0)
	if !done {
		w.flush()
		return
	}
	w.buf.B = w.buf.B[:0]
	if err != nil {
		w.fail(reasonNetwork)
	}
}

// push writes, and lets the reaper see since when nothing has gone out.
func (w *writer) push(b []byte) {
	c := w.conn
	for len(b) > 0 && !w.failed {
		w.pushes()
		n, err := c.nc.Write(b[:min(len(b), writeBytes)])
		c.touch()
		c.pushing.Store(0)
		c.server.o.Observer.Sent(c.peer, n)
		b = b[n:]
		if err != nil {
			w.fail(reasonNetwork)
		}
	}
}

// pushes tells the reaper that a write begins.
func (w *writer) pushes() {
	w.taken = 0
	w.conn.pushing.Store(int64(w.conn.server.o.World.Now().Mono))
}

// moved tells that the outlet has got rid of bytes. A client that has taken a piece of writeBytes has its time anew.
func (w *writer) moved(n int) {
	c := w.conn
	c.touch()
	c.server.o.Observer.Sent(c.peer, n)
	if w.taken += n; w.taken >= writeBytes {
		w.taken = 0
		c.pushing.Store(c.active.Load())
	}
}

func (w *writer) fail(reason string) {
	w.failed = true
	w.conn.cut(reason)
}

// idleFor returns how long no byte has moved.
func (c *conn) idleFor(now time.Duration) time.Duration { return now - time.Duration(c.active.Load()) }
