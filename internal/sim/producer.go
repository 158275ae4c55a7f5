package sim

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// producer writes to every partition, a batch at a time to each, which it sends until its fate is known, as the Java client
// does: the same bytes, with the same sequence number where it is idempotent.
type producer struct {
	c          *client
	idempotent bool
	acks       int16
	id         kafka.ProducerID
	epoch      int16
	asks       bool
	lanes      []*lane
	every      time.Duration
	quiet      bool // it begins nothing new
}

// lane is a producer's work on one partition. To a history it is a process.
type lane struct {
	p        *producer
	tp       kafka.TopicPartition
	process  int
	writer   uint64
	count    uint64 // records made
	sequence int32
	op       history.Op
	batch    []byte // of op; nil between two
	records  int32
	attempts []history.Attempt
	acked    int
	id       kafka.TopicID // of a topic of several lives
	over     bool          // its topic is deleted
}

func newProducer(r *run, host string, acks int16, idempotent bool) *producer {
	p := &producer{c: newClient(r, host), acks: acks, idempotent: idempotent, id: kafka.NoProducerID, epoch: -1}
	p.every = time.Duration(10+r.dice.IntN(80)) * time.Millisecond
	return p
}

// join has the producer write to a partition, too.
func (p *producer) join(tp kafka.TopicPartition) { p.joinLife(tp, kafka.TopicID{}) }

// joinLife has the producer write to a partition of one life of a topic.
func (p *producer) joinLife(tp kafka.TopicPartition, id kafka.TopicID) {
	n := p.c.r.crowd.processes()
	l := &lane{p: p, tp: tp, process: n, writer: uint64(n), id: id}
	p.lanes = append(p.lanes, l)
	p.c.later(p.every, l.turn)
}

// turn is the moment for the lane's next batch.
func (l *lane) turn() {
	p := l.p
	if p.quiet || l.over {
		return
	}
	if p.idempotent && p.id < 0 {
		p.introduce(l.turn)
		return
	}
	l.compose()
	l.send()
}

// introduce asks for a producer id.
func (p *producer) introduce(then func()) {
	again := func() { p.c.later(backoff, then) }
	if p.asks {
		again()
		return
	}
	p.asks = true
	req := kmsg.NewPtrInitProducerIDRequest()
	req.Version, req.TransactionTimeoutMillis = 4, 60_000
	p.c.any().ask(req, asked, func(resp kmsg.Response, _ history.Transport) {
		p.asks = false
		in, ok := resp.(*kmsg.InitProducerIDResponse)
		if !ok || in.ErrorCode != 0 {
			again()
			return
		}
		p.id, p.epoch = kafka.ProducerID(in.ProducerID), in.ProducerEpoch
		p.c.r.crowd.given(p.id)
		then()
	})
}

// compose makes the next batch and writes it into the history.
func (l *lane) compose() {
	p, r := l.p, l.p.c.r
	o := record.Plain()
	if p.idempotent {
		o.ProducerID, o.ProducerEpoch, o.BaseSequence = p.id, kafka.ProducerEpoch(p.epoch), l.sequence
	}
	b := record.NewBuilder(o)
	op := history.Op{Process: l.process, F: history.DoSend}
	now := r.w.Now().WallMs
	l.records = int32(1 + r.dice.IntN(4))
	for range l.records {
		v := history.Value(l.writer, l.count)
		l.count++
		payload := history.Payload(nil, v, 16+r.dice.IntN(150))
		b.Append(now, nil, payload)
		op.Mops = append(op.Mops, history.Mop{Send: &history.Send{
			Key: l.tp, V: v, Off: kafka.NoOffset, Time: now, CRC: history.Sum(now, nil, payload, nil),
		}})
	}
	l.batch, l.attempts = must.Get(b.Build()), nil
	l.op = r.record.Begin(op)
}

// send sends the batch to whoever leads.
func (l *lane) send() {
	c := l.p.c
	at, known := c.leader(l.tp)
	if !known {
		c.refresh(func() { c.later(backoff, l.retry) })
		return
	}
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 9, l.p.acks, 1500
	t, p := kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
	t.Topic, p.Partition, p.Records = l.tp.Topic, l.tp.Partition, l.batch
	if !l.id.IsZero() {
		req.Version, t.TopicID = 13, l.id
	}
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	c.to(at.node).ask(req, asked, func(resp kmsg.Response, how history.Transport) {
		a := history.Attempt{Transport: how}
		base := kafka.NoOffset
		if in, ok := resp.(*kmsg.ProduceResponse); ok {
			out := in.Topics[0].Partitions[0]
			a.Code, base = kafka.ErrorCode(out.ErrorCode), kafka.Offset(out.BaseOffset)
		}
		l.attempts = append(l.attempts, a)
		if a.Transport == history.Answered && a.Code == kafka.ErrNone && l.p.acks == -1 && base >= 0 {
			c.r.watch.acked(l.tp, l.id, at.node, base, l.records)
		}
		l.answered(a, base)
	})
}

func (l *lane) retry() {
	if l.over {
		l.settle(kafka.ErrUnknownTopicId, kafka.NoOffset)
		return
	}
	if _, known := l.p.c.leader(l.tp); known {
		l.send()
		return
	}
	l.p.c.refresh(func() { l.p.c.later(backoff, l.retry) })
}

// answered acts on what became of an attempt.
func (l *lane) answered(a history.Attempt, base kafka.Offset) {
	c := l.p.c
	switch {
	case a.Transport == history.Answered && (a.Code == kafka.ErrNone || a.Code == kafka.ErrDuplicateSequenceNumber):
		l.settle(a.Code, base)
	case l.p.acks != -1: // it doesn't try again: what one replica lost would be there twice
		c.wrong(l.tp)
		l.settle(a.Code, kafka.NoOffset)
	case a.Transport != history.Answered || a.Code.Retriable():
		c.wrong(l.tp)
		c.refresh(func() { c.later(backoff, l.retry) })
	default:
		l.p.fatal(l, a.Code)
		l.settle(a.Code, kafka.NoOffset)
	}
}

// settle ends the operation.
func (l *lane) settle(code kafka.ErrorCode, base kafka.Offset) {
	r := l.p.c.r
	l.op.Kind, l.op.Code = history.Settle(l.attempts, history.Produced), code
	if l.p.acks != -1 && l.op.Kind == history.Ok {
		l.op.Kind = history.Info // acknowledged by one, which may lose it
	}
	if code == kafka.ErrNone && base >= 0 {
		for i := range l.op.Mops {
			l.op.Mops[i].Send.Off = base + kafka.Offset(i)
		}
	}
	r.record.End(l.op)
	if l.op.Kind == history.Ok {
		l.acked += int(l.records)
		r.reached.Of[Acked] += int(l.records)
		if !l.id.IsZero() {
			r.reached.Of[AckedAgain] += int(l.records)
		}
	}
	l.batch = nil
	l.sequence += l.records
	l.p.c.later(l.p.every, l.turn)
}

// fatal is an error after which a Java producer would throw: of an idempotent one that sends in order none is right.
func (p *producer) fatal(l *lane, code kafka.ErrorCode) {
	p.c.r.broken("producer", "producer %d epoch %d at sequence %d of %v: %v", p.id, p.epoch, l.sequence, l.tp, code)
}
