package node

import (
	"sync"
	"time"

	"github.com/milena-io/milena/internal/fault"
)

// life is how far the node is: it runs, it stops, or it cannot go on.
type life struct {
	n         *Node
	began     time.Duration // monotonic time of the start
	startedMs int64         // its wall clock

	mu       sync.Mutex
	failed   error
	leaving  bool // it was asked to stop
	stopping bool // and serves no more
}

// Fail notes why the node cannot go on and tells its owner, once.
func (l *life) Fail(err error) {
	l.mu.Lock()
	if l.failed != nil || l.stopping && fault.IsKind(err, fault.Closed) {
		l.mu.Unlock()
		return
	}
	l.failed = err
	l.mu.Unlock()
	n := l.n
	if fault.IsKind(err, fault.Disk) || fault.IsKind(err, fault.Corrupt) || fault.IsKind(err, fault.Full) {
		n.log("kafka.log").Error("The node cannot go on. What was acknowledged is safe on disk; fix the disk and start again.", "stage", "storage", "error", err)
	} else {
		n.log("kafka.server").Error("The node cannot go on. What was acknowledged is safe on disk.", "error", err)
	}
	n.o.World.Go(func() {
		n.session.over(err)
		if n.o.Failed != nil {
			n.o.Failed(err)
		}
	})
}

// Over reports whether the node stops or has given up.
func (l *life) Over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stopping || l.failed != nil
}

// Failed returns why the node cannot go on, nil while it can.
func (l *life) Failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// leave notes that the node was asked to stop; again tells that it was before.
func (l *life) leave() (failed error, again bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	again = l.leaving
	l.leaving = true
	return l.failed, again
}

// stop ends it.
func (l *life) stop() (failed error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopping = true
	return l.failed
}

// state tells whether it has failed and whether it is to stop.
func (l *life) state() (failed, leaving bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed != nil, l.leaving
}

// Failed returns why the node cannot go on, nil while it can.
func (n *Node) Failed() error { return n.life.Failed() }
