package listen

import (
	"fmt"
	"time"
)

const (
	reapEvery = time.Second
	parkAfter = 5 * time.Second
)

// reap looks after all connections once a second. It spares every request a deadline of its own.
func (s *Server) reap() {
	now := s.o.World.Now().Mono
	for _, c := range s.all() {
		c.reap(now)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopping {
		s.reaper = s.o.World.After(reapEvery, s.reap)
	}
}

func (c *conn) reap(now time.Duration) {
	o := &c.server.o
	pushing, begun := c.pushing.Load(), c.begun.Load()
	switch {
	case pushing != 0 && c.tooLong(now-time.Duration(pushing)):
		c.giveUp(reasonStuck, fmt.Sprintf("it took less than %d KiB of its answers in %v", writeBytes>>10, (now-time.Duration(pushing)).Round(time.Second)))
	case begun != 0 && now-time.Duration(begun) > o.Slow && c.listener.Sessions.Budget.Short():
		c.giveUp(reasonMemory, fmt.Sprintf("memory for requests is short, and one of its requests has been arriving for over %v", o.Slow))
	case c.idleFor(now) > o.Idle && c.session.Idle():
		c.cut(reasonIdle)
	case c.idleFor(now) > parkAfter && c.source.holds.Load():
		c.source.disturb()
	}
}

// tooLong reports whether a client has read nothing for longer than it may. A client that only pauses may for as long as one that
// is silent, unless what it holds is needed: memory, or its place.
func (c *conn) tooLong(waited time.Duration) bool {
	o := &c.server.o
	return waited > o.Stuck || waited > o.Slow && (c.listener.Sessions.Budget.Short() || c.server.limits.crowded(c.listener.Name))
}

func (c *conn) giveUp(reason, why string) {
	c.server.o.Log.Warn(reason, "Closing the connection of "+c.peer.Addr.String()+": "+why,
		"listener", c.peer.Listener, "client", c.peer.Addr.String(), "connection", c.peer.ConnectionID)
	c.cut(reason)
}
