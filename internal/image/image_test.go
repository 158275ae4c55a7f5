package image_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

func id(n int) kafka.TopicID {
	return kafka.TopicID{0: byte(n >> 16), 1: byte(n >> 8), 2: byte(n), 15: 7}
}

func ptr[T any](v T) *T { return &v }

// bytesOf writes an image as the bytes of its snapshot records: two images are equal when these are.
func bytesOf(img *image.Image) []byte {
	var b []byte
	for r := range img.Records() {
		b = staterecord.Append(b, r)
		b = append(b, '\n')
	}
	return b
}

func apply(t testing.TB, img *image.Image, recs ...staterecord.Record) *image.Image {
	t.Helper()
	b := img.Edit()
	for _, r := range recs {
		if err := b.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
	at := img.Position()
	at.Offset += kafka.Offset(len(recs))
	return b.Build(at)
}

func partition(topic kafka.TopicID, n int32, leader kafka.NodeID, replicas ...kafka.NodeID) *staterecord.Partition {
	return &staterecord.Partition{PartitionID: n, TopicID: topic, Replicas: replicas, ISR: replicas, Leader: leader,
		Directories: make([]kafka.DirectoryID, len(replicas))}
}

// everything is one record of every kind that leaves something in an image.
func everything() []staterecord.Record {
	return []staterecord.Record{
		&staterecord.FeatureLevel{Name: "metadata.version", Level: 30},
		&staterecord.FeatureLevel{Name: "eligible.leader.replicas.version", Level: 1},
		&staterecord.FeatureLevel{Name: "group.version", Level: 1},
		&staterecord.ZkMigrationState{State: 3},
		&staterecord.RegisterBroker{BrokerID: 1, BrokerEpoch: 5, IncarnationID: kafka.IncarnationID{1}, Fenced: true,
			Endpoints: []staterecord.Endpoint{{Name: "PLAINTEXT", Host: "h", Port: 9092}}, Rack: ptr("r"),
			Features: []staterecord.FeatureRange{{Name: "metadata.version", Min: 7, Max: 30}},
			LogDirs:  []kafka.DirectoryID{{9}}},
		&staterecord.RegisterBroker{BrokerID: 2, BrokerEpoch: 6, InControlledShutdown: true, IsMigratingZkBroker: true,
			CordonedLogDirs: []kafka.DirectoryID{{8}}},
		&staterecord.RegisterController{ControllerID: 3, IncarnationID: kafka.IncarnationID{3}, ZkMigrationReady: true},
		&staterecord.Topic{Name: "b", TopicID: id(1)},
		partition(id(1), 0, 1, 1, 2), partition(id(1), 1, 1, 2, 1), partition(id(1), 2, -1, 2),
		&staterecord.Topic{Name: "a", TopicID: id(2)},
		partition(id(2), 0, 2, 2),
		&staterecord.Config{ResourceType: staterecord.ResourceTopic, ResourceName: "a", Name: "z", Value: ptr("1")},
		&staterecord.Config{ResourceType: staterecord.ResourceTopic, ResourceName: "a", Name: "y", Value: ptr("")},
		&staterecord.Config{ResourceType: staterecord.ResourceBroker, Name: "min.insync.replicas", Value: ptr("1")},
		&staterecord.ProducerIDs{BrokerID: 1, BrokerEpoch: 5, NextProducerID: 1000},
		&staterecord.AccessControlEntry{ID: kafka.UUID{4}, Principal: "User:a"},
		&staterecord.UserScramCredential{Name: "u", Mechanism: 1, Iterations: 4096},
		&staterecord.DelegationToken{TokenID: "t", Owner: "User:a"},
		&staterecord.ClientQuota{Key: "k", Value: 1, Entity: []staterecord.QuotaEntity{{Type: "user"}, {Type: "ip", Name: ptr("x")}}},
	}
}

func TestASnapshotRestatesTheImage(t *testing.T) {
	img := apply(t, image.Empty(), everything()...)
	img = apply(t, img, &staterecord.PartitionChange{PartitionID: 0, TopicID: id(1), Leader: 2, LeaderRecovery: 1,
		ISR: []kafka.NodeID{2}, ELR: []kafka.NodeID{1}, LastKnownELR: []kafka.NodeID{2}, Adding: []kafka.NodeID{2},
		Removing: []kafka.NodeID{1}})
	again := apply(t, image.Empty(), slices.Collect(img.Records())...)
	if a, b := bytesOf(img), bytesOf(again); !bytes.Equal(a, b) {
		t.Fatalf("%q\n%q", a, b)
	}
	first := slices.Collect(img.Records())[0].(*staterecord.FeatureLevel)
	if first.Name != "metadata.version" {
		t.Fatalf("a snapshot begins with %s", first.Name)
	}
	if n := len(bytesOf(img)); n < 500 {
		t.Fatalf("a snapshot of everything is only %d bytes", n)
	}
}

func TestQueries(t *testing.T) {
	img := apply(t, image.Empty(), everything()...)
	topic := img.TopicNamed("b")
	if topic == nil || topic != img.Topic(id(1)) || topic.Len() != 3 || img.TopicCount() != 2 {
		t.Fatal("topic b is not found alike by name and id")
	}
	var names []string
	for t := range img.Topics() {
		names = append(names, t.Name)
	}
	if !slices.Equal(names, []string{"a", "b"}) {
		t.Fatal(names)
	}
	p, ok := img.Partition(kafka.TopicIDPartition{TopicID: id(1), Partition: 1})
	if !ok || p.Leader != 1 || !slices.Equal(p.Replicas(), []kafka.NodeID{2, 1}) {
		t.Fatal(p, ok)
	}
	if e, ok := img.Broker(1).Endpoint("PLAINTEXT"); !ok || e.Host != "h" {
		t.Fatal(e, ok)
	}
	if _, ok := img.Broker(1).Endpoint("SSL"); ok {
		t.Fatal("a listener that is not there")
	}
	if v, ok := img.Configs(image.ClusterDefaults).Get("min.insync.replicas"); !ok || v != "1" {
		t.Fatal(v, ok)
	}
	if l := img.Load(1); l != (image.Load{Replicas: 2, InSync: 2, Leads: 2}) {
		t.Fatal(l)
	}
	if l := img.Load(2); l != (image.Load{Replicas: 4, InSync: 4, Leads: 1}) {
		t.Fatal(l)
	}
	if img.LeaderlessCount() != 1 || img.NotPreferredCount() != 1 {
		t.Fatal(img.LeaderlessCount(), img.NotPreferredCount())
	}
	if live := slices.Collect(img.LiveBrokers()); len(live) != 1 || live[0].ID != 2 || live[0].Active() {
		t.Fatal(live)
	}
	if img.MetadataVersion() != 30 || img.NextProducerID() != 1000 {
		t.Fatal(img.MetadataVersion(), img.NextProducerID())
	}
}

func TestDeletingATopicTakesItsConfigsAndLoads(t *testing.T) {
	img := apply(t, image.Empty(), everything()...)
	gone := apply(t, img, &staterecord.RemoveTopic{TopicID: id(1)}, &staterecord.RemoveTopic{TopicID: id(2)},
		&staterecord.Topic{Name: "a", TopicID: id(3)}, partition(id(3), 0, 2, 2))
	if gone.Configs(image.TopicResource("a")) != nil || gone.Topic(id(2)) != nil || gone.TopicNamed("a").ID != id(3) {
		t.Fatal("the old topic shows through")
	}
	if l := gone.Load(1); l != (image.Load{}) {
		t.Fatal(l)
	}
	if gone.LeaderlessCount() != 0 || gone.NotPreferredCount() != 0 || img.LeaderlessCount() != 1 {
		t.Fatal("the leaderless are miscounted")
	}
}

func TestPartitionChangesCountEpochs(t *testing.T) {
	img := apply(t, image.Empty(), everything()...)
	one := staterecord.NewPartitionChange(id(1), 0)
	one.ISR = []kafka.NodeID{1}
	two := staterecord.NewPartitionChange(id(1), 0)
	two.Leader = 1
	img = apply(t, img, one, two)
	p, _ := img.Topic(id(1)).Partition(0)
	if p.LeaderEpoch != 1 || p.PartitionEpoch != 2 || !slices.Equal(p.ISR(), []kafka.NodeID{1}) {
		t.Fatalf("%+v", p)
	}
	// New replicas without directories keep those of the replicas that stay (KIP-858).
	three := staterecord.NewPartitionChange(id(1), 0)
	three.Directories = []kafka.DirectoryID{{1}, {2}}
	four := staterecord.NewPartitionChange(id(1), 0)
	four.Replicas = []kafka.NodeID{2, 7}
	img = apply(t, img, three, four)
	p, _ = img.Topic(id(1)).Partition(0)
	if p.Directory(2) != (kafka.DirectoryID{2}) || p.Directory(7) != kafka.DirectoryUnassigned {
		t.Fatal(p.Directories())
	}
}

func TestRecordsThatDoNotFitAreErrors(t *testing.T) {
	img := apply(t, image.Empty(), everything()...)
	for _, r := range []staterecord.Record{
		staterecord.NewPartitionChange(id(9), 0), staterecord.NewPartitionChange(id(1), 77),
		&staterecord.RemoveTopic{TopicID: id(9)}, &staterecord.Topic{Name: "a", TopicID: id(9)},
		&staterecord.Topic{Name: "c", TopicID: id(1)}, partition(id(9), 0, 1, 1), partition(id(1), 9, 1),
		&staterecord.UnregisterBroker{BrokerID: 1, BrokerEpoch: 4},
		&staterecord.BrokerRegistrationChange{BrokerID: 7}, &staterecord.FenceBroker{ID: 1, Epoch: 1},
		&staterecord.EndTransaction{}, &staterecord.AbortTransaction{}, &staterecord.ClearElr{TopicName: "zz"},
		partition(id(1), 9, 1, make([]kafka.NodeID, image.MaxReplicas+1)...),
	} {
		if next, err := img.Apply(99, r); err == nil {
			t.Errorf("%s %+v was applied: %v", r.Type(), r, next.Offset())
		}
	}
}

func TestMetadataTransactions(t *testing.T) {
	img := apply(t, image.Empty(), everything()...)
	before := bytesOf(img)
	open := apply(t, img, &staterecord.BeginTransaction{}, &staterecord.Topic{Name: "new", TopicID: id(5)},
		partition(id(5), 0, 1, 1), &staterecord.RemoveTopic{TopicID: id(1)})
	if !open.InTransaction() || open.Visible().TopicNamed("new") != nil || !bytes.Equal(bytesOf(open.Visible()), before) {
		t.Fatal("an open transaction shows")
	}
	again := apply(t, image.Empty(), slices.Collect(open.Records())...)
	if !again.InTransaction() || !bytes.Equal(bytesOf(again), bytesOf(open)) {
		t.Fatal("a snapshot inside a transaction loses it")
	}
	if ended := apply(t, again, &staterecord.EndTransaction{}); ended.TopicNamed("new") == nil {
		t.Fatal("a transaction that began before a snapshot cannot end after it")
	}
	if ended := apply(t, open, &staterecord.EndTransaction{}); ended.Visible().TopicNamed("new") == nil || ended.Topic(id(1)) != nil {
		t.Fatal("an ended transaction does not show")
	}
	aborted := apply(t, open, &staterecord.AbortTransaction{})
	if aborted.InTransaction() || !bytes.Equal(bytesOf(aborted), before) || aborted.Offset() != open.Offset()+1 {
		t.Fatal("an aborted transaction left something")
	}
	if _, err := open.Apply(99, &staterecord.BeginTransaction{}); err == nil {
		t.Fatal("a transaction inside a transaction")
	}
}

// TestDeltasTellEveryChange walks a random history and checks that the delta of any two images, carried out on the
// first, gives the second.
func TestDeltasTellEveryChange(t *testing.T) {
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 3))
		img := image.Empty()
		history := []*image.Image{img}
		alive := map[int]int32{} // topic -> partitions
		for step := range 150 {
			var recs []staterecord.Record
			for range 1 + rng.IntN(8) {
				recs = append(recs, randomRecords(rng, alive, step)...)
			}
			img = apply(t, img, recs...)
			history = append(history, img)
		}
		for range 60 {
			a, b := history[rng.IntN(len(history))], history[rng.IntN(len(history))]
			if got, want := follow(a, image.DeltaOf(a, b)), flat(b); !slices.Equal(got, want) {
				t.Fatalf("seed %d: from %d to %d the delta gives\n%v\nwant\n%v", seed, a.Offset(), b.Offset(), got, want)
			}
		}
	}
}

