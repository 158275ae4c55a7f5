package remote_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/remote"
	"github.com/milena-io/milena/internal/staterecord"
)

// TestABrokerLivesWithARemoteController: every command that travels is decided there, and its reply or refusal comes back.
func TestABrokerLivesWithARemoteController(t *testing.T) {
	o := newTown(t, 1)
	leader := o.form()
	c := remote.NewControl(o.options())
	epoch := o.join(c)
	if b := leader.feed.Image().Broker(9); b == nil || b.Epoch != epoch || b.Fenced {
		t.Fatalf("registered: %+v", b)
	}
	first := o.must(c, controller.AllocateProducerIDs{Broker: 9, Epoch: epoch}).(controller.ProducerIDs)
	second := o.must(c, controller.AllocateProducerIDs{Broker: 9, Epoch: epoch}).(controller.ProducerIDs)
	if second.First < first.First+kafka.ProducerID(first.Count) {
		t.Fatalf("blocks %v and %v", first, second)
	}
	topic := controller.NewTopic{ID: kafka.TopicID{1}, Name: "t", Partitions: 1, Replicas: 1}
	made := o.must(c, controller.CreateTopics{Topics: []controller.NewTopic{topic}}).([]controller.CreatedTopic)
	if !made[0].OK() || made[0].ID != leader.feed.Image().TopicNamed("t").ID {
		t.Fatalf("%+v", made)
	}
	at := kafka.TopicIDPartition{TopicID: made[0].ID}
	wish := controller.PartitionWish{ID: at, LeaderEpoch: 0, PartitionEpoch: 0, ISR: []kafka.NodeID{9}, Epochs: []kafka.BrokerEpoch{epoch}}
	altered := o.must(c, controller.AlterPartition{Broker: 9, Epoch: epoch, Partitions: []controller.PartitionWish{wish, {ID: kafka.TopicIDPartition{TopicID: kafka.TopicID{3}}}}}).([]controller.AlteredPartition)
	if !altered[0].OK() || altered[0].Leader != 9 || altered[1].Code != kafka.ErrUnknownTopicId || altered[1].Message == "" {
		t.Fatalf("%+v", altered)
	}
	homes := []controller.ReplicaHome{{ID: at, Directory: kafka.DirectoryID{0: 0xdd, 15: 9}}}
	if got := o.must(c, controller.AssignReplicas{Broker: 9, Epoch: epoch, Replicas: homes}).([]controller.AssignedReplica); !got[0].OK() {
		t.Fatalf("%+v", got)
	}
	o.must(c, controller.RegisterController{Controller: 1, Incarnation: kafka.IncarnationID{4}, Features: registration(1).Features,
		Endpoints: []staterecord.Endpoint{{Name: "CONTROLLER", Host: "c1", Port: 9093}}})
	if leader.feed.Image().Controller(1) == nil {
		t.Fatal("the controller is not registered")
	}
	r := o.submit(c, time.Second, o.beat(epoch+1))
	o.w.Run(2 * time.Second)
	if r.done != 1 || fault.CodeOf(r.err) != kafka.ErrStaleBrokerEpoch {
		t.Fatalf("a stale epoch: %d answers, %v", r.done, r.err)
	}
	c.Close()
	o.w.Run(time.Second)
	o.quiet()
}

// TestNobodyLeads: a command waits for its time, and for nothing longer; one that no request carries is not sent anywhere.
func TestNobodyLeads(t *testing.T) {
	o := newTown(t, 2)
	o.form()
	for _, s := range o.controllers {
		s.isolate(true)
	}
	o.leader, o.told = kafka.NoNode, 99
	c := remote.NewControl(o.options())
	began := o.w.Now().Mono
	r := o.submit(c, 700*time.Millisecond, o.beat(1))
	b := o.submit(c, time.Second, controller.Bootstrap{})
	o.w.Run(5 * time.Second)
	if r.done != 1 || fault.CodeOf(r.err) != kafka.ErrRequestTimedOut || r.at-began != 700*time.Millisecond {
		t.Fatalf("%d answers at %v: %v", r.done, r.at-began, r.err)
	}
	if b.done != 1 || fault.CodeOf(b.err) != kafka.ErrRequestTimedOut {
		t.Fatalf("%d answers: %v", b.done, b.err)
	}
	o.leader = 2
	b = o.submit(c, time.Second, controller.Bootstrap{})
	o.w.Run(time.Second)
	if b.done != 1 || fault.CodeOf(b.err) != kafka.ErrNotController {
		t.Fatalf("%d answers: %v", b.done, b.err)
	}
	r = o.submit(c, time.Minute, o.beat(1))
	c.Close()
	again := o.submit(c, time.Minute, o.beat(1))
	o.w.Run(time.Second)
	for _, r := range []*result{r, again} {
		if r.done != 1 || !fault.IsKind(r.err, fault.Closed) {
			t.Fatalf("closed: %d answers, %v", r.done, r.err)
		}
	}
	o.quiet()
}

