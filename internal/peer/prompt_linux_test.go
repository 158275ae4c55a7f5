package peer

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/milena-io/milena/internal/must"
)

// Both ends of a connection between nodes try again each second, on a kernel that can; on any other they are connected all the same.
func TestBothEndsTryAgainSoon(t *testing.T) {
	l := Prompt(must.Get(net.Listen("tcp", "127.0.0.1:0")))
	defer func() { _ = l.Close() }()
	d := net.Dialer{Control: control}
	dialed := must.Get(d.Dial("tcp", l.Addr().String()))
	defer func() { _ = dialed.Close() }()
	accepted := must.Get(l.Accept())
	defer func() { _ = accepted.Close() }()
	carries(t, dialed, accepted)
	carries(t, accepted, dialed)
	for name, c := range map[string]net.Conn{"dialed": dialed, "accepted": accepted} {
		var got int
		var err error
		must.OK(must.Get(c.(*net.TCPConn).SyscallConn()).Control(func(socket uintptr) {
			got, err = syscall.GetsockoptInt(int(socket), syscall.IPPROTO_TCP, tcpRTOMaxMs)
		}))
		switch {
		case errors.Is(err, syscall.ENOPROTOOPT):
			t.Logf("%s: this kernel has no TCP_RTO_MAX_MS (Linux 6.15 has), so only what arrives was checked: %v", name, err)
		case err != nil:
			t.Errorf("%s: TCP_RTO_MAX_MS cannot be read: %v", name, err)
		case got != promptMs:
			t.Errorf("%s: tries again within %d ms, want %d", name, got, promptMs)
		}
	}
}

// carries has a byte go over a connection.
func carries(t *testing.T, from, to net.Conn) {
	t.Helper()
	must.Get(from.Write([]byte{42}))
	got := []byte{0}
	if _, err := io.ReadFull(to, got); err != nil || got[0] != 42 {
		t.Errorf("from %v to %v: %v, %v", from.LocalAddr(), to.LocalAddr(), got, err)
	}
}