func randomRecords(rng *rand.Rand, alive map[int]int32, step int) []staterecord.Record {
	n := rng.IntN(40)
	count, ok := alive[n]
	switch {
	case !ok:
		alive[n] = 3
		out := []staterecord.Record{&staterecord.Topic{Name: fmt.Sprint("t", n%20, "-", n), TopicID: id(n)}}
		for p := range int32(3) {
			out = append(out, partition(id(n), p, 1, 1, 2, 3))
		}
		return out
	case rng.IntN(6) == 0:
		delete(alive, n)
		return []staterecord.Record{&staterecord.RemoveTopic{TopicID: id(n)}}
	case rng.IntN(3) == 0:
		alive[n]++
		return []staterecord.Record{partition(id(n), count, 2, 2, 3)}
	case rng.IntN(3) == 0:
		return []staterecord.Record{
			&staterecord.Config{ResourceType: 2, ResourceName: fmt.Sprint("t", n%20, "-", n), Name: "k", Value: ptr(fmt.Sprint(step))},
			&staterecord.FeatureLevel{Name: fmt.Sprint("f", n%5), Level: int16(rng.IntN(3))},
			&staterecord.RegisterBroker{BrokerID: kafka.NodeID(n % 7), BrokerEpoch: kafka.BrokerEpoch(step)},
		}
	default:
		c := staterecord.NewPartitionChange(id(n), int32(rng.IntN(int(count))))
		c.Leader = kafka.NodeID(rng.IntN(5) - 1)
		return []staterecord.Record{c}
	}
}