// TestTheNextControllerIsAsked when the active one dies, falls silent or loses its connections, while commands wait for it; and a
// silent one is not waited for once its successor is known.
func TestTheNextControllerIsAsked(t *testing.T) {
	for name, fail := range map[string]func(*town, *seat){
		"killed":   func(_ *town, s *seat) { s.kill() },
		"isolated": func(_ *town, s *seat) { s.isolate(true) },
	} {
		t.Run(name, func(t *testing.T) {
			o := newTown(t, 3)
			leader := o.form()
			c := remote.NewControl(o.options())
			epoch := o.join(c)
			leader.slow = time.Hour // it takes commands and says nothing
			began := o.w.Now().Mono
			var waiting []*result
			for range 5 {
				waiting = append(waiting, o.submit(c, 30*time.Second, o.beat(epoch)), o.submit(c, 30*time.Second, controller.AllocateProducerIDs{Broker: 9, Epoch: epoch}))
			}
			wish := o.submit(c, 30*time.Second, controller.AlterPartition{Broker: 9, Epoch: epoch})
			o.w.Run(100 * time.Millisecond)
			fail(o, leader)
			next := o.awaitActive()
			if next == leader {
				t.Fatal("it still leads")
			}
			c.Moved()
			elected := o.w.Now().Mono
			o.w.Run(10 * time.Second)
			for i, r := range waiting {
				if r.done != 1 || r.err != nil || r.at-elected > 100*time.Millisecond {
					t.Fatalf("command %d: %d answers %v after the election, %v after it began: %v", i, r.done, r.at-elected, r.at-began, r.err)
				}
			}
			if wish.done != 1 || fault.CodeOf(wish.err) != kafka.ErrRequestTimedOut || wish.at-elected > 100*time.Millisecond {
				t.Errorf("a leader's wish that may have been received: %d answers %v after the election: %v", wish.done, wish.at-elected, wish.err)
			}
		})
	}
}

// TestSeatsAreAskedInTurn while nobody is known to lead, as when a broker starts with nothing but bootstrap servers.
func TestSeatsAreAskedInTurn(t *testing.T) {
	o := newTown(t, 4)
	o.form()
	opts := o.options()
	opts.Where.Leader = func() (kafka.NodeID, kafka.LeaderEpoch) { return kafka.NoNode, -1 }
	opts.Where.Voters, opts.Where.Seats = nil, nil
	for _, v := range o.voters {
		opts.Where.Seats = append(opts.Where.Seats, record.Voter{ID: kafka.NoNode, Endpoints: []record.Endpoint{{Host: v.Endpoints[0].Host, Port: 9093}}})
	}
	o.join(remote.NewControl(opts))
}

// own is a controller in the broker's process.
type own struct {
	town   *town
	asked  int
	refuse int
}

func (l *own) Submit(_ controller.Command, done func(any, error)) {
	l.asked++
	if l.refuse > 0 {
		l.refuse--
		done(nil, fault.New("quorum", kafka.ErrNotController, "not any more"))
		return
	}
	l.town.w.Go(func() { done("decided here", nil) })
}

// TestANodesOwnControllerIsAskedWithoutAConnection while it leads, and again when it stumbled.
func TestANodesOwnControllerIsAskedWithoutAConnection(t *testing.T) {
	o := newTown(t, 5)
	opts, here := o.options(), &own{town: o, refuse: 2}
	opts.Own, opts.Self = here, 2
	opts.Where.Leader = func() (kafka.NodeID, kafka.LeaderEpoch) { return 2, 7 }
	c := remote.NewControl(opts)
	for _, cmd := range []controller.Command{o.beat(1), controller.Bootstrap{}} {
		r := o.submit(c, time.Second, cmd)
		o.w.Run(2 * time.Second)
		if r.done != 1 || r.err != nil || r.reply != "decided here" {
			t.Fatalf("%T: %d answers, %v, %v", cmd, r.done, r.reply, r.err)
		}
	}
	if remote.NewForwarder(opts).Forward(o.creation("t", 1000, &result{})) {
		t.Fatal("a client's request is forwarded to this node")
	}
	if here.asked != 4 {
		t.Fatalf("asked %d times", here.asked)
	}
}

