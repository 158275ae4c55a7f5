package storage

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/world"
)

// rig is the log directories of a node that is only pretended: it notes what it is told.
type rig struct {
	t  *testing.T
	w  *world.Virtual
	fs disk.FS
	s  *Storage

	all      []*partition.Partition
	assigned map[kafka.TopicIDPartition]kafka.DirectoryID
	lost     []kafka.DirectoryID
	failed   error
	logs     strings.Builder
}

// newRig opens directories of partitions on a file system, by their paths.
func newRig(t *testing.T, fs disk.FS, dirs ...string) *rig {
	t.Helper()
	r := &rig{t: t, w: world.NewVirtual(1), fs: fs, assigned: map[kafka.TopicIDPartition]kafka.DirectoryID{}}
	r.start(dirs...)
	return r
}

func (r *rig) start(dirs ...string) {
	r.t.Helper()
	var err error
	if r.s, err = Open(r.options(dirs...)); err != nil {
		r.t.Fatal(err)
	}
	r.s.Look()
}

func (r *rig) options(dirs ...string) Options {
	static := config.Values{Scope: config.Broker, Set: map[string]string{"node.id": "1", "log.dirs": strings.Join(dirs, ",")}}
	return Options{
		World: r.w, FS: r.fs, Static: static, Descriptors: 1024, Logger: slog.New(slog.NewTextHandler(&r.logs, nil)),
		Layers:   func(*image.Image) config.Layers { return config.Layers{Static: static.Set} },
		Replicas: r, Controller: r, Life: r,
	}
}

func (r *rig) All() []*partition.Partition { return slices.Clone(r.all) }

func (r *rig) ByName(name kafka.TopicPartition) (*partition.Partition, error) {
	for _, p := range r.all {
		if p.Name() == name {
			return p, nil
		}
	}
	return nil, fault.New("test", kafka.ErrUnknownTopicOrPartition, "%s", name)
}

func (r *rig) ByID(kafka.TopicIDPartition) (*partition.Partition, error) {
	return nil, fault.New("test", kafka.ErrUnknownTopicId, "nothing is found by its id")
}

func (r *rig) Image() *image.Image { return image.Empty() }

func (r *rig) Damaged(kafka.TopicPartition) func(segment.Damage) { return func(segment.Damage) {} }

func (r *rig) Assign(id kafka.TopicIDPartition, in, _ kafka.DirectoryID) { r.assigned[id] = in }

func (r *rig) Knows(kafka.TopicIDPartition) bool { return true }

func (r *rig) Lost(id kafka.DirectoryID) { r.lost = append(r.lost, id) }

func (r *rig) Over() bool { return r.failed != nil }

func (r *rig) Failed() error { return r.failed }

func (r *rig) Fail(err error) { r.failed = err }

// place makes the replica of a partition where it belongs, and has its log made.
func (r *rig) place(topic string, id kafka.TopicID, assigned kafka.DirectoryID) (*Volume, error) {
	r.t.Helper()
	name := kafka.TopicPartition{Topic: topic}
	v, err := r.s.Home(name, id, assigned)
	if err != nil {
		return v, err
	}
	v.Count(1)
	l, err := log.Open(v.Options(name, id, log.DefaultConfig()))
	if err != nil {
		r.t.Fatal(err)
	}
	b := record.NewBuilder(record.Plain())
	b.Append(1000, nil, []byte("x"))
	if _, err := l.AppendAsLeader(r.w.Now(), must.Get(b.Build()), 1, log.Client); err != nil {
		r.t.Fatal(err)
	}
	return v, nil
}
