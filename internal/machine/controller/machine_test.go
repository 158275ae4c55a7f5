package controller

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// history of one random run: what was decided, and the image after each offset.
type run struct {
	*lab
	chance  *rand.Rand
	trace   bytes.Buffer
	images  map[kafka.Offset]*image.Image // by the offset of the log's end
	ids     map[kafka.TopicID]bool        // every id that was ever given
	created int
	done    int // commands that were not refused as a whole
}

func newRun(t testing.TB, seed uint64) *run {
	r := &run{lab: newLab(t), chance: rand.New(rand.NewPCG(seed, 1)), images: map[kafka.Offset]*image.Image{}, ids: map[kafka.TopicID]bool{}}
	r.m.o.DefaultReplicas, r.m.o.DefaultPartitions, r.m.o.Rebalance = 2, 3, 10*time.Second
	r.images[r.next] = r.m.Committed()
	return r
}

func (r *run) node() kafka.NodeID { return kafka.NodeID(1 + r.chance.IntN(5)) }

func (r *run) topicName() string { return fmt.Sprintf("t%d", r.chance.IntN(8)) }

// newest is what the machine would decide from; a test may look.
func (r *run) newest() *image.Image { return r.m.history.newest() }

func (r *run) brokerEpoch(id kafka.NodeID) kafka.BrokerEpoch {
	if b := r.newest().Broker(id); b != nil && r.chance.IntN(20) > 0 {
		return b.Epoch
	}
	return -1
}

// command draws the next command.
func (r *run) command() any {
	id := r.node()
	switch r.chance.IntN(15) {
	case 0:
		c := registration(id, byte(r.chance.IntN(3)))
		c.Colocated = r.chance.IntN(3) == 0
		return c
	case 1, 2, 3:
		return Heartbeat{Broker: id, Epoch: r.brokerEpoch(id), MetadataOffset: r.next - kafka.Offset(r.chance.IntN(2)*3),
			WantShutdown: r.chance.IntN(10) == 0, WantFence: r.chance.IntN(10) == 0}
	case 4:
		if r.chance.IntN(4) == 0 {
			return UnregisterBroker{Broker: id}
		}
		return AllocateProducerIDs{Broker: id, Epoch: r.brokerEpoch(id)}
	case 5, 6:
		r.created++
		n := NewTopic{ID: kafka.TopicID{0: 1, 14: byte(r.created >> 8), 15: byte(r.created)}, Name: r.topicName(), Partitions: -1, Replicas: int16(1 + r.chance.IntN(3))}
		if r.chance.IntN(3) == 0 {
			v := "true"
			n.Configs = []ConfigSet{{"unclean.leader.election.enable", &v}, {"min.insync.replicas", new("2")}}
		}
		return CreateTopics{Topics: []NewTopic{n}, ValidateOnly: r.chance.IntN(10) == 0}
	case 7:
		return DeleteTopics{Topics: []TopicRef{{Name: r.topicName()}}}
	case 8:
		return CreatePartitions{Topics: []GrowTopic{{Name: r.topicName(), Count: int32(1 + r.chance.IntN(6))}}}
	case 9:
		return AlterConfigs{Resources: []AlterResource{{Type: ofTopic, Name: r.topicName(), Replace: r.chance.IntN(4) == 0,
			Changes: []ConfigChange{{"retention.ms", SetConfig, new(fmt.Sprint(r.chance.IntN(3)))}}}}}
	}
	if r.chance.IntN(2) == 0 {
		return r.asked(id)
	}
	return r.wish()
}

// asked is what an operator asks for, and what timers do.
func (r *run) asked(id kafka.NodeID) any {
	at := kafka.TopicPartition{Topic: r.topicName(), Partition: int32(r.chance.IntN(3))}
	switch r.chance.IntN(6) {
	case 0:
		return BrokerDead{Broker: id, Epoch: r.brokerEpoch(id)}
	case 1:
		return ElectLeaders{Unclean: r.chance.IntN(4) == 0, All: r.chance.IntN(2) == 0, Partitions: []kafka.TopicPartition{at}}
	case 2:
		return BalanceLeaders{}
	case 3:
		return RegisterController{Controller: id, Incarnation: kafka.IncarnationID{byte(r.chance.IntN(3))}, Features: options().Supported}
	}
	w := Reassignment{TopicPartition: at}
	if r.chance.IntN(4) > 0 {
		w.Replicas = []kafka.NodeID{id, id%5 + 1}[:1+r.chance.IntN(2)]
	}
	return AlterReassignments{AllowFactorChange: r.chance.IntN(2) == 0, Partitions: []Reassignment{w}}
}

