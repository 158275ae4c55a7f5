package sim

import (
	"slices"

	"github.com/milena-io/milena/internal/feed"
	"github.com/milena-io/milena/internal/kafka"
	voting "github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/staterecord"
)

// lateness is whether a machine hears nothing new of the metadata, and what has its process look again.
type lateness struct {
	is   bool
	wake func()
}

// follows is what a process follows the metadata log by.
type follows struct {
	feed.Source
	m *machine
}

// follow stands between a process and what is committed.
func (m *machine) follow(s feed.Source) feed.Source { return &follows{s, m} }

// Watch implements feed.Source.
func (f *follows) Watch(wake func()) (cancel func()) {
	proc := f.m.proc
	f.m.ills.late.wake = func() { proc.Go(wake) }
	return f.Source.Watch(wake)
}

// Committed implements feed.Source.
func (f *follows) Committed(from kafka.Offset, maxBytes int) (voting.Committed, error) {
	if f.m.ills.late.is {
		return voting.Committed{End: from}, nil
	}
	c, err := f.Source.Committed(from, maxBytes)
	if len(c.Batches) > 1 && f.m.ready {
		f.count(c.Batches)
	}
	return c, err
}

// bundle is what becomes of partitions and topics in the batches of one delta.
type bundle struct {
	self    kafka.NodeID
	changes map[kafka.TopicIDPartition]int
	without map[kafka.TopicIDPartition]bool // of these, who was no replica of this node in between
	gone    map[kafka.TopicID]bool
	back    bool
	made    []string
}

// count counts what there is in one delta of a node that serves, and no other delta tells.
func (f *follows) count(batches []record.Batch) {
	b := bundle{self: f.m.id, changes: map[kafka.TopicIDPartition]int{}, without: map[kafka.TopicIDPartition]bool{}, gone: map[kafka.TopicID]bool{}}
	for _, in := range batches {
		if !in.IsControl() {
			b.add(in)
		}
	}
	img, reached := f.m.node.Probe().Image(), &f.m.r.reached
	for _, n := range b.changes {
		if n > 1 {
			reached.add(Bundled)
			break
		}
	}
	if b.back {
		reached.add(Returned)
	}
	if slices.ContainsFunc(b.made, func(name string) bool { t := img.TopicNamed(name); return t != nil && b.gone[t.ID] }) {
		reached.add(Reborn)
	}
}

// add adds what a batch does; of a partition that is one change.
func (b *bundle) add(batch record.Batch) {
	var in []kafka.TopicIDPartition
	_ = batch.Each(record.Limits{}, func(r *record.Record) error { // who follows the log hears of what is wrong with it
		rec, err := staterecord.Decode(r.Value)
		switch c := rec.(type) {
		case *staterecord.Topic:
			b.made = append(b.made, c.Name)
		case *staterecord.RemoveTopic:
			b.gone[c.TopicID] = true
		case *staterecord.PartitionChange:
			id := kafka.TopicIDPartition{TopicID: c.TopicID, Partition: c.PartitionID}
			if !slices.Contains(in, id) {
				in = append(in, id)
			}
			if mine := slices.Contains(c.Replicas, b.self); c.Replicas != nil {
				b.back = b.back || mine && b.without[id]
				b.without[id] = !mine
			}
		}
		return err
	})
	for _, id := range in {
		b.changes[id]++
	}
}
