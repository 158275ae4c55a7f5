package node

import (
	"testing"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// A process that isn't registered in its own metadata yet may know less than the one before it did: it says of no epoch that nobody leads
// after it. And a replica is of its own topic, not of the one that has the name by now.
func TestWhoIsNotRegisteredYetTellsOfNoEpoch(t *testing.T) {
	r := newRig(t)
	id := r.create("a", 1)
	name := kafka.TopicPartition{Topic: "a"}
	all := r.n.replicas
	img := all.Image()
	p, err := all.ByName(name)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := all.topicOf(img, p); !ok || got != id {
		t.Errorf("a replica of %s is of %s", id, got)
	}
	registered := r.n.session.incarnation
	for _, c := range []struct {
		what        string
		id          kafka.TopicID
		incarnation kafka.IncarnationID
		epoch       kafka.LeaderEpoch
		want        kafka.ErrorCode
	}{
		{"the epoch", id, registered, 0, kafka.ErrNone},
		{"an epoch that is over", id, registered, -1, kafka.ErrFencedLeaderEpoch},
		{"another topic", kafka.TopicID{1}, registered, 0, kafka.ErrUnknownTopicId},
		{"the epoch, asked of who is not registered", id, kafka.IncarnationID{1}, 0, kafka.ErrReplicaNotAvailable},
		{"an epoch that is over, asked of who is not registered", id, kafka.IncarnationID{1}, -1, kafka.ErrFencedLeaderEpoch},
	} {
		r.n.session.incarnation = c.incarnation
		if got := fault.CodeOf(all.Succeeded(name, c.id, c.epoch)); got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
	r.n.session.incarnation = registered
	r.deleteTopic("a")
	if again := r.create("a", 1); again == id {
		t.Fatal("the topic is the old one")
	}
	if got, ok := all.topicOf(all.Image(), p); ok {
		t.Errorf("a replica of a deleted topic is of %s", got)
	}
}
