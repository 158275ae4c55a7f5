package node

import (
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/staterecord"
)

// after is an image with what records change.
func after(img *image.Image, recs ...staterecord.Record) *image.Image {
	for _, rec := range recs {
		img = must.Get(img.Apply(img.Offset()+1, rec))
	}
	return img
}

// applies has the node's replicas hear of records as one change, and returns the image after it.
func (r *rig) applies(now *image.Image, recs ...staterecord.Record) *image.Image {
	next := after(now, recs...)
	r.n.replicas.apply(image.DeltaOf(now, next))
	return next
}

// A snapshot may tell a node that runs of a topic that was deleted and made anew in one change. Whichever of the two ids comes first,
// what the old one had goes before the new one looks for its files: nothing is set aside, and the log directory is well.
func TestATopicMadeAnewInOneChange(t *testing.T) {
	for _, id := range []kafka.TopicID{{0, 0, 0, 1}, {0xff, 0xff, 0xff, 0xfe}} {
		r := newRig(t)
		old := r.create("t", 1)
		r.write("t", 0, plain("old"))
		now := r.n.feed.Image()
		next := after(now,
			&staterecord.RemoveTopic{TopicID: old},
			&staterecord.Topic{Name: "t", TopicID: id},
			&staterecord.Partition{TopicID: id, Replicas: []kafka.NodeID{1}, ISR: []kafka.NodeID{1}, Leader: 1, Directories: []kafka.DirectoryID{{}}},
		)
		var gone []bool
		for c := range r.n.replicas.inOrder(image.DeltaOf(now, next)) {
			gone = append(gone, c.New == nil)
		}
		if !slices.Equal(gone, []bool{true, false}) {
			t.Errorf("topics that are gone come in the order %v", gone)
		}
		r.n.replicas.apply(image.DeltaOf(now, next))
		p := must.Get(r.n.replicas.ByName(kafka.TopicPartition{Topic: "t"}))
		if err := p.Open(); err != nil {
			t.Errorf("the new one: %v", err)
		}
		if err := r.n.storage.Volumes[0].Offline(); err != nil {
			t.Errorf("the log directory: %v", err)
		}
		for _, d := range must.Get(r.n.storage.Volumes[0].Dir.Partitions()) {
			if d.Partition.Topic == "t" && !slices.Contains([]log.DirKind{log.Current, log.Deleted}, d.Kind) {
				t.Errorf("%s is there", d.Name)
			}
		}
		r.kill()
	}
}

// What was deleted while the node was away, and made anew, stands under the name of the new one: the log that has the name sets it aside,
// and nobody else does, who might take away what is being opened.
func TestTheNewOfANameSetsTheOldAside(t *testing.T) {
	r := newRig(t)
	r.create("t", 1)
	r.write("t", 0, plain("old"))
	r.kill()
	r.restart()
	v := r.n.storage.Volumes[0]
	name := kafka.TopicPartition{Topic: "t"}
	kinds := func() (out []log.DirKind) {
		for _, d := range must.Get(v.Dir.Partitions()) {
			if d.Partition == name {
				out = append(out, d.Kind)
			}
		}
		return out
	}
	r.n.storage.Settle()
	if got := kinds(); !slices.Equal(got, []log.DirKind{log.Current}) {
		t.Fatalf("the start leaves %q", got)
	}
	l, err := v.Open(name, kafka.TopicID{7}, log.DefaultConfig(), log.Open)
	if err != nil {
		t.Fatal(err)
	}
	if o := l.Offsets(); o.End != 0 {
		t.Errorf("the new one ends at %d", o.End)
	}
	if got := kinds(); !slices.Equal(got, []log.DirKind{log.Stray}) {
		t.Errorf("after the new one was opened there are %q", got)
	}
}
