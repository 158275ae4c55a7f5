package node

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/staterecord"
)

var followed = kafka.TopicIDPartition{TopicID: kafka.TopicID{1}}

// following are the records of t-0, that this node follows 2 with a replica in a directory.
func following(dir kafka.DirectoryID) []staterecord.Record {
	return []staterecord.Record{
		&staterecord.Topic{Name: "t", TopicID: followed.TopicID},
		&staterecord.Partition{TopicID: followed.TopicID, Replicas: []kafka.NodeID{1, 2}, ISR: []kafka.NodeID{2}, Leader: 2, Directories: []kafka.DirectoryID{dir, {9}}},
	}
}

// givenBack are the records with which it is taken away, and given back in a directory.
func givenBack(dir kafka.DirectoryID) []staterecord.Record {
	gone := &staterecord.Partition{
		TopicID: followed.TopicID, PartitionEpoch: 1, Replicas: []kafka.NodeID{2}, ISR: []kafka.NodeID{2}, Leader: 2, Directories: []kafka.DirectoryID{{9}},
	}
	back := following(dir)[1].(*staterecord.Partition)
	back.PartitionEpoch = 2
	return []staterecord.Record{gone, back}
}

// told is the directory that the controller is being told of; zero when nothing is left to be told.
func (r *rig) told() kafka.DirectoryID {
	a := &r.n.replicas.moves
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pending[followed].in
}

// A replica whose directory is gone for good is taken away and given back, and the node hears of both in one change: it begins anew in a
// directory that is here, the broker's only one or the one that it chooses.
func TestAReplicaGivenBackInOneChange(t *testing.T) {
	for _, chosen := range []bool{true, false} {
		r := newRig(t)
		back := kafka.DirectoryUnassigned
		if !chosen {
			back = r.n.storage.Volumes[0].ID()
		}
		now := r.applies(r.n.feed.Image(), following(kafka.DirectoryID{0xaa, 1})...)
		name := kafka.TopicPartition{Topic: "t"}
		if err := must.Get(r.n.replicas.ByName(name)).Open(); err == nil {
			t.Fatal("it opens in a directory that is not here")
		}
		r.applies(now, givenBack(back)...)
		if err := must.Get(r.n.replicas.ByName(name)).Open(); err != nil {
			t.Errorf("given back: %v", err)
		}
		r.kill()
	}
}

// So does one whose directory failed while the node runs.
func TestAReplicaInAFailedDirectoryGivenBackInOneChange(t *testing.T) {
	r := newDirsRig(t)
	v := r.n.storage.Volumes[1]
	now := r.applies(r.n.feed.Image(), following(v.ID())...)
	name := kafka.TopicPartition{Topic: "t"}
	must.OK(must.Get(r.n.replicas.ByName(name)).Open())
	r.n.storage.Lose(v, disk.ErrIO)
	r.applies(now, givenBack(kafka.DirectoryUnassigned)...)
	p := must.Get(r.n.replicas.ByName(name))
	if err := p.Open(); err != nil {
		t.Errorf("given back: %v", err)
	}
	if at := r.n.storage.Of(p); at == v || r.told() != at.ID() {
		t.Errorf("it lives in %s, and the controller is told of %s", at.Path, r.told())
	}
	r.kill()
}

// One that lives in a directory that serves stays there, and the controller hears of it once more: what it was told it has forgotten, be it
// that it was told after the change that the node last saw, or is being told at the moment.
func TestAReplicaGivenBackIsToldOfOnceMore(t *testing.T) {
	for _, answered := range []bool{true, false} {
		r := newDirsRig(t)
		now := r.applies(r.n.feed.Image(), following(kafka.DirectoryUnassigned)...)
		at := r.n.storage.Of(must.Get(r.n.replicas.ByName(kafka.TopicPartition{Topic: "t"})))
		if r.told() != at.ID() {
			t.Fatalf("it lives in %s, and the controller is told of %s", at.Path, r.told())
		}
		a := &r.n.replicas.moves
		if answered {
			r.w.Run(time.Second)
			if !a.knows(followed) {
				t.Fatal("the controller has not answered")
			}
		} else {
			a.sending, a.asked = true, a.added
		}
		batch := a.batch()
		r.applies(now, append([]staterecord.Record{following(at.ID())[1]}, givenBack(kafka.DirectoryUnassigned)...)...)
		if !answered {
			a.sent(batch, nil)
		}
		if a.added != 2 || r.told() != at.ID() && a.asked < a.added {
			t.Errorf("answered %v: it lives in %s, and the controller is told of %s", answered, at.Path, r.told())
		}
		r.kill()
	}
}

// One that is about to live in another directory, and of which the controller was told so, is told of as being there.
func TestAReplicaGivenBackInTheMiddleOfAMove(t *testing.T) {
	r := newDirsRig(t)
	from, to := r.n.storage.Volumes[1], r.n.storage.Volumes[2]
	now := r.applies(r.n.feed.Image(), following(from.ID())...)
	name := kafka.TopicPartition{Topic: "t"}
	p := must.Get(r.n.replicas.ByName(name))
	must.OK(p.Open())
	must.OK(r.n.storage.AlterReplicaLogDir(name, to.Path))
	if !r.w.RunUntil(time.Minute, func() bool { return r.told() == to.ID() }) {
		t.Fatal("the move was never announced")
	}
	now = r.applies(now, following(to.ID())[1])
	r.applies(now, givenBack(kafka.DirectoryUnassigned)...)
	if r.told() != to.ID() {
		t.Errorf("the controller is told of %s", r.told())
	}
	last := r.told()
	for range 500 {
		if r.w.Run(10 * time.Millisecond); !r.told().IsZero() {
			last = r.told()
		}
	}
	if at := r.n.storage.Of(p); at != to || last != to.ID() {
		t.Errorf("it lives in %s, and the controller was told of %s at last", at.Path, r.n.storage.WithID(last).Path)
	}
	r.kill()
}
