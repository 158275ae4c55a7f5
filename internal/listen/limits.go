package listen

import (
	"fmt"
	"net/netip"
	"sync"
)

// ConnectionLimits are Kafka's max.connections family. Zero means no limit.
type ConnectionLimits struct {
	Total       int                // max.connections
	PerListener map[string]int     // listener.name.<name>.max.connections
	PerIP       int                // max.connections.per.ip
	PerIPFor    map[netip.Addr]int // max.connections.per.ip.overrides
}

// limiter counts connections. As in Kafka, whoever is over a limit of the broker or of a listener waits in the backlog,
// and whoever is over the limit of its address is refused.
type limiter struct {
	mu       sync.Mutex
	freed    sync.Cond
	limits   ConnectionLimits
	total    int
	listener map[string]int
	ip       map[netip.Addr]int
	stopped  bool
}

func (l *limiter) init(limits ConnectionLimits) {
	l.freed.L = &l.mu
	l.limits, l.listener, l.ip = limits, map[string]int{}, map[netip.Addr]int{}
}

func (l *limiter) set(limits ConnectionLimits) {
	l.mu.Lock()
	l.limits = limits
	l.mu.Unlock()
	l.freed.Broadcast()
}

// enter counts a connection in, when there is room for it, or says why it is refused. It blocks the accept loop of its
// listener and nothing else.
func (l *limiter) enter(listener string, ip netip.Addr) (refusal string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.stopped && l.full(listener) {
		l.freed.Wait()
	}
	allowed, ok := l.limits.PerIPFor[ip]
	if !ok {
		allowed, ok = l.limits.PerIP, l.limits.PerIP > 0
	}
	if ok && l.ip[ip] >= allowed {
		return fmt.Sprintf("%v has %d connections already (max.connections.per.ip)", ip, l.ip[ip])
	}
	l.total++
	l.listener[listener]++
	l.ip[ip]++
	return ""
}

// crowded reports whether the next connection has to wait.
func (l *limiter) crowded(listener string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.stopped && l.full(listener)
}

func (l *limiter) full(listener string) bool {
	if l.limits.Total > 0 && l.total >= l.limits.Total {
		return true
	}
	most := l.limits.PerListener[listener]
	return most > 0 && l.listener[listener] >= most
}

func (l *limiter) leave(listener string, ip netip.Addr) {
	l.mu.Lock()
	l.total--
	l.listener[listener]--
	if l.ip[ip]--; l.ip[ip] == 0 {
		delete(l.ip, ip)
	}
	l.mu.Unlock()
	l.freed.Broadcast()
}

func (l *limiter) stop() {
	l.mu.Lock()
	l.stopped = true
	l.mu.Unlock()
	l.freed.Broadcast()
}