// wish asks for a random ISR of a random partition, mostly with the right epochs.
func (r *run) wish() any {
	t := r.newest().TopicNamed(r.topicName())
	if t == nil {
		return Bootstrap{}
	}
	id := int32(r.chance.IntN(t.Len()))
	p, _ := t.Partition(id)
	w := PartitionWish{ID: kafka.TopicIDPartition{TopicID: t.ID, Partition: id}, LeaderEpoch: p.LeaderEpoch,
		PartitionEpoch: p.PartitionEpoch - kafka.PartitionEpoch(r.chance.IntN(8)/7)}
	for _, n := range p.Replicas() {
		if n == p.Leader || r.chance.IntN(2) == 0 {
			w.ISR = append(w.ISR, n)
		}
	}
	return AlterPartition{Broker: p.Leader, Epoch: r.brokerEpoch(p.Leader), Partitions: []PartitionWish{w}}
}

// step decides one command and applies it, without committing.
func (r *run) step(cmd any) {
	before := r.newest()
	recs, reply, err := r.m.Decide(r.now, r.next, cmd)
	fmt.Fprintf(&r.trace, "%T %v %v\n", cmd, reply, err)
	r.trace.Write(bytesOf(recs))
	if err == nil {
		r.done++
	}
	for _, rec := range recs {
		r.m.Apply(r.next, rec)
		r.next++
		if topic, ok := rec.(*staterecord.Topic); ok {
			if r.ids[topic.TopicID] {
				r.t.Fatalf("topic id %s was given twice", topic.TopicID)
			}
			r.ids[topic.TopicID] = true
		}
	}
	after := r.newest()
	r.images[r.next] = after
	r.invariants(before, after)
	if b, ok := reply.(ProducerIDs); ok {
		if b.First != before.NextProducerID() || after.NextProducerID() != b.First+kafka.ProducerID(b.Count) {
			r.t.Fatalf("block %+v after %d", b, before.NextProducerID())
		}
	}
}

// invariants are what holds after every command.
func (r *run) invariants(before, after *image.Image) {
	for t := range after.Topics() {
		for id, p := range t.Partitions() {
			where := r.at(t, id, p)
			if !subset(p.ISR(), p.Replicas()) || !distinct(p.ISR()) || !distinct(p.Replicas()) {
				r.t.Fatalf("%s: the ISR is no subset of the replicas", where)
			}
			if p.Leader != kafka.NoNode {
				if !slices.Contains(p.ISR(), p.Leader) {
					r.t.Fatalf("%s: the leader is not in the ISR", where)
				}
				if b := after.Broker(p.Leader); b == nil || !b.Active() {
					r.t.Fatalf("%s: the leader does not serve", where)
				}
			}
			was, ok := before.Partition(kafka.TopicIDPartition{TopicID: t.ID, Partition: id})
			if !ok {
				continue
			}
			if p.LeaderEpoch < was.LeaderEpoch || p.PartitionEpoch < was.PartitionEpoch {
				r.t.Fatalf("%s: an epoch went back", where)
			}
			if p.Leader != was.Leader && p.LeaderEpoch == was.LeaderEpoch {
				r.t.Fatalf("%s: another leader in the same epoch", where)
			}
			if p != was && p.PartitionEpoch == was.PartitionEpoch && r.at(t, id, was) != where {
				r.t.Fatalf("%s: changed in the same partition epoch", where)
			}
		}
	}
	for b := range after.Brokers() {
		if was := before.Broker(b.ID); was != nil && (b.Epoch < was.Epoch || b.Epoch == was.Epoch && b.Incarnation != was.Incarnation) {
			r.t.Fatalf("broker %d: epoch %d after %d", b.ID, b.Epoch, was.Epoch)
		}
	}
}

func (r *run) at(t *image.Topic, id int32, p *image.Partition) string {
	return fmt.Sprintf("%s-%d replicas %v isr %v leader %d epoch %d.%d", t.Name, id, p.Replicas(), p.ISR(), p.Leader, p.LeaderEpoch, p.PartitionEpoch)
}

