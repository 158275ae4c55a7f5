package node_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/wire"
)

// writer writes to one partition without pause, one record at a time, and goes where it is told that the leader is.
type writer struct {
	c         *three
	topic     string
	partition int32
	acks      int16
	leader    int32

	value    int
	at       map[int]int64 // acknowledged values, by offset
	refused  map[kafka.ErrorCode]int
	unhinted int // refusals that did not say who leads, or that it is who refuses
	over     bool
	since    time.Duration // of the value that is under way
	longest  time.Duration // that a value took
}

func (c *three) writer(topic string, partition int32, acks int16) *writer {
	w := &writer{c: c, topic: topic, partition: partition, acks: acks, leader: c.leaders(1, topic)[partition], at: map[int]int64{}, refused: map[kafka.ErrorCode]int{}}
	w.next()
	return w
}

func (w *writer) next() {
	w.value++
	w.since = w.c.w.Now().Mono
	w.send()
}

func (w *writer) send() {
	if w.over {
		return
	}
	b := record.NewBuilder(record.Plain())
	b.Append(w.c.w.Now().WallMs, nil, fmt.Appendf(nil, "%d", w.value))
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 10, w.acks, 30000
	t, p := kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
	t.Topic, p.Partition, p.Records = w.topic, w.partition, must.Get(b.Build())
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	var in []byte
	l := w.c.at(w.leader).node.Connect(wire.Peer{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Addr: netip.MustParseAddrPort("10.0.0.1:1"), Principal: wire.Anonymous}, func(b []byte) {
		if in = append(in, b...); len(in) >= 4 && len(in) >= 4+int(binary.BigEndian.Uint32(in)) {
			resp := req.ResponseKind().(*kmsg.ProduceResponse)
			resp.SetVersion(req.Version)
			must.OK(resp.ReadFrom(in[9:]))
			w.answered(&resp.Topics[0].Partitions[0])
		}
	})
	l.Send(kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")).AppendRequest(nil, req, 7))
}

func (w *writer) answered(p *kmsg.ProduceResponseTopicPartition) {
	if code := kafka.ErrorCode(p.ErrorCode); code != kafka.ErrNone {
		w.refused[code]++
		if p.CurrentLeader.LeaderID < 1 || p.CurrentLeader.LeaderID == w.leader {
			w.unhinted++
			p.CurrentLeader.LeaderID = w.leader%3 + 1
		}
		w.leader = p.CurrentLeader.LeaderID
		w.c.w.After(time.Millisecond, w.send)
		return
	}
	w.at[w.value] = p.BaseOffset
	w.longest = max(w.longest, w.c.w.Now().Mono-w.since)
	w.c.w.After(time.Millisecond, w.next)
}

// contents is what a partition holds, value by value.
func (c *three) contents(at int32, topic string, partition int32) (values []string) {
	c.t.Helper()
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes, req.SessionEpoch = 11, 50<<20, -1
	t, p := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	t.Topic, p.Partition, p.PartitionMaxBytes, p.CurrentLeaderEpoch = topic, partition, 50<<20, -1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	out := ask[*kmsg.FetchResponse](c, at, req).Topics[0].Partitions[0]
	if code := kafka.ErrorCode(out.ErrorCode); code != kafka.ErrNone {
		c.t.Fatalf("reading %s-%d: %v", topic, partition, code)
	}
	for b := out.RecordBatches; len(b) > 0; {
		batch, rest, err := record.Next(b)
		must.OK(err)
		must.OK(batch.Each(record.Limits{}, func(r *record.Record) error {
			values = append(values, string(r.Value))
			return nil
		}))
		b = rest
	}
	return values
}

// stop stops a node cleanly.
func (c *three) stop(id int32) (took time.Duration) {
	c.t.Helper()
	began, stopped := c.w.Now().Mono, false
	c.at(id).node.Stop(func(err error) {
		if stopped = true; err != nil {
			c.t.Errorf("node %d stops with %v", id, err)
		}
	})
	c.await("the node stops", time.Minute, func() bool { return stopped })
	return c.w.Now().Mono - began
}

// A node that stops hands what it leads to the others, and takes nothing back: neither what was acknowledged with acks=1 nor what was
// on its way. Whoever writes to it hears who leads now.
func TestANodeThatStopsHandsOver(t *testing.T) {
	for seed := range uint64(20) {
		c := newThree(t, seed)
		c.create(1, "t", 6)
		for _, id := range []int32{1, 2, 3} {
			c.await("everybody knows the topic", time.Second, func() bool { return len(c.leaders(id, "t")) == 6 })
		}
		victim := int32(seed%3) + 1
		led := c.leaders(1, "t")
		var writers []*writer
		for p := range int32(6) {
			writers = append(writers, c.writer("t", p, int16(-1+2*(p%2))))
		}
		c.w.Run(200 * time.Millisecond)
		took := c.stop(victim)
		c.await("another leads the quorum", 50*time.Millisecond, func() bool {
			now := c.controller(victim%3 + 1)
			return now > 0 && now != victim
		})
		c.kill(victim)
		c.w.Run(200 * time.Millisecond)
		if took > time.Second {
			t.Errorf("seed %d: it stops for %s", seed, took)
		}
		other := victim%3 + 1
		req := kmsg.NewPtrMetadataRequest()
		req.Version = 9
		for _, p := range ask[*kmsg.MetadataResponse](c, other, req).Topics[0].Partitions {
			if p.Leader == victim || p.Leader < 1 || slices.Contains(p.ISR, victim) {
				t.Errorf("seed %d: t-%d is led by %d, %v in sync", seed, p.Partition, p.Leader, p.ISR)
			}
		}
		for i, w := range writers {
			if w.unhinted > 0 || led[i] == victim && len(w.refused) == 0 || len(w.refused) > 1 || w.longest > 50*time.Millisecond {
				t.Errorf("seed %d: a writer of t-%d was refused by %v, %d times without a word of who leads; its longest write took %s", seed, i, w.refused, w.unhinted, w.longest)
			}
			w.over = true
		}
		c.w.Run(time.Second)
		for i, w := range writers {
			have := c.contents(w.leader, "t", int32(i))
			for value, at := range w.at {
				if at >= int64(len(have)) || have[at] != fmt.Sprint(value) {
					t.Fatalf("seed %d: t-%d lost %d at %d with acks=%d", seed, i, value, at, w.acks)
				}
			}
			if len(have) != len(w.at) {
				t.Errorf("seed %d: t-%d has %d records of %d", seed, i, len(have), len(w.at))
			}
		}
	}
}

// Once it has handed over, a node that stops serves for a moment, and fetches nothing any more: nobody waits for what it would write.
func TestWhoGoesFollowsNobody(t *testing.T) {
	c := newThree(t, 1)
	c.create(1, "t", 6)
	for p := range int32(6) {
		c.writer("t", p, -1)
	}
	c.w.Run(200 * time.Millisecond)
	stopped := false
	c.at(1).node.Stop(func(error) { stopped = true })
	c.await("others lead", time.Second, func() bool { return !slices.Contains(c.leaders(1, "t"), 1) && !slices.Contains(c.leaders(2, "t"), 1) })
	ends := func(id int32) (out []kafka.Offset) {
		probe := c.at(id).node.Probe()
		for p := range int32(6) {
			tp := kafka.TopicIDPartition{TopicID: probe.Image().TopicNamed("t").ID, Partition: p}
			out = append(out, partition.Probe(probe.Replica(tp)).End)
		}
		return out
	}
	c.w.Run(20 * time.Millisecond) // what was under way has come
	mine, theirs := ends(1), ends(2)
	c.w.Run(100 * time.Millisecond)
	if stopped {
		t.Fatal("it has stopped before anything could be seen")
	}
	if now := ends(1); !slices.Equal(now, mine) {
		t.Errorf("it goes on from %v to %v", mine, now)
	}
	for i, end := range ends(2) {
		if end <= theirs[i] {
			t.Errorf("t-%d: nobody writes any more", i)
		}
	}
}

// The last nodes stop without anybody to hand over to, and don't wait for long: two of three have no quorum when one is left.
func TestTheLastNodesStop(t *testing.T) {
	for seed := range uint64(10) {
		c := newThree(t, seed)
		c.create(1, "t", 3)
		for i := range int32(3) {
			id := (int32(seed)+i)%3 + 1
			if took := c.stop(id); took > 4*time.Second {
				t.Errorf("seed %d: node %d of 3 takes %s to stop", seed, i+1, took)
			}
			c.kill(id)
		}
	}
}
