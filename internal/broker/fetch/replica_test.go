package fetch

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// broker is node 1 of three, which leads the partitions of the topic t.
type broker struct {
	t     testing.TB
	w     *world.Virtual
	parts []*partition.Partition
	area  *Fetches
	racks map[kafka.NodeID]string
	later error // why it can't say that nobody leads after an epoch
}

func (b *broker) at(i int32) (*partition.Partition, error) { return b.parts[i], nil }
func (b *broker) ByName(k kafka.TopicPartition) (*partition.Partition, error) {
	return b.at(k.Partition)
}
func (b *broker) ByID(k kafka.TopicIDPartition) (*partition.Partition, error) {
	return b.at(k.Partition)
}
func (b *broker) Leader(string, string, kafka.TopicID, int32) *wire.LeaderHint { return nil }
func (b *broker) Wish(*partition.Partition)                                    {}
func (b *broker) Durable(*partition.Partition)                                 {}

func (b *broker) Member(id kafka.NodeID) (kafka.BrokerEpoch, bool) {
	if id > 3 {
		return -1, false
	}
	return 7, true
}

func (b *broker) Succeeded(kafka.TopicPartition, kafka.TopicID, kafka.LeaderEpoch) error {
	return b.later
}

func (b *broker) Near(id kafka.NodeID, _ string) (string, bool) { return b.racks[id], true }

func newBroker(t testing.TB, partitions int) *broker {
	b := &broker{t: t, w: world.NewVirtual(3), racks: map[kafka.NodeID]string{1: "a", 2: "b", 3: "b"}}
	fs := disk.NewMem()
	must.OK(fs.MkdirAll("d"))
	env := &partition.Env{World: b.w, Flusher: disk.NewFlusher(b.w, "d"), Self: 1, Replication: b, Logger: slog.New(slog.DiscardHandler),
		Failed: func(err error) { t.Error(err) }}
	for i := range partitions {
		tp := kafka.TopicPartition{Topic: "t", Partition: int32(i)}
		p := partition.New(env, tp, &partition.Config{Log: log.DefaultConfig(), MinISR: 1}, 0, func(c log.Config) (*log.Log, error) {
			return log.Open(log.Options{FS: fs, Path: fmt.Sprintf("d/t-%d", i), Partition: tp, Config: c, Now: b.w.Now()})
		})
		p.Become(replica.Registration{Leader: 1, LeaderEpoch: 4, PartitionEpoch: 1, Replicas: []kafka.NodeID{1, 2, 3}, ISR: []kafka.NodeID{1, 2, 3}})
		b.parts = append(b.parts, p)
	}
	b.area = New(b.w, b, Limits{MaxBytes: 1 << 20, SessionSlots: 10, SessionEvictMs: 1000, SessionBytes: 1 << 30, RackAware: true}, wire.NewBudget(1<<40), slog.New(slog.DiscardHandler))
	return b
}

// append writes a record to partition 0 with acks=all.
func (b *broker) append() *error {
	out := new(error)
	*out = errWaits
	r := record.NewBuilder(record.Plain())
	r.Append(b.w.Now().WallMs, nil, []byte("x"))
	b.parts[0].Append(partition.Append{Batch: must.Get(r.Build()), Acks: -1, Epoch: kafka.NoLeaderEpoch}, func(a partition.Appended) { *out = a.Err })
	return out
}

var errWaits = fmt.Errorf("not answered yet")

// stands is what a follower says of a partition.
type stands struct {
	partition     int32
	from, durable kafka.Offset
	last          kafka.LeaderEpoch
	high          kafka.Offset
}

// asking is a Fetch of node 2.
func asking(session, epoch, maxBytes int32, at ...stands) *kmsg.FetchRequest {
	m := kmsg.NewPtrFetchRequest()
	m.SetVersion(18)
	m.ReplicaState.ID, m.ReplicaState.Epoch = 2, 7
	m.MaxWaitMillis, m.MinBytes, m.MaxBytes, m.SessionID, m.SessionEpoch = 500, 1, maxBytes, session, epoch
	topic := kmsg.NewFetchRequestTopic()
	for _, s := range at {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.LogStartOffset, p.PartitionMaxBytes = s.partition, int64(s.from), 0, 1<<20
		p.CurrentLeaderEpoch, p.LastFetchedEpoch, p.HighWatermark = 4, int32(s.last), int64(s.high)
		p.UnknownTags.Set(wire.TagDurable, binary.BigEndian.AppendUint64(nil, uint64(s.durable)))
		topic.Partitions = append(topic.Partitions, p)
	}
	m.Topics = append(m.Topics, topic)
	return m
}

