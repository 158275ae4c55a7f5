package peer

import (
	"net"
	"syscall"
	"testing"

	"github.com/milena-io/milena/internal/must"
)

// Both ends of a connection between nodes try again each second, on a kernel that can.
func TestBothEndsTryAgainSoon(t *testing.T) {
	l := Prompt(must.Get(net.Listen("tcp", "127.0.0.1:0")))
	defer func() { _ = l.Close() }()
	d := net.Dialer{Control: control}
	dialed := must.Get(d.Dial("tcp", l.Addr().String()))
	defer func() { _ = dialed.Close() }()
	accepted := must.Get(l.Accept())
	defer func() { _ = accepted.Close() }()
	for name, c := range map[string]net.Conn{"dialed": dialed, "accepted": accepted} {
		must.OK(must.Get(c.(*net.TCPConn).SyscallConn()).Control(func(socket uintptr) {
			got, err := syscall.GetsockoptInt(int(socket), syscall.IPPROTO_TCP, tcpRTOMaxMs)
			if err != nil {
				t.Skipf("this kernel has no TCP_RTO_MAX_MS: %v", err)
			}
			if got != promptMs {
				t.Errorf("%s: tries again within %d ms, want %d", name, got, promptMs)
			}
		}))
	}
}
