package storage

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/world"
)

// A start finds a copy on its way, and recovers the log that it is of, which takes as long as the disk does. Whoever asks where a replica lives,
// or checkpoints the directory that it goes to, waits for none of that, and may call the copy back or have it go elsewhere meanwhile.
func TestAMoveThatWaitsForARecoveryHoldsNobodyUp(t *testing.T) {
	for _, meanwhile := range []string{"nothing", "elsewhere", "leaves"} {
		t.Run(meanwhile, func(t *testing.T) { recovering(t, meanwhile) })
	}
}

func recovering(t *testing.T, meanwhile string) {
	c := &crew{rig: &rig{t: t, fs: disk.NewMem()}, byID: map[kafka.TopicIDPartition]*partition.Partition{}}
	name, id := kafka.TopicPartition{Topic: "x"}, kafka.TopicIDPartition{TopicID: kafka.TopicID{1}}
	o := c.options("d/a", "d/b", "d/c")
	o.World, o.Replicas, o.Controller = world.NewReal(), c, c
	s := must.Get(Open(o))
	copied(s.Volumes[1], name, id.TopicID, 0)
	s.Look()
	a, b, to := s.Volumes[0], s.Volumes[1], s.Volumes[1]
	cfg := partition.Config{Log: log.DefaultConfig(), MinISR: 1}
	opening, gaveUp, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
	p := partition.New(a.Env, name, &cfg, 0, func(c log.Config) (*log.Log, error) {
		close(opening)
		select {
		case <-release:
		case <-gaveUp: // a test that fails ends, too
		}
		return a.Open(name, id.TopicID, c, log.Open)
	})
	c.byID[id] = p
	timer := o.World.After(20*time.Second, func() { close(gaveUp) })
	o.World.Go(func() { _ = p.Open() })
	<-opening

	s.Settle()
	if in, not := a.Bound(p); in != a.ID() || not != a.ID() {
		t.Errorf("the controller is to believe that it lives in %s, and not in %s", in, not)
	}
	if v, err := s.Home(kafka.TopicPartition{Topic: "y"}, kafka.TopicID{2}, s.Volumes[2].ID()); err != nil || v != s.Volumes[2] {
		t.Errorf("another lives in %s, %v", v.Path, err)
	}
	if at := b.Recoveries(); len(at) > 0 {
		t.Errorf("the recovery points of what is on its way there are %v", at)
	}
	switch meanwhile {
	case "elsewhere":
		to = s.Volumes[2]
		must.OK(s.moving.wish(p, name, id, to))
	case "leaves":
		to = a
		c.mu.Lock()
		delete(c.byID, id)
		c.mu.Unlock()
		s.moving.forget(p)
		if !s.moving.ghosts.at(b, name) {
			t.Error("the next of its name may live where the copy is")
		}
	}
	if !timer.Stop() {
		t.Fatal("somebody waited for the recovery")
	}
	close(release)
	c.moved(s, o.World)
	if at := s.Of(p); at != to {
		t.Errorf("it lives in %s, want %s", at.Path, to.Path)
	}
	if dirs := must.Get(b.Dir.Partitions()); to != b && len(dirs) > 0 {
		t.Errorf("%s has %v", b.Path, dirs)
	}
	if s.moving.ghosts.at(b, name) {
		t.Error("the name stays taken")
	}
}

// moved waits until nothing is on its way any more.
func (c *crew) moved(s *Storage, w world.World) {
	over := make(chan struct{})
	var look func()
	look = func() {
		s.moving.mu.Lock()
		n := len(s.moving.all)
		s.moving.mu.Unlock()
		if n == 0 {
			close(over)
			return
		}
		w.After(time.Millisecond, look)
	}
	look()
	<-over
}