// answered is what a Fetch was answered, once it was.
type answered struct {
	done    bool
	code    kafka.ErrorCode
	session int32
	parts   []wire.ReplyPartition
}

func (b *broker) send(m *kmsg.FetchRequest) *answered {
	b.t.Helper()
	out := &answered{}
	in, err := wire.ParseFetch(m.Version, m.AppendTo(nil))
	if err != nil {
		b.t.Fatal(err)
	}
	req := &wire.Request{Version: m.Version, Key: kafka.KeyFetch, Fetch: in}
	req.Reply = func(r wire.Reply) {
		var body []byte
		for _, p := range r.Payload.Pieces {
			if p.File == nil {
				body = append(body, p.Bytes...)
				continue
			}
			at := len(body)
			body = append(body, make([]byte, p.Len)...)
			if _, err := p.File.ReadAt(body[at:], p.Pos); err != nil {
				b.t.Error(err)
			}
		}
		if r.Payload.Release != nil {
			r.Payload.Release()
		}
		reply, err := wire.ParseFetchReply(m.Version, body)
		if err != nil {
			b.t.Error(err)
		}
		out.done, out.code, out.session = true, reply.ErrorCode, reply.SessionID
		for p := range reply.All {
			out.parts = append(out.parts, p)
		}
	}
	b.area.Fetch(req)
	return out
}

// one expects exactly one partition.
func (a *answered) one(t *testing.T) wire.ReplyPartition {
	t.Helper()
	if !a.done || a.code != kafka.ErrNone || len(a.parts) != 1 {
		t.Fatalf("answered: %+v", *a)
	}
	return a.parts[0]
}

// A lone record with acks=all: it goes out to the fetch that waits, and the follower's report of its flush, which comes
// while the next fetch waits, has it acknowledged and that fetch answered. Nobody waits for a long poll to end.
func TestAReportIsHeardWhileAFetchWaits(t *testing.T) {
	b := newBroker(t, 1)
	b.parts[0].Become(replica.Registration{Leader: 1, LeaderEpoch: 4, PartitionEpoch: 2, Replicas: []kafka.NodeID{1, 2}, ISR: []kafka.NodeID{1, 2}})
	first := b.send(asking(0, 0, 1<<20, stands{last: -1}))
	if first.done {
		t.Fatal("answered with nothing")
	}
	acked := b.append()
	b.w.Run(10 * time.Millisecond)
	if got := first.one(t); len(got.Records) == 0 || got.HighWatermark != 0 || first.session == 0 {
		t.Fatalf("an append was not answered with what is in the log: %+v", got)
	}
	next := b.send(asking(first.session, 1, 1<<20, stands{from: 1, last: 4}))
	report := b.send(asking(first.session, 2, 0, stands{from: 1, durable: 1, last: 4}))
	if !report.done || len(report.parts) != 0 || report.code != kafka.ErrNone {
		t.Fatalf("a report is answered at once, with nothing: %+v", report)
	}
	if *acked != nil {
		t.Fatalf("the record is durable everywhere: %v", *acked)
	}
	b.w.Run(10 * time.Millisecond)
	if got := next.one(t); got.HighWatermark != 1 || len(got.Records) != 0 {
		t.Fatalf("the fetch that waits has to tell the high watermark: %+v", got)
	}
	// Reading it again took nothing back of what the report said.
	if k := partition.AsLeader(b.parts[0]).Followers(nil); len(k) != 1 || k[0].Durable != 1 {
		t.Fatalf("the leader knows %+v", k)
	}
	last := b.send(asking(first.session, 3, 1<<20, stands{from: 1, durable: 1, last: 4, high: 1}))
	b.w.Run(400 * time.Millisecond)
	if last.done {
		t.Fatal("nothing is new, and it was answered")
	}
	b.w.Run(200 * time.Millisecond)
	if !last.done || len(last.parts) != 0 {
		t.Fatalf("the wait is over: %+v", last)
	}
}