// TestABrokerThatComesBackNeedNotWaitForItsOldSession when its old process is proven to have ended (architecture D6).
func TestABrokerThatComesBackNeedNotWaitForItsOldSession(t *testing.T) {
	for _, dead := range []bool{true, false} {
		o := newTown(t, 6)
		leader := o.form()
		c := remote.NewControl(o.options())
		epoch := o.join(c)
		asked := 0
		o.suspect = func(b *image.Broker, done func(bool)) {
			if asked++; b.Epoch != epoch {
				t.Errorf("epoch %d is suspected", b.Epoch)
			}
			o.w.Go(func() { done(dead) })
		}
		r := o.submit(c, 5*time.Second, registration(2))
		o.w.Run(time.Second)
		if r.done != 1 || asked != 1 || (r.err == nil) != dead {
			t.Fatalf("dead %v: %d answers, asked %d times, %v", dead, r.done, asked, r.err)
		}
		if !dead && fault.CodeOf(r.err) != kafka.ErrDuplicateBrokerRegistration {
			t.Fatal(r.err)
		}
		if b := leader.feed.Image().Broker(9); (b.Incarnation == kafka.IncarnationID{2}) != dead {
			t.Fatalf("dead %v: %+v", dead, b)
		}
	}
}

// storm runs a broker through elections, cuts and resets, and returns how many commands succeeded and how many elections there were.
func storm(t *testing.T, seed uint64) (succeeded, elections int) {
	o := newTown(t, seed)
	o.form()
	c, f := remote.NewControl(o.options()), remote.NewForwarder(o.options())
	epoch := o.join(c)
	rng := o.w.Rand()
	var ids, creations, beats []*result
	told := o.told
	for step := range 150 {
		ids = append(ids, o.submit(c, 20*time.Second, controller.AllocateProducerIDs{Broker: 9, Epoch: epoch}))
		beats = append(beats, o.submit(c, 2*time.Second, o.beat(epoch)))
		r := &result{}
		creations = append(creations, r)
		f.Forward(o.creation(fmt.Sprintf("t%d", step), 20_000, r))
		s := o.controllers[rng.IntN(3)]
		switch rng.IntN(12) {
		case 0:
			o.net.Break("b", s.host)
		case 1:
			o.net.Cut("b", s.host) // one way
		case 2:
			o.net.Cut(s.host, "b")
		case 3:
			if leader := o.active(); leader != nil && !slices.ContainsFunc(o.controllers, func(s *seat) bool { return s.cut }) {
				leader.isolate(true)
			}
		case 4, 5, 6:
			for _, s := range o.controllers {
				s.isolate(false)
			}
		}
		o.w.Run(time.Duration(rng.IntN(150)) * time.Millisecond)
		if _, now := o.known(); now != told {
			told = now
			elections++
			if rng.IntN(2) == 0 {
				c.Moved()
				f.Moved()
			}
		}
	}
	for _, s := range o.controllers {
		s.isolate(false)
	}
	o.w.Run(60 * time.Second)
	leader := o.awaitActive()
	o.w.Run(time.Second)

	var blocks []kafka.ProducerID
	for _, r := range slices.Concat(ids, beats, creations) {
		if r.done != 1 {
			t.Fatalf("seed %d: a command is answered %d times", seed, r.done)
		}
	}
	for _, r := range ids {
		if r.err == nil {
			blocks = append(blocks, r.reply.(controller.ProducerIDs).First)
			succeeded++
		}
	}
	slices.Sort(blocks)
	if len(slices.Compact(slices.Clone(blocks))) != len(blocks) {
		t.Fatalf("seed %d: a block of producer ids is given twice: %v", seed, blocks)
	}
	// A topic that was made is there. One that was there when it was asked for again was made by the first try: nobody else asks.
	for i, r := range creations {
		code, there := r.created(), leader.feed.Image().TopicNamed(fmt.Sprintf("t%d", i)) != nil
		switch code {
		case kafka.ErrNone, kafka.ErrTopicAlreadyExists:
			if !there {
				t.Fatalf("seed %d: topic %d is answered with %v and is not there", seed, i, code)
			}
			succeeded++
		case kafka.ErrRequestTimedOut, kafka.ErrInvalidReplicationFactor: // the broker was fenced meanwhile
		default:
			t.Fatalf("seed %d: topic %d is answered with %v", seed, i, code)
		}
	}
	if b := leader.feed.Image().Broker(9); b == nil || b.Epoch != epoch {
		t.Fatalf("seed %d: the registration became %+v", seed, b)
	}
	c.Close()
	f.Close()
	o.w.Run(time.Second)
	o.quiet()
	return succeeded, elections
}

// TestInAStormEveryCommandIsAnsweredOnce, takes effect once, and nobody waits for ever.
func TestInAStormEveryCommandIsAnsweredOnce(t *testing.T) {
	succeeded, elections := 0, 0
	for seed := range uint64(12) {
		n, e := storm(t, seed)
		succeeded, elections = succeeded+n, elections+e
	}
	t.Logf("%d commands succeeded over %d elections", succeeded, elections)
	if succeeded < 1500 || elections < 24 {
		t.Fatalf("%d commands succeeded over %d elections: the test tests too little", succeeded, elections)
	}
}
