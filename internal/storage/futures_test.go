package storage

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/partition"
)

// copied makes the directory of a copy, with a recovery point as upkeep saves it.
func copied(v *Volume, name kafka.TopicPartition, topic kafka.TopicID, at kafka.Offset) {
	copy, _ := log.FutureName(name, kafka.UUID{7})
	must.OK(v.Dir.Arrival(name, copy).Begin(topic))
	must.OK(v.Dir.SaveRecoveryPoints(checkpoint.Offsets{name: at}))
}

// A log that is there is served, whatever copy stands beside it, also where its directory is the only one.
func TestALogBesideACopyIsServed(t *testing.T) {
	name := kafka.TopicPartition{Topic: "x"}
	for _, dirs := range [][]string{{"d/b", "d/a"}, {"d/b"}} {
		fs := disk.NewMem()
		r := newRig(t, fs, dirs...)
		must.Get(r.place("x", kafka.TopicID{1}, r.s.Volumes[0].ID()))
		copied(r.s.Volumes[0], name, kafka.TopicID{1}, 1)
		r.s.Abandon()
		r = newRig(t, fs, dirs...)
		if v, err := r.s.Home(name, kafka.TopicID{1}, r.s.Volumes[0].ID()); err != nil || v.Path != "d/b" {
			t.Errorf("%q: in %q, %v", dirs, v.Path, err)
		}
		r.s.Abandon()
	}
}

// What the checkpoints say is the log's where one stands beside a copy that is nobody's, and is forgotten where none does.
func TestACopyOfNobodyTakesOnlyItsOwnCheckpoints(t *testing.T) {
	name := kafka.TopicPartition{Topic: "x"}
	for _, beside := range []bool{true, false} {
		fs := disk.NewMem()
		r := newRig(t, fs, "d/b")
		if beside {
			must.Get(r.place("x", kafka.TopicID{2}, r.s.Volumes[0].ID()))
		}
		copied(r.s.Volumes[0], name, kafka.TopicID{1}, 1)
		r.s.Abandon()
		r = newRig(t, fs, "d/b")
		Banish(r.s, r.Image())
		if kept := r.s.Volumes[0].Dir.Checkpointed(name).RecoveryPoint == 1; kept != beside {
			t.Errorf("beside a log %v: kept %v", beside, kept)
		}
	}
}

// Of two copies in two directories one is gone on with. Nothing of the other is left, so that the next log of the name may live there.
func TestOfTwoCopiesOneIsGoneOnWith(t *testing.T) {
	fs := disk.NewMem()
	r := newRig(t, fs, "d/a", "d/b", "d/c")
	name := kafka.TopicPartition{Topic: "x"}
	id := kafka.TopicIDPartition{TopicID: kafka.TopicID{1}}
	copied(r.s.Volumes[1], name, id.TopicID, 74)
	copied(r.s.Volumes[2], name, id.TopicID, 74)
	r.s.Abandon()
	c := &crew{rig: r, byID: map[kafka.TopicIDPartition]*partition.Partition{}}
	o := c.options("d/a", "d/b", "d/c")
	o.Replicas, o.Controller = c, c
	s := must.Get(Open(o))
	s.Look()
	cfg := partition.Config{Log: log.DefaultConfig(), MinISR: 1}
	c.byID[id] = partition.New(s.Volumes[0].Env, name, &cfg, 0, func(cfg log.Config) (*log.Log, error) {
		return s.Volumes[0].Open(name, id.TopicID, cfg, log.Open)
	})
	s.Settle()
	if at := s.Volumes[2].Dir.Checkpointed(name).RecoveryPoint; at != 0 {
		t.Errorf("its directory still says that it is durable up to %d", at)
	}
	r.w.Run(2 * time.Minute)
}

// A replica is called back, or moved elsewhere, that the start has found on its way and has not gone on with yet: that counts.
func TestWhatIsWishedBeforeTheStartGoesOnWithACopyCounts(t *testing.T) {
	for _, to := range []int{0, 2} {
		m := newMover(t, func(s *Storage) { copied(s.Volumes[1], kafka.TopicPartition{Topic: "x"}, kafka.TopicID{1}, 0) })
		m.told = true
		must.OK(m.s.moving.wish(m.p, m.name(), m.id, m.s.Volumes[to]))
		m.w.Run(2 * time.Minute)
		m.s.Settle()
		m.w.Run(2 * time.Minute)
		if at := m.s.Of(m.p); at != m.s.Volumes[to] {
			t.Errorf("it lives in %s, not in %s", at.Path, m.s.Volumes[to].Path)
		}
		m.wantIn(m.s.Volumes[1], "")
	}
}