// flat lists what deltas talk about, one line each, sorted.
func flat(img *image.Image) []string {
	var out []string
	for t := range img.Topics() {
		out = append(out, topicLine(t))
		for n, p := range t.Partitions() {
			out = append(out, partitionLine(t, n, p))
		}
	}
	for b := range img.Brokers() {
		out = append(out, brokerLine(b))
	}
	for r, c := range img.Resources() {
		out = append(out, fmt.Sprint("config ", r, c))
	}
	for n, l := range img.Features() {
		out = append(out, fmt.Sprint("feature ", n, l))
	}
	slices.Sort(out)
	return out
}

func topicLine(t *image.Topic) string { return fmt.Sprint("topic ", t.Name, t.ID) }
func partitionLine(t *image.Topic, n int32, p *image.Partition) string {
	return fmt.Sprint("partition ", t.Name, t.ID, n, p.Leader, p.LeaderEpoch, p.PartitionEpoch, p.Replicas())
}
func brokerLine(b *image.Broker) string { return fmt.Sprint("broker ", b.ID, b.Epoch) }

// follow carries a delta out on the lines of the image it begins at.
func follow(from *image.Image, d image.Delta) []string {
	lines := map[string]bool{}
	for _, l := range flat(from) {
		lines[l] = true
	}
	for c := range d.Topics() {
		if c.Old != nil && c.New == nil {
			delete(lines, topicLine(c.Old))
		}
		if c.New != nil {
			lines[topicLine(c.New)] = true
		}
	}
	for c := range d.Partitions() {
		if c.Old != nil {
			delete(lines, partitionLine(c.Topic, c.ID, c.Old))
		}
		if c.New != nil {
			lines[partitionLine(c.Topic, c.ID, c.New)] = true
		}
	}
	for c := range d.Brokers() {
		if c.Old != nil {
			delete(lines, brokerLine(c.Old))
		}
		if c.New != nil {
			lines[brokerLine(c.New)] = true
		}
	}
	for c := range d.Configs() {
		delete(lines, fmt.Sprint("config ", c.Resource, c.Old))
		if len(c.New) > 0 {
			lines[fmt.Sprint("config ", c.Resource, c.New)] = true
		}
	}
	for c := range d.Features() {
		delete(lines, fmt.Sprint("feature ", c.Name, c.Old))
		if c.New != 0 {
			lines[fmt.Sprint("feature ", c.Name, c.New)] = true
		}
	}
	out := make([]string, 0, len(lines))
	for l := range lines {
		out = append(out, l)
	}
	slices.Sort(out)
	return out
}

