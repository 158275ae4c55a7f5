package controller

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

const sessionTimeout = 9 * time.Second

// lab is a machine with a log that commits at once.
type lab struct {
	t    testing.TB
	m    *Machine
	now  kafka.Instant
	next kafka.Offset
	last []staterecord.Record // of the last command
}

func options() Options {
	return Options{
		Node: 1, DefaultPartitions: 1, DefaultReplicas: 1, SessionTimeout: sessionTimeout, Seed: 7,
		Supported: []staterecord.FeatureRange{
			{Name: staterecord.FeatureKRaft, Min: 1, Max: 1}, {Name: staterecord.FeatureMetadataVersion, Min: 7, Max: 30},
			{Name: staterecord.FeatureElr, Max: 1},
		},
	}
}

// newLab returns a machine that leads: the log begins with three control records.
func newLab(t testing.TB) *lab {
	l := &lab{t: t, m: New(options()), next: 2, now: kafka.Instant{Mono: time.Hour, WallMs: 1_700_000_000_000}}
	l.elected()
	l.must(Bootstrap{})
	return l
}

// elected begins a new term with its LEADER_CHANGE.
func (l *lab) elected() {
	l.next++
	l.m.Lead(l.now, l.next)
}

// do decides a command, and has it applied and committed.
func (l *lab) do(cmd any) (any, error) {
	l.t.Helper()
	recs, reply, err := l.m.Decide(l.now, l.next, cmd)
	l.last = recs
	for _, r := range recs {
		l.m.Apply(l.next, r)
		l.next++
	}
	l.m.Commit(l.next)
	return reply, err
}

func (l *lab) must(cmd any) any {
	l.t.Helper()
	reply, err := l.do(cmd)
	if err != nil {
		l.t.Fatalf("%T: %v", cmd, err)
	}
	return reply
}

// refused decides a command that must be refused as a whole.
func (l *lab) refused(cmd any, code kafka.ErrorCode, message string) {
	l.t.Helper()
	recs, _, err := l.m.Decide(l.now, l.next, cmd)
	if fault.CodeOf(err) != code || len(recs) > 0 {
		l.t.Fatalf("%T: got %v and %d records, want %s", cmd, err, len(recs), code)
	}
	if got := fault.MessageOf(err); got == nil || *got != message {
		l.t.Fatalf("%T: message %v, want %q", cmd, err, message)
	}
}

func dirOf(id kafka.NodeID) kafka.DirectoryID { return kafka.DirectoryID{0: 0xdd, 15: byte(id)} }

func registration(id kafka.NodeID, incarnation byte) RegisterBroker {
	return RegisterBroker{
		Broker: id, Incarnation: kafka.IncarnationID{0: byte(id), 1: incarnation}, LogDirs: []kafka.DirectoryID{dirOf(id)},
		Endpoints: []staterecord.Endpoint{{Name: "PLAINTEXT", Host: "localhost", Port: 9092}}, Features: options().Supported,
	}
}

func (l *lab) epoch(id kafka.NodeID) kafka.BrokerEpoch { return l.broker(id).Epoch }

func (l *lab) broker(id kafka.NodeID) *image.Broker {
	l.t.Helper()
	b := l.m.Committed().Broker(id)
	if b == nil {
		l.t.Fatalf("broker %d is not registered", id)
	}
	return b
}

// beat sends the heartbeat of a broker that has applied everything.
func (l *lab) beat(id kafka.NodeID, with ...func(*Heartbeat)) Beat {
	l.t.Helper()
	h := Heartbeat{Broker: id, Epoch: l.epoch(id), MetadataOffset: l.next - 1}
	for _, f := range with {
		f(&h)
	}
	return l.must(h).(Beat)
}

func wantShutdown(h *Heartbeat) { h.WantShutdown = true }
func wantFence(h *Heartbeat)    { h.WantFence = true }

// start registers brokers and has them unfenced.
func (l *lab) start(ids ...kafka.NodeID) {
	l.t.Helper()
	for _, id := range ids {
		l.must(registration(id, 1))
		if b := l.beat(id); b.Fenced {
			l.t.Fatalf("broker %d stays fenced: %+v", id, b)
		}
	}
}

// expire lets time pass and runs the timers, while some brokers keep their sessions.
func (l *lab) expire(alive ...kafka.NodeID) {
	l.t.Helper()
	l.now = l.now.Add(sessionTimeout)
	for _, id := range alive {
		l.beat(id)
	}
	l.now = l.now.Add(time.Millisecond)
	for _, cmd := range l.m.Due(l.now) {
		l.must(cmd)
	}
}

// seed puts a topic into the log as somebody else's decision.
func (l *lab) seed(name string, parts ...staterecord.Partition) kafka.TopicID {
	id := topicID(name)
	recs := []staterecord.Record{&staterecord.Topic{Name: name, TopicID: id}}
	for i := range parts {
		p := parts[i]
		p.PartitionID, p.TopicID = int32(i), id
		for _, r := range p.Replicas {
			p.Directories = append(p.Directories, dirOf(r))
		}
		recs = append(recs, &p)
	}
	for _, r := range recs {
		l.m.Apply(l.next, r)
		l.next++
	}
	l.m.Commit(l.next)
	return id
}

func topicID(name string) kafka.TopicID {
	var id kafka.TopicID
	copy(id[1:], name)
	return id
}

func (l *lab) partition(topic string, id int32) string {
	l.t.Helper()
	t := l.m.Committed().TopicNamed(topic)
	if t == nil {
		l.t.Fatalf("no topic %q", topic)
	}
	p, ok := t.Partition(id)
	if !ok {
		l.t.Fatalf("no partition %s-%d", topic, id)
	}
	s := fmt.Sprintf("replicas %v isr %v leader %d epoch %d.%d", p.Replicas(), p.ISR(), p.Leader, p.LeaderEpoch, p.PartitionEpoch)
	if p.Recovery != staterecord.Recovered {
		s += " recovering"
	}
	if len(p.ELR()) > 0 {
		s += fmt.Sprint(" elr ", p.ELR())
	}
	if len(p.LastKnownELR()) > 0 {
		s += fmt.Sprint(" last ", p.LastKnownELR())
	}
	if p.Settling {
		s += " settling"
	}
	return s
}

func (l *lab) expect(topic string, id int32, want string) {
	l.t.Helper()
	if got := l.partition(topic, id); got != want {
		l.t.Errorf("%s-%d: %s\n want: %s", topic, id, got, want)
	}
}

func nodes(ids ...kafka.NodeID) []kafka.NodeID { return ids }

// bytesOf encodes records, to compare what was decided.
func bytesOf(recs []staterecord.Record) []byte {
	var b []byte
	for _, r := range recs {
		b = staterecord.Append(b, r)
	}
	return b
}

func sameImage(t testing.TB, what string, a, b *image.Image) {
	t.Helper()
	x, y := slices.Collect(a.Records()), slices.Collect(b.Records())
	if string(bytesOf(x)) != string(bytesOf(y)) {
		t.Fatalf("%s: the images differ: %d and %d records", what, len(x), len(y))
	}
}