// settle commits or reverts to some end that was seen, and compares with the image that was there.
func (r *run) settle() {
	base := r.m.Committed().Offset() + 1
	var ends []kafka.Offset
	for end := range r.images {
		if end >= base && end <= r.next {
			ends = append(ends, end)
		}
	}
	slices.Sort(ends)
	end := ends[r.chance.IntN(len(ends))]
	if r.chance.IntN(4) == 0 {
		r.m.Revert(end)
		for e := range r.images {
			if e > end {
				delete(r.images, e)
			}
		}
		sameImage(r.t, "reverted", r.newest(), r.images[end])
		r.next = end + 1 // a new leader's record
		r.m.Lead(r.now, r.next)
		r.images[r.next] = r.newest()
		return
	}
	r.m.Commit(end)
	sameImage(r.t, "committed", r.m.Committed(), r.images[end])
}

func (r *run) run(commands int) {
	for range commands {
		r.step(r.command())
		if r.chance.IntN(3) == 0 {
			r.settle()
		}
		if r.chance.IntN(10) == 0 {
			r.now = r.now.Add(time.Duration(r.chance.IntN(8)) * time.Second)
			for _, cmd := range r.m.Due(r.now) {
				r.step(cmd)
			}
		}
	}
}

func TestInvariantsHoldUnderRandomCommands(t *testing.T) {
	for seed := range uint64(40) {
		r := newRun(t, seed)
		r.run(500)
		r.m.Commit(r.next)
		other := New(options())
		other.Load(r.next, r.m.Snapshot())()
		sameImage(t, "restored", other.Committed(), r.m.Committed())
		if r.done < 100 || r.created < 20 {
			t.Fatalf("seed %d: only %d commands were done", seed, r.done)
		}
	}
}

func TestTheSameCommandsDecideTheSame(t *testing.T) {
	trace := func(seed uint64) []byte {
		r := newRun(t, seed)
		r.run(1000)
		return r.trace.Bytes()
	}
	a, b := trace(3), trace(3)
	if !bytes.Equal(a, b) {
		t.Error("two runs of one seed differ")
	}
	if bytes.Equal(a, trace(4)) {
		t.Error("the runs of two seeds don't differ")
	}
}

func TestAFollowerThatAppliesHasTheSameImage(t *testing.T) {
	l := newLab(t)
	follower := New(options())
	follow := func() {
		for i, rec := range l.last {
			follower.Apply(l.next-kafka.Offset(len(l.last)-i), rec)
		}
	}
	for i, rec := range slices.Collect(l.m.Snapshot()) {
		follower.Apply(kafka.Offset(3+i), rec)
	}
	for _, cmd := range []any{registration(1, 1), CreateTopics{Topics: []NewTopic{assigned("t", Assigned{0, nodes(1)})}}} {
		l.must(cmd)
		follow()
		if l.m.Committed().Broker(1).Fenced {
			l.beat(1)
			follow()
		}
	}
	if follower.Committed().TopicCount() != 0 {
		t.Error("a query sees what is not committed")
	}
	follower.Commit(l.next)
	sameImage(t, "follower", follower.Committed(), l.m.Committed())
}

func TestCommitInTheMiddleOfWhatIsApplied(t *testing.T) {
	m := New(options())
	for i := range 10 {
		m.Apply(kafka.Offset(i), &staterecord.Topic{Name: fmt.Sprint("t", i), TopicID: topicID(fmt.Sprint("t", i))})
	}
	for end := range kafka.Offset(11) {
		m.Commit(end)
		if got := m.Committed().TopicCount(); got != int(end) || m.Committed().Offset() != end-1 {
			t.Errorf("committed to %d: %d topics at %d", end, got, m.Committed().Offset())
		}
		if got := m.history.newest().TopicCount(); got != 10 {
			t.Errorf("committed to %d: the newest image has %d topics", end, got)
		}
	}
}

func TestSnapshotIsReadWhileChangesGoOn(t *testing.T) {
	l := newLab(t)
	l.start(1)
	l.created(topic("a", 1, 1))
	snapshot := l.m.Snapshot()
	want := slices.Collect(snapshot)
	l.created(topic("b", 1, 1))
	if got := slices.Collect(snapshot); !bytes.Equal(bytesOf(got), bytesOf(want)) {
		t.Error("the snapshot changed under its reader")
	}
}

func TestUnknownCommandsAreRefused(t *testing.T) {
	newLab(t).refused(42, kafka.ErrInvalidRequest, "the controller knows no command int")
}
