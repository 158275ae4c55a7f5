package storage

import (
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/staterecord"
)

// mover is a crew with one replica, x-0 in d/a, and a controller that hears of its move when told is set.
type mover struct {
	*crew
	id    kafka.TopicIDPartition
	p     *partition.Partition
	told  bool
	bad   error // why its log does not open
	img   *image.Image
	asked func() // when somebody looks for it by its id

	opening func() // when its log is opened; may be nil
}

func (m *mover) Knows(kafka.TopicIDPartition) bool { return m.told }

func (m *mover) Image() *image.Image { return m.img }

func (m *mover) ByID(id kafka.TopicIDPartition) (*partition.Partition, error) {
	p, err := m.crew.ByID(id)
	if f := m.asked; f != nil {
		m.asked = nil
		f()
	}
	return p, err
}

// newMover opens d/a to d/c; prepare, which may be nil, is what was there before.
func newMover(t *testing.T, prepare func(s *Storage)) *mover {
	t.Helper()
	r := newRig(t, disk.NewMem(), "d/a", "d/b", "d/c")
	if prepare != nil {
		prepare(r.s)
	}
	r.s.Abandon()
	m := &mover{
		crew: &crew{rig: r, byID: map[kafka.TopicIDPartition]*partition.Partition{}}, id: kafka.TopicIDPartition{TopicID: kafka.TopicID{1}},
		img: must.Get(image.Empty().Apply(1, &staterecord.Topic{Name: "x", TopicID: kafka.TopicID{1}})),
	}
	o := m.options("d/a", "d/b", "d/c")
	o.Replicas, o.Controller = m, m
	m.s = must.Get(Open(o))
	m.s.Metadata = &Volume{} // as with metadata.log.dir apart
	m.s.Look()
	cfg := partition.Config{Log: log.DefaultConfig(), MinISR: 1}
	m.p = partition.New(m.s.Volumes[0].Env, m.name(), &cfg, 0, func(c log.Config) (*log.Log, error) {
		if m.opening != nil {
			m.opening()
		}
		if m.bad != nil {
			return nil, m.bad
		}
		return m.s.Volumes[0].Open(m.name(), m.id.TopicID, c, func(o log.Options) (*log.Log, error) {
			l, err := log.Open(o)
			if err == nil && l.Offsets().End == 0 {
				b := record.NewBuilder(record.Plain())
				b.Append(1000, nil, []byte("x"))
				_, err = l.AppendAsLeader(m.w.Now(), must.Get(b.Build()), 1, log.Client)
			}
			return l, err
		})
	})
	m.byID[m.id], m.all = m.p, []*partition.Partition{m.p}
	return m
}

func (m *mover) name() kafka.TopicPartition { return kafka.TopicPartition{Topic: "x"} }

// leaves has the replica leave the node.
func (m *mover) leaves() {
	m.mu.Lock()
	delete(m.byID, m.id)
	m.all = nil
	m.mu.Unlock()
	_, _, _ = m.s.Remove(m.p, m.id)
}

// wantIn wants what is left of the replica in a directory, by the ends of the names.
func (m *mover) wantIn(v *Volume, want string) {
	m.t.Helper()
	var got []string
	for _, d := range must.Get(v.Dir.Partitions()) {
		got = append(got, string(d.Kind))
	}
	if strings.Join(got, " ") != want {
		m.t.Errorf("%s has %q, want %q", v.Path, got, want)
	}
}

// wantFree wants that a directory knows nothing of the replica, and that the next of its name may live there.
func (m *mover) wantFree(v *Volume) {
	m.t.Helper()
	if at := v.Dir.Checkpointed(m.name()); at != (log.Checkpointed{}) {
		m.t.Errorf("%s still says %+v", v.Path, at)
	}
	if ends, err := m.s.moving.closed(v); len(ends) > 0 || err != nil {
		m.t.Errorf("a clean stop would say %v, %v", ends, err)
	}
	l, err := v.Open(m.name(), kafka.TopicID{2}, log.DefaultConfig(), log.Open)
	if err != nil {
		m.t.Errorf("the next one: %v", err)
		return
	}
	if o := l.Offsets(); o.LogStart != 0 || o.End != 0 {
		m.t.Errorf("the next one has %+v", o)
	}
}

// The directory fails that a replica moves from. Its copy stays as long as the replica does, for the next start; it is deleted with the
// topic, and set aside when the replica goes and the topic does not. Either way the name is free.
func TestACopyStaysAsLongAsItsReplica(t *testing.T) {
	for _, deleted := range []bool{true, false} {
		m := newMover(t, nil)
		a, b := m.s.Volumes[0], m.s.Volumes[1]
		must.OK(m.s.moving.wish(m.p, m.name(), m.id, b))
		m.w.Run(time.Second)
		must.OK(b.Dir.CheckpointRecoveryPoints(func() checkpoint.Offsets { return b.Recoveries() }))
		m.s.Lose(a, disk.ErrIO)
		m.w.Run(time.Second)
		m.wantIn(b, "future")
		if ends, err := m.s.moving.closed(b); ends[m.name()] != 1 || err != nil {
			t.Errorf("a clean stop says %v, %v", ends, err)
		}
		want := "stray"
		if deleted {
			m.img, want = image.Empty(), ""
		}
		m.leaves()
		m.wantFree(b)
		m.w.Run(time.Second)
		m.wantIn(b, want)
	}
}

// A start finds a copy whose replica is in a directory that failed, and the replica leaves as the start looks at it, or later.
func TestACopyThatAStartLeavesGoesWithItsReplica(t *testing.T) {
	for _, meanwhile := range []bool{true, false} {
		m := newMover(t, func(s *Storage) { copied(s.Volumes[1], kafka.TopicPartition{Topic: "x"}, kafka.TopicID{1}, 74) })
		b := m.s.Volumes[1]
		m.s.Lose(m.s.Volumes[0], disk.ErrIO)
		leaves := func() { m.img = image.Empty(); m.leaves() }
		if meanwhile {
			m.asked = leaves
		}
		m.s.Settle()
		if !meanwhile {
			m.wantIn(b, "future")
			leaves()
		}
		m.wantFree(b)
		m.w.Run(time.Second)
		m.wantIn(b, "")
	}
}

// A replica does not move whose log does not open, and its copy stays: the next wish goes on with it. When the replica lives elsewhere after
// all, the copy is of no use any more.
func TestTheNextMoveGoesOnWithACopyThatStayed(t *testing.T) {
	for _, elsewhere := range []bool{true, false} {
		m := newMover(t, func(s *Storage) { copied(s.Volumes[1], kafka.TopicPartition{Topic: "x"}, kafka.TopicID{1}, 0) })
		b, to := m.s.Volumes[1], m.s.Volumes[1]
		m.bad = fault.Corruption("test", "it does not check")
		m.s.Settle()
		m.w.Run(time.Second)
		m.wantIn(b, "future")
		m.bad, m.told = nil, true
		if elsewhere {
			to = m.s.Volumes[2]
		}
		must.OK(m.s.moving.wish(m.p, m.name(), m.id, to))
		m.wantIn(b, "future")
		m.w.Run(2 * time.Minute)
		if m.s.Of(m.p) != to {
			t.Errorf("it lives in %s", m.s.Of(m.p).Path)
		}
		m.wantIn(to, "")
		if elsewhere {
			must.OK(b.Offline())
			if dirs := must.Get(b.Dir.Partitions()); len(dirs) > 0 {
				t.Errorf("%s has %v", b.Path, dirs)
			}
			m.wantFree(b)
		}
	}
}