func TestClearElr(t *testing.T) {
	img := apply(t, image.Empty(), everything()...)
	c := staterecord.NewPartitionChange(id(1), 1)
	c.ELR = []kafka.NodeID{2}
	img = apply(t, img, c)
	for _, name := range []string{"b", ""} {
		p, _ := apply(t, img, &staterecord.ClearElr{TopicName: name}).Topic(id(1)).Partition(1)
		if len(p.ELR()) != 0 || p.PartitionEpoch != 2 {
			t.Fatalf("%q: %+v", name, p)
		}
	}
	if p, _ := apply(t, img, &staterecord.ClearElr{TopicName: "a"}).Topic(id(1)).Partition(1); len(p.ELR()) != 1 {
		t.Fatal("another topic's eligible leaders were cleared")
	}
}

// A partition that settles (ADR 0036) does so until a change says otherwise, through snapshots, and a change of nothing else is one.
func TestAPartitionSettlesUntilItIsSaid(t *testing.T) {
	img := apply(t, image.Empty(), everything()...)
	at := kafka.TopicIDPartition{TopicID: id(1)}
	settles := func(img *image.Image) bool {
		p, ok := img.Partition(at)
		if !ok {
			t.Fatal("no partition")
		}
		return p.Settling
	}
	change := func(s staterecord.Settling) *staterecord.PartitionChange {
		c := staterecord.NewPartitionChange(at.TopicID, at.Partition)
		c.Settling = s
		if c.IsEmpty() != (s == staterecord.SettlingUnchanged) {
			t.Errorf("empty with %d: %v", s, c.IsEmpty())
		}
		return c
	}
	for i, step := range []struct {
		says staterecord.Settling
		want bool
	}{{staterecord.SettlingUnchanged, false}, {staterecord.Settles, true}, {staterecord.SettlingUnchanged, true}, {staterecord.Settled, false}} {
		next := apply(t, img, change(step.says))
		if again := apply(t, image.Empty(), slices.Collect(next.Records())...); settles(next) != step.want || settles(again) != step.want {
			t.Errorf("step %d: settles %v, and after a snapshot %v", i, settles(next), settles(again))
		}
		changed := 0
		for topic := range image.DeltaOf(img, next).Topics() {
			for range topic.Partitions() {
				changed++
			}
		}
		if changed != 1 {
			t.Errorf("step %d: %d partitions have changed", i, changed)
		}
		img = next
	}
}
