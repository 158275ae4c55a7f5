package listen

import (
	"net"
	"syscall"

	"github.com/milena-io/milena/internal/disk"
)

// outlet does with a TCP socket what net.Conn cannot: bytes that more will follow at once, so that they share a segment,
// and sections of files that never pass through this process. It is the writer's, one goroutine at a time. On connections
// that are no TCP sockets of this operating system it is shut, and everything is copied.
type outlet struct {
	raw     syscall.RawConn // nil: shut
	attempt func(socket uintptr) bool
	moved   func(n int) // is told of progress

	// What is being sent: either bytes or a section.
	bytes []byte
	file  int
	pos   int64
	left  int64
	err   error
}

// sendfileStep is the most that is asked of one sendfile. A call that is satisfied shows the reaper that the client reads.
const sendfileStep = 1 << 20

func (o *outlet) open(nc net.Conn, moved func(n int)) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return // the connection is gone already; who writes to it will see
	}
	o.raw, o.moved = raw, moved
	o.attempt = o.try // made once: a bound method is allocated
}

// takes reports whether a file can be sent by section.
func (o *outlet) takes(f disk.File) bool {
	_, ok := f.(disk.Descriptor)
	return ok && o.raw != nil
}

// more sends bytes that more will follow. It never holds anything back that must not wait: the section comes next. It
// reports false when the outlet is shut.
func (o *outlet) more(b []byte) (bool, error) {
	if o.raw == nil {
		return false, nil
	}
	o.bytes, o.err = b, nil
	err := o.raw.Write(o.attempt)
	o.bytes = nil
	if o.err != nil {
		err = o.err
	}
	return true, err
}

// section sends n bytes of a file from a position on, and returns how many have left when it could not go on with the file;
// an error is the socket's. The offset is explicit: the file's own position is shared by all who send from it.
func (o *outlet) section(f disk.File, pos, n int64) (sent int64, err error) {
	o.file, o.pos, o.left, o.err = int(f.(disk.Descriptor).Fd()), pos, n, nil
	err = o.raw.Write(o.attempt)
	if o.err != nil {
		err = o.err
	}
	return n - o.left, err
}

// try sends until everything has left or the socket is full. It calls before it asks to wait, since the poller tells only
// of changes (golang/go#70373).
func (o *outlet) try(socket uintptr) bool {
	for {
		var n int
		var err error
		switch {
		case len(o.bytes) > 0:
			n, err = syscall.SendmsgN(int(socket), o.bytes, nil, nil, syscall.MSG_MORE)
			o.bytes = o.bytes[max(n, 0):]
		case o.left > 0:
			n, err = syscall.Sendfile(int(socket), o.file, &o.pos, int(min(o.left, sendfileStep)))
			o.left -= int64(max(n, 0))
			if n == 0 && err == nil {
				return true // the file ends early
			}
		default:
			return true
		}
		if n > 0 {
			o.moved(n)
		}
		switch err {
		case nil, syscall.EINTR:
		case syscall.EAGAIN:
			return false
		case syscall.EIO, syscall.EINVAL, syscall.ENOSYS, syscall.EOVERFLOW:
			if len(o.bytes) == 0 {
				return true // the file's, not the socket's: who copies the rest will find out
			}
			o.err = err
			return true
		default:
			o.err = err
			return true
		}
	}
}
