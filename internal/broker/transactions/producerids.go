package transactions

import (
	"sync"

	"github.com/milena-io/milena/internal/kafka"
)

// Blocks gives out blocks of producer ids; the controller owns them (AllocateProducerIds, KIP-730).
type Blocks interface {
	AllocateProducerIDs(done func(first kafka.ProducerID, count int32, err error))
}

// producerIDs hands out ids one by one from the current block and asks for the next one when it is used up. Ids of a
// block that a crash cut short are never used: a producer id must not come twice.
type producerIDs struct {
	blocks Blocks

	mu       sync.Mutex
	next     kafka.ProducerID
	left     int32
	fetching bool
	waiting  []func(kafka.ProducerID, error)
}

// take calls done with a fresh id, at once or when a block arrived.
func (p *producerIDs) take(done func(kafka.ProducerID, error)) {
	p.mu.Lock()
	if p.left > 0 {
		id := p.next
		p.next++
		p.left--
		p.mu.Unlock()
		done(id, nil)
		return
	}
	p.waiting = append(p.waiting, done)
	fetch := !p.fetching
	p.fetching = true
	p.mu.Unlock()
	if fetch {
		p.blocks.AllocateProducerIDs(p.arrived)
	}
}

func (p *producerIDs) arrived(first kafka.ProducerID, count int32, err error) {
	p.mu.Lock()
	p.fetching = false
	waiting := p.waiting
	p.waiting = nil
	served := 0
	if err == nil {
		served = min(len(waiting), int(count))
		p.next, p.left = first+kafka.ProducerID(served), count-int32(served)
	}
	p.mu.Unlock()
	for i, done := range waiting {
		switch {
		case err != nil:
			done(kafka.NoProducerID, err)
		case i < served:
			done(first+kafka.ProducerID(i), nil)
		default:
			p.take(done) // more were waiting than one block holds
		}
	}
}
