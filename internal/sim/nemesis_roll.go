package sim

import (
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// rolling is a rolling restart under way.
type rolling struct {
	r    *run
	left []kafka.NodeID
	back func() // starts the node that was stopped; nil between two
	over bool
}

// roll stops and starts nodes, each when the one before serves again, until the end is called.
func (r *run) roll(nodes []kafka.NodeID) (end func()) {
	o := &rolling{r: r, left: nodes}
	o.turn()
	return func() {
		o.over = true
		o.start()
	}
}

func (o *rolling) start() {
	if back := o.back; back != nil {
		o.back = nil
		back()
	}
}

// turn takes the next step, and looks again a little later.
func (o *rolling) turn() {
	if o.over || len(o.left) == 0 {
		return
	}
	m := o.r.at(o.left[0])
	switch {
	case o.back == nil && m.proc != nil && m.ready:
		o.back = m.restart()
	case o.back != nil && m.proc == nil:
		o.r.reached.add(Rolled)
		o.start()
		o.left = append(o.left[1:], o.left[0])[:len(o.left)-1]
	}
	o.r.w.After(20*time.Millisecond, o.turn)
}
