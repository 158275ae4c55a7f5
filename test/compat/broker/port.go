package broker

import (
	"fmt"
	"net"
)

// FreePort finds a port on 127.0.0.1 nobody listens on. Another process can take it before the broker does; then the
// broker does not start and says so, which is rare enough and never silent.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("no free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