// A report is about the partitions that it names; what there is to say of others the Fetch that waits says.
func TestAReportNamesItsPartitions(t *testing.T) {
	b := newBroker(t, 2)
	first := b.send(asking(0, 0, 1<<20, stands{last: -1}, stands{partition: 1, last: -1}))
	b.append()
	b.w.Run(10 * time.Millisecond)
	if !first.done {
		t.Fatal("not answered")
	}
	next := b.send(asking(first.session, 1, 1<<20, stands{from: 1, last: 4}))
	b.parts[1].Become(replica.Registration{Leader: 2, LeaderEpoch: 5, PartitionEpoch: 2, Replicas: []kafka.NodeID{1, 2, 3}, ISR: []kafka.NodeID{2}})
	report := b.send(asking(first.session, 2, 0, stands{from: 1, durable: 1, last: 4}))
	if !report.done || len(report.parts) != 0 {
		t.Fatalf("%+v", report)
	}
	wrong := b.send(asking(first.session, 3, 0, stands{partition: 1, from: 0, last: -1}))
	if got := wrong.one(t); got.Partition != 1 || got.ErrorCode != kafka.ErrFencedLeaderEpoch {
		t.Fatalf("an error of a report is told: %+v", got)
	}
	b.w.Run(10 * time.Millisecond)
	if got := next.one(t); got.Partition != 1 || got.ErrorCode != kafka.ErrFencedLeaderEpoch {
		t.Fatalf("%+v", got)
	}
}

func TestAReplicasLogThatPartsIsToldWhere(t *testing.T) {
	b := newBroker(t, 1)
	b.append()
	got := b.send(asking(0, 0, 1<<20, stands{from: 1, last: 2, durable: 1})).one(t)
	if got.Diverging != (wire.EpochEnd{Epoch: 2, EndOffset: 0}) || len(got.Records) != 0 {
		t.Fatalf("%+v", got)
	}
	if k := partition.AsLeader(b.parts[0]).Followers(nil); k[0].End != kafka.NoOffset {
		t.Fatalf("noted where a log stands that is another one: %+v", k)
	}
}

func TestWhoMayNotReplicate(t *testing.T) {
	b := newBroker(t, 1)
	for _, change := range []struct {
		what string
		f    func(*kmsg.FetchRequest)
		code kafka.ErrorCode
	}{
		{"a broker that is not registered", func(m *kmsg.FetchRequest) { m.ReplicaState.ID = 9 }, kafka.ErrNotLeaderOrFollower},
		{"a process from before the registered one", func(m *kmsg.FetchRequest) { m.ReplicaState.Epoch = 6 }, kafka.ErrNotLeaderOrFollower},
		{"an older leader epoch", func(m *kmsg.FetchRequest) { m.Topics[0].Partitions[0].CurrentLeaderEpoch = 3 }, kafka.ErrFencedLeaderEpoch},
		{"a newer leader epoch", func(m *kmsg.FetchRequest) { m.Topics[0].Partitions[0].CurrentLeaderEpoch = 5 }, kafka.ErrUnknownLeaderEpoch},
		{"no leader epoch", func(m *kmsg.FetchRequest) { m.Topics[0].Partitions[0].CurrentLeaderEpoch = -1 }, kafka.ErrFencedLeaderEpoch},
		{"an offset that the leader does not have", func(m *kmsg.FetchRequest) { m.Topics[0].Partitions[0].FetchOffset = 5 }, kafka.ErrOffsetOutOfRange},
		{"who is registered and has the right epoch", func(m *kmsg.FetchRequest) { m.MaxWaitMillis = 0 }, kafka.ErrNone},
	} {
		m := asking(0, 0, 1<<20, stands{last: -1})
		change.f(m)
		got := b.send(m).one(t)
		if got.ErrorCode != change.code {
			t.Errorf("%s: %v, want %v", change.what, got.ErrorCode, change.code)
		}
		if k := partition.AsLeader(b.parts[0]).Followers(nil); len(k) > 0 && (k[0].End != kafka.NoOffset) != (change.code == kafka.ErrNone) {
			t.Errorf("%s: noted as %+v", change.what, k[0])
		}
	}
}

