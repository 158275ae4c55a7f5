package storage

import (
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/world"
)

// crew is a rig that runs on several threads, and knows its partitions by their ids.
type crew struct {
	*rig
	mu   sync.Mutex
	byID map[kafka.TopicIDPartition]*partition.Partition
}

func (c *crew) ByID(id kafka.TopicIDPartition) (*partition.Partition, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.byID[id]; p != nil {
		return p, nil
	}
	return c.rig.ByID(id)
}

func (c *crew) Assign(kafka.TopicIDPartition, kafka.DirectoryID, kafka.DirectoryID) {}

// The first use of a log, the start of a move and the end of the replica come at once: none waits for another that waits for it, and
// when all are over every name is free.
func TestOpensMovesAndDeletionsDoNotWaitForEachOther(t *testing.T) {
	c := &crew{rig: &rig{t: t, fs: disk.NewMem()}, byID: map[kafka.TopicIDPartition]*partition.Partition{}}
	o := c.options("d/a", "d/b")
	o.World, o.Replicas, o.Controller = world.NewReal(), c, c
	s := must.Get(Open(o))
	s.Look()
	a, b := s.Volumes[0], s.Volumes[1]
	cfg := partition.Config{Log: log.DefaultConfig(), MinISR: 1}
	for i := range 1000 {
		name := kafka.TopicPartition{Topic: fmt.Sprint("t", i)}
		id := kafka.TopicIDPartition{TopicID: kafka.TopicID{byte(i), byte(i >> 8), 1}}
		p := partition.New(a.Env, name, &cfg, 0, func(c log.Config) (*log.Log, error) {
			for range 2000 { // until somebody is about to start or to end a move, if anybody is
				if !s.moving.mu.TryLock() {
					break
				}
				s.moving.mu.Unlock()
				runtime.Gosched()
			}
			return a.Open(name, id.TopicID, c, log.Open)
		})
		c.mu.Lock()
		c.byID[id] = p
		c.mu.Unlock()
		var g sync.WaitGroup
		g.Go(func() { _ = p.Open() })
		g.Go(func() { _ = s.moving.wish(p, name, id, b) })
		g.Go(func() {
			if i%2 == 0 {
				c.mu.Lock()
				delete(c.byID, id)
				c.mu.Unlock()
				_, _, _ = s.Remove(p, id)
			}
		})
		g.Wait()
	}
	for _, id := range c.ids() {
		p := must.Get(c.ByID(id))
		c.mu.Lock()
		delete(c.byID, id)
		c.mu.Unlock()
		_, _, _ = s.Remove(p, id)
	}
	c.moved(s, o.World)
	s.moving.ghosts.mu.Lock()
	defer s.moving.ghosts.mu.Unlock()
	if len(s.moving.ghosts.there) > 0 {
		t.Errorf("names that stay taken: %v", s.moving.ghosts.there)
	}
}

func (c *crew) ids() (out []kafka.TopicIDPartition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.byID {
		out = append(out, id)
	}
	return out
}
