package sim

import (
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// asker asks one partition after the other where its committed records end. It asks nobody in an older epoch than it has heard of,
// so what it is told never goes back: within an epoch the high watermark doesn't, and a new leader tells nothing before it knows
// what the one before it may have told (K3, KIP-207). Two askers might well hear different things, one of them from a leader
// that doesn't know yet that it is none.
type asker struct {
	c    *client
	ends map[kafka.TopicPartition]told
}

// told is the end of a partition as it was told last.
type told struct {
	end kafka.Offset
	by  lead
}

func newAsker(r *run) *asker {
	a := &asker{c: newClient(r, "asker"), ends: map[kafka.TopicPartition]told{}}
	a.again()
	return a
}

func (a *asker) again() { a.c.later(30*time.Millisecond, a.turn) }

func (a *asker) turn() {
	r := a.c.r
	if r.phase == reading {
		return
	}
	a.c.end(func(tp kafka.TopicPartition, by lead, end kafka.Offset) {
		if was, asked := a.ends[tp]; asked && end < was.end {
			r.broken("K3 list-offsets", "%v ended at %d by the word of node %d in epoch %d, and then at %d by that of node %d in epoch %d",
				tp, was.end, was.by.node, was.by.epoch, end, by.node, by.epoch)
		}
		a.ends[tp] = told{end, by}
		a.again()
	}, a.again)
}