// Consumers are sent to a replica in their rack, if it is in sync and has what they ask for.
func TestConsumersAreSentToTheirRack(t *testing.T) {
	b := newBroker(t, 1)
	b.append()
	for node := int32(2); node <= 3; node++ {
		m := asking(0, -1, 1<<20, stands{from: kafka.Offset(3 - node), last: int4(node)})
		m.ReplicaState.ID, m.MaxWaitMillis = node, 0
		b.send(m)
	}
	read := func(rack string, version int16, from int64) wire.ReplyPartition {
		m := asking(0, -1, 1<<20, stands{from: kafka.Offset(from), last: -1})
		m.SetVersion(version)
		m.ReplicaState.ID, m.ReplicaID, m.Rack, m.MaxWaitMillis = -1, -1, rack, 10_000
		if rack != "b" || version < 11 || from > 0 {
			m.MaxWaitMillis = 0
		}
		return b.send(m).one(t)
	}
	for _, c := range []struct {
		rack    string
		version int16
		from    int64
		want    kafka.NodeID
	}{{"b", 11, 0, 2}, {"b", 18, 1, 2}, {"a", 18, 0, -1}, {"", 18, 0, -1}, {"nowhere", 18, 0, -1}, {"b", 10, 0, -1}} {
		if got := read(c.rack, c.version, c.from); got.PreferredReplica != c.want || c.want >= 0 && len(got.Records) > 0 {
			t.Errorf("rack %q, version %d, offset %d: sent to %d", c.rack, c.version, c.from, got.PreferredReplica)
		}
	}
	b.parts[0].Become(replica.Registration{Leader: 1, LeaderEpoch: 4, PartitionEpoch: 2, Replicas: []kafka.NodeID{1, 2, 3}, ISR: []kafka.NodeID{1, 3}})
	for from, want := range []kafka.NodeID{3, -1} {
		if got := read("b", 18, int64(from)); got.PreferredReplica != want {
			t.Errorf("node 2 is not in sync any more, and offset %d is read from %d", from, got.PreferredReplica)
		}
	}
}

// int4 is the last epoch of node 2, which has the record, and of node 3, which has none.
func int4(node int32) kafka.LeaderEpoch {
	if node == 2 {
		return 4
	}
	return -1
}

// A replica that asks for an epoch is told that it is over also by who could only say that it doesn't lead; a client is not.
func TestAReplicaIsToldOfALaterLeader(t *testing.T) {
	b := newBroker(t, 1)
	b.parts[0].Become(replica.Registration{Leader: 2, LeaderEpoch: 4, PartitionEpoch: 2, Replicas: []kafka.NodeID{1, 2, 3}, ISR: []kafka.NodeID{1, 2, 3}})
	b.later = fault.New("test", kafka.ErrFencedLeaderEpoch, "there is a later one")
	for _, c := range []struct {
		what    string
		asker   int32
		current int32
		want    kafka.ErrorCode
	}{
		{"a replica", 2, 4, kafka.ErrFencedLeaderEpoch},
		{"a replica that is ahead", 2, 5, kafka.ErrFencedLeaderEpoch},
		{"a replica that doesn't say in which epoch it asks", 2, -1, kafka.ErrNotLeaderOrFollower},
		{"a client", -1, 4, kafka.ErrNotLeaderOrFollower},
		{"a client that is ahead", -1, 5, kafka.ErrUnknownLeaderEpoch},
	} {
		m := kmsg.NewPtrOffsetForLeaderEpochRequest()
		m.Version, m.ReplicaID = 4, c.asker
		topic, p := kmsg.NewOffsetForLeaderEpochRequestTopic(), kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
		topic.Topic, p.CurrentLeaderEpoch, p.LeaderEpoch = "t", c.current, c.current
		topic.Partitions = append(topic.Partitions, p)
		m.Topics = append(m.Topics, topic)
		var got *kmsg.OffsetForLeaderEpochResponse
		b.area.OffsetForLeaderEpoch(&wire.Request{Version: 4, Key: kafka.KeyOffsetForLeaderEpoch, Body: m, Reply: func(r wire.Reply) {
			got = r.Message.(*kmsg.OffsetForLeaderEpochResponse)
		}})
		if code := kafka.ErrorCode(got.Topics[0].Partitions[0].ErrorCode); code != c.want {
			t.Errorf("%s: %v, want %v", c.what, code, c.want)
		}
	}
}
