package peer

import "syscall"

// tcpRTOMaxMs is Linux's TCP_RTO_MAX_MS (uapi/linux/tcp.h, since 6.15): what bounds a socket's retransmission timeout, ms. A socket that
// is accepted does not have it from the listening one.
const tcpRTOMaxMs = 44

func prompt(raw syscall.RawConn) {
	_ = raw.Control(func(socket uintptr) {
		_ = syscall.SetsockoptInt(int(socket), syscall.IPPROTO_TCP, tcpRTOMaxMs, promptMs)
	})
}
