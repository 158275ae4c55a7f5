package broker

import (
	"fmt"
	"math/rand/v2"
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

// steadyPorts finds n ports below those that Linux takes for connections from: while a node of a cluster is down, nobody who
// connects gets its port, least of all the one who tries to reach it.
func steadyPorts(n int) ([]int, error) {
	const from, to = 25_000, 27_000
	var all []int
	for range 1000 {
		port := from + rand.IntN(to-from)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		defer l.Close()
		if all = append(all, port); len(all) == n {
			return all, nil
		}
	}
	return nil, fmt.Errorf("%d ports from %d to %d are not free", n, from, to)
}
