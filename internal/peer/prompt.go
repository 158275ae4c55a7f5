package peer

import (
	"net"
	"syscall"
)

// promptMs is the longest that a connection lets pass between two tries to deliver the same bytes, ms. Left alone, the kernel waits twice
// as long after each try (RFC 6298), so that a cut of the network of six seconds lasts twelve for who sat in it. One second is the least
// that Linux takes.
const promptMs = 1000

// Prompt has the connections that a listener accepts try again at least each second what the other side did not get. Where the kernel
// doesn't know how (Linux before 6.15, other systems), they are as they were.
func Prompt(l net.Listener) net.Listener { return prompter{l} }

type prompter struct{ net.Listener }

// Accept implements net.Listener.
func (p prompter) Accept() (net.Conn, error) {
	nc, err := p.Listener.Accept()
	if s, ok := nc.(syscall.Conn); ok && err == nil {
		if raw, err := s.SyscallConn(); err == nil {
			prompt(raw)
		}
	}
	return nc, err
}

// control does the same to a connection that is about to be made, and to its making.
func control(_, _ string, raw syscall.RawConn) error {
	prompt(raw)
	return nil
}
