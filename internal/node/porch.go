package node

import (
	"sync"
	"sync/atomic"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// porch is where requests wait that come before the node serves, as they would in the socket's backlog. Whether this process lives is
// answered all the same, and ApiVersions, with which every connection begins: a controller that asks for the incarnation before this one
// hears that it is gone, and needs not wait until its session is over (architecture D6, D11). Requests of a connection pass in their order.
type porch struct {
	cleared atomic.Bool // nothing waits here any more

	mu      sync.Mutex
	waiting []*wire.Request
}

// parks reports whether requests may wait here: then their frames have to last until they are answered.
func (p *porch) parks() bool { return !p.cleared.Load() }

// take passes a request on, now or when the node serves.
func (p *porch) take(r *wire.Request, dispatch func(*wire.Request)) {
	if p.cleared.Load() || r.Key == kafka.KeyNodeMessages || r.Key == kafka.KeyApiVersions {
		dispatch(r)
		return
	}
	p.mu.Lock()
	waits := !p.cleared.Load()
	if waits {
		p.waiting = append(p.waiting, r)
	}
	p.mu.Unlock()
	if !waits {
		dispatch(r)
	}
}

// clear passes on what waits, and from then on everything at once.
func (p *porch) clear(dispatch func(*wire.Request)) {
	for {
		p.mu.Lock()
		some := p.waiting
		p.waiting = nil
		if len(some) == 0 {
			p.cleared.Store(true)
		}
		p.mu.Unlock()
		if len(some) == 0 {
			return
		}
		for _, r := range some {
			dispatch(r)
		}
	}
}
