package upkeep

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/storage"
	"github.com/milena-io/milena/internal/world"
)

// rig is the background work of a node that is only pretended, over real directories and partitions in memory.
type rig struct {
	t  *testing.T
	w  *world.Virtual
	fs *disk.Mem
	o  Options
	s  *storage.Storage

	all       []*partition.Partition
	failed    error
	recovered int // how often it was told that nothing is left
	logs      strings.Builder
}

var errRefused = fault.New("test", kafka.ErrUnknownTopicId, "nothing is found by its id")

// newRig opens a directory on a file system, and the replicas of the topics in it, all led here.
func newRig(t *testing.T, fs *disk.Mem, topics ...string) *rig {
	t.Helper()
	r := &rig{t: t, w: world.NewVirtual(1), fs: fs}
	static := config.Values{Scope: config.Broker, Set: map[string]string{"node.id": "1", "log.dirs": "data"}}
	layers := func(*image.Image) config.Layers { return config.Layers{Static: static.Set} }
	logger := slog.New(slog.NewTextHandler(&r.logs, nil))
	var err error
	r.s, err = storage.Open(storage.Options{
		World: r.w, FS: fs, Static: static, Layers: layers, Descriptors: 1024, Logger: logger, Replicas: r, Controller: r, Life: r,
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, topic := range topics {
		name, id := kafka.TopicPartition{Topic: topic}, kafka.TopicID{byte(i + 1)}
		v := r.s.Volumes[0]
		open := func(c log.Config) (*log.Log, error) { return log.Open(v.Options(name, id, c)) }
		cfg := &partition.Config{MinISR: 1, Log: log.DefaultConfig(), Durability: replica.Cached}
		p := partition.New(v.Env, name, cfg, 0, open)
		p.Become(replica.Registration{Leader: 1, LeaderEpoch: 1, Replicas: []kafka.NodeID{1}, ISR: []kafka.NodeID{1}})
		r.all = append(r.all, p)
	}
	r.o = Options{
		World: r.w, Static: static, Layers: layers, Storage: r.s, Logger: logger, Recovered: func() { r.recovered++ }, Replicas: r, Life: r,
	}
	return r
}

func (r *rig) All() []*partition.Partition { return slices.Clone(r.all) }

func (r *rig) Image() *image.Image { return image.Empty() }

func (r *rig) ByName(name kafka.TopicPartition) (*partition.Partition, error) {
	for _, p := range r.all {
		if p.Name() == name {
			return p, nil
		}
	}
	return nil, errRefused
}

func (r *rig) ByID(id kafka.TopicIDPartition) (*partition.Partition, error) {
	if i := int(id.TopicID[0]) - 1; i >= 0 && i < len(r.all) {
		return r.all[i], nil
	}
	return nil, errRefused
}

func (r *rig) Damaged(kafka.TopicPartition) func(segment.Damage) { return func(segment.Damage) {} }

func (r *rig) Assign(kafka.TopicIDPartition, kafka.DirectoryID, kafka.DirectoryID) {}

func (r *rig) Knows(kafka.TopicIDPartition) bool { return true }

func (r *rig) Lost(kafka.DirectoryID) {}

func (r *rig) Over() bool { return r.failed != nil }

func (r *rig) Failed() error { return r.failed }

func (r *rig) Fail(err error) { r.failed = errors.Join(r.failed, err) }

// write appends a record to every partition.
func (r *rig) write() {
	r.t.Helper()
	for _, p := range r.all {
		b := record.NewBuilder(record.Plain())
		b.Append(1000, nil, []byte("x"))
		batch, err := b.Build()
		if err != nil {
			r.t.Fatal(err)
		}
		err = errors.New("not yet")
		p.Append(partition.Append{Batch: batch, Acks: 1, Epoch: kafka.NoLeaderEpoch}, func(a partition.Appended) { err = a.Err })
		r.w.Run(time.Second)
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

// said counts the lines of the log that hold a text.
func (r *rig) said(text string) int { return strings.Count(r.logs.String(), text) }

func (r *rig) wantSaid(n int, format string, args ...any) {
	r.t.Helper()
	if text := fmt.Sprintf(format, args...); r.said(text) != n {
		r.t.Errorf("%q is said %d times, want %d:\n%s", text, r.said(text), n, r.logs.String())
	}
}
