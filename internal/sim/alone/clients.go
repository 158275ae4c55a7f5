package alone

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// admin makes the topic and sees to it that there is one.
func (r *run) admin() {
	var c *conn
	var create func()
	create = func() {
		req := kmsg.NewPtrCreateTopicsRequest()
		req.Version = 7
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = topic, r.o.Partitions, 1
		req.Topics, req.TimeoutMillis = append(req.Topics, t), 5000
		again := func() { r.w.After(50*time.Millisecond, create) }
		if !c.ask(req, func(resp kmsg.Response) {
			if resp == nil {
				again()
				return
			}
			switch code := kafka.ErrorCode(resp.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode); code {
			case kafka.ErrNone, kafka.ErrTopicAlreadyExists:
				r.facts.created = true
			default:
				again()
			}
		}) {
			again()
		}
	}
	c = newConn(r, func() {})
	create()
}

// producer is an idempotent producer with one batch in flight on each partition, which it sends until it is acknowledged.
type producer struct {
	r     *run
	c     *conn
	index int
	id    int64
	lanes []*lane
}

// lane is what a producer does on one partition.
type lane struct {
	partition int32
	sequence  int32 // of the next new batch
	values    []string
	busy      bool
}

func newProducer(r *run, index int) {
	p := &producer{r: r, index: index, id: -1}
	for n := range r.o.Partitions {
		p.lanes = append(p.lanes, &lane{partition: n})
	}
	p.c = newConn(r, func() {})
	p.tick()
}

func (p *producer) tick() {
	p.r.w.After(time.Duration(1+p.r.dice.IntN(20))*time.Millisecond, func() {
		if p.r.over {
			return
		}
		p.work()
		p.tick()
	})
}

func (p *producer) work() {
	if p.id < 0 {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.Version = 4
		p.c.ask(req, func(resp kmsg.Response) {
			if in, ok := resp.(*kmsg.InitProducerIDResponse); ok && in.ErrorCode == 0 && p.id < 0 {
				p.r.facts.producerID(p.r, in.ProducerID)
				p.id = in.ProducerID
			}
		})
		return
	}
	l := p.lanes[p.r.dice.IntN(len(p.lanes))]
	if l.busy || !p.r.facts.created {
		return
	}
	if l.values == nil {
		for i := range 1 + p.r.dice.IntN(4) {
			l.values = append(l.values, fmt.Sprintf("%d/%d/%d", p.index, l.partition, l.sequence+int32(i)))
		}
		p.r.facts.sent(l.values)
	}
	p.send(l)
}

func (p *producer) send(l *lane) {
	o := record.Plain()
	o.ProducerID, o.ProducerEpoch, o.BaseSequence = kafka.ProducerID(p.id), 0, l.sequence
	b := record.NewBuilder(o)
	for _, v := range l.values {
		b.Append(p.r.w.Now().WallMs, nil, []byte(v))
	}
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 11, -1, 10_000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	part := kmsg.NewProduceRequestTopicPartition()
	part.Partition, part.Records = l.partition, must.Get(b.Build())
	t.Partitions = append(t.Partitions, part)
	req.Topics = append(req.Topics, t)
	l.busy = p.c.ask(req, func(resp kmsg.Response) {
		l.busy = false
		if resp == nil {
			return // nobody knows; the same batch goes out again
		}
		a := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
		switch code := kafka.ErrorCode(a.ErrorCode); {
		case code == kafka.ErrNone:
			p.r.facts.acked(p.r, l.partition, a.BaseOffset, l.values)
			l.sequence += int32(len(l.values))
			l.values = nil
		case code.Retriable():
		default:
			p.r.problem("producer %d on partition %d at sequence %d: error %v", p.index, l.partition, l.sequence, code)
			l.values, l.sequence = nil, l.sequence+100_000 // and on, so that one problem isn't reported for ever
		}
	})
}

// consumer reads every partition from its start, with long polls, and keeps what it saw.
type consumer struct {
	r    *run
	c    *conn
	at   []int64
	busy bool
}

func newConsumer(r *run) {
	k := &consumer{r: r, at: make([]int64, r.o.Partitions)}
	k.c = newConn(r, func() { k.busy = false })
	k.tick()
}

func (k *consumer) tick() {
	k.r.w.After(5*time.Millisecond, func() {
		if !k.busy && k.r.facts.created {
			k.fetch()
		}
		k.tick()
	})
}

func (k *consumer) fetch() {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch = 12, 500, 1, 1<<20, -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topic
	for n, at := range k.at {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = int32(n), at, 1<<18, -1
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	k.busy = k.c.ask(req, func(resp kmsg.Response) {
		k.busy = false
		if resp == nil {
			return
		}
		for _, t := range resp.(*kmsg.FetchResponse).Topics {
			for i := range t.Partitions {
				k.at[t.Partitions[i].Partition] = k.r.facts.fetched(k.r, &t.Partitions[i], k.at[t.Partitions[i].Partition])
			}
		}
	})
}

// committer commits ever larger offsets for a group without members, and reads them back.
type committer struct {
	r     *run
	c     *conn
	next  int64
	busy  bool
	found bool // the group's coordinator, which makes its topic when it is first looked for
	reads bool
}

const group = "g"

func newCommitter(r *run) {
	m := &committer{r: r}
	m.c = newConn(r, func() { m.busy = false })
	m.tick()
}

func (m *committer) tick() {
	m.r.w.After(30*time.Millisecond, func() {
		switch {
		case m.busy || !m.r.facts.created:
		case !m.found:
			m.find()
		default:
			if m.reads = !m.reads; m.reads {
				m.read()
			} else if !m.r.over {
				m.commit()
			}
		}
		m.tick()
	})
}

func (m *committer) find() {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.Version, req.CoordinatorKey = 3, group
	m.busy = m.c.ask(req, func(resp kmsg.Response) {
		m.busy = false
		in, ok := resp.(*kmsg.FindCoordinatorResponse)
		m.found = ok && in.ErrorCode == 0
	})
}

func (m *committer) commit() {
	m.next++
	offset := m.next
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Generation = 8, group, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = topic
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset, p.LeaderEpoch = offset, -1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	m.busy = m.c.ask(req, func(resp kmsg.Response) {
		m.busy = false
		if resp != nil && resp.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode == 0 {
			m.r.facts.committed = offset
			m.r.result.Commits++
		}
	})
}

func (m *committer) read() {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version, req.Group = 7, group
	t := kmsg.NewOffsetFetchRequestTopic()
	t.Topic, t.Partitions = topic, []int32{0}
	req.Topics = append(req.Topics, t)
	known := m.r.facts.committed
	m.busy = m.c.ask(req, func(resp kmsg.Response) {
		m.busy = false
		if in, ok := resp.(*kmsg.OffsetFetchResponse); ok && in.ErrorCode == 0 {
			if got := in.Topics[0].Partitions[0].Offset; got < known {
				m.r.problem("group %s is at offset %d, but %d was committed", group, got, known)
			}
			m.r.facts.groupRead = true
		}
	})
}
