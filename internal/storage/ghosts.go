package storage

import (
	"sync"

	"github.com/milena-io/milena/internal/kafka"
)

// ghosts are the names under which something of a replica that has left this node is still in a directory: a copy that is called back,
// or the log that a move leaves behind. What a directory knows of a log it knows by its name, so that the next replica of that name waits.
// It is asked by who opens a log, with the partition's mutex held: its own mutex is the last one taken.
type ghosts struct {
	mu    sync.Mutex
	there map[haunt]int
}

type haunt struct {
	v    *Volume
	name kafka.TopicPartition
}

func (g *ghosts) add(h haunt) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.there == nil {
		g.there = map[haunt]int{}
	}
	g.there[h]++
}

func (g *ghosts) drop(all []haunt) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, h := range all {
		if g.there[h]--; g.there[h] <= 0 {
			delete(g.there, h)
		}
	}
}

// at reports whether a name is not free yet in a directory.
func (g *ghosts) at(v *Volume, name kafka.TopicPartition) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.there[haunt{v, name}] > 0
}
