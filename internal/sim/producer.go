package sim

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// producer writes to every partition, a batch at a time to each or up to five, which it sends until the fate of each is known, as the Java
// client does: the same bytes, with the same sequence number where it is idempotent.
type producer struct {
	c          *client
	idempotent bool
	acks       int16
	id         kafka.ProducerID
	epoch      int16
	asks       bool
	lanes      []*lane
	every      time.Duration
	window     int  // max.in.flight.requests.per.connection
	quiet      bool // it begins nothing new
}

// lane is a producer's work on one partition. To a history it is a process.
type lane struct {
	p        *producer
	tp       kafka.TopicPartition
	process  int
	writer   uint64
	count    uint64 // records made
	made     int    // batches
	sequence int32
	flight   []*parcel // whose fate isn't known, in the order of their sequence numbers
	stalled  bool      // one has failed: when the rest is answered, too, all are sent again in their order
	waking   bool      // they are about to be
	acked    int
	end      kafka.Offset  // behind what was acknowledged with an offset
	met      bool          // a leader has taken something: before, it would take a later batch without the first (KIP-360)
	id       kafka.TopicID // of a topic of several lives
	over     bool          // its topic is deleted
}

// parcel is a batch on its way.
type parcel struct {
	op       history.Op
	batch    []byte
	records  int32
	nth      int   // of the lane's batches
	sequence int32 // of the first
	attempts []history.Attempt
	out      bool // it was sent, and not answered
}

// inFlight is Kafka's default of max.in.flight.requests.per.connection, and as many batches of a producer as a broker remembers.
const inFlight = 5

func newProducer(r *run, host string, acks int16, idempotent bool) *producer {
	p := &producer{c: newClient(r, host), acks: acks, idempotent: idempotent, id: kafka.NoProducerID, epoch: -1}
	p.every, p.window = time.Duration(10+r.dice.IntN(80))*time.Millisecond, 1
	if idempotent && r.dice.IntN(2) == 0 {
		p.window = inFlight
	}
	return p
}

// join has the producer write to a partition, too.
func (p *producer) join(tp kafka.TopicPartition) { p.joinLife(tp, kafka.TopicID{}) }

// joinLife has the producer write to a partition of one life of a topic.
func (p *producer) joinLife(tp kafka.TopicPartition, id kafka.TopicID) {
	l := &lane{p: p, tp: tp, id: id}
	l.begin(p.c.r.crowd.processes())
	p.lanes = append(p.lanes, l)
	p.c.later(p.every, l.turn)
}

// begin has the lane write as a process from its first record on.
func (l *lane) begin(process int) { l.process, l.writer, l.count = process, uint64(process), 0 }

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
	// A broker knows the last five again, and no others: one that was settled behind the oldest counts, too.
	if len(l.flight) == 0 || l.met && l.made-l.flight[0].nth < p.window {
		l.flight = append(l.flight, l.compose())
		if !l.stalled {
			l.send(l.flight[len(l.flight)-1])
		}
	}
	if p.window > 1 {
		p.c.later(p.every, l.turn)
	}
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
func (l *lane) compose() *parcel {
	p, r := l.p, l.p.c.r
	x := &parcel{records: int32(1 + r.dice.IntN(4)), nth: l.made, sequence: l.sequence}
	l.made++
	o := record.Plain()
	if p.idempotent {
		o.ProducerID, o.ProducerEpoch, o.BaseSequence = p.id, kafka.ProducerEpoch(p.epoch), l.sequence
	}
	b := record.NewBuilder(o)
	op := history.Op{Process: l.process, F: history.DoSend}
	now := r.w.Now().WallMs
	for range x.records {
		v := history.Value(l.writer, l.count)
		l.count++
		payload := history.Payload(nil, v, 16+r.dice.IntN(150))
		b.Append(now, nil, payload)
		op.Mops = append(op.Mops, history.Mop{Send: &history.Send{
			Key: l.tp, V: v, Off: kafka.NoOffset, Time: now, CRC: history.Sum(now, nil, payload, nil),
		}})
	}
	l.sequence += x.records
	x.batch, x.op = must.Get(b.Build()), r.record.Begin(op)
	return x
}

// send sends a batch to whoever leads.
func (l *lane) send(x *parcel) {
	c := l.p.c
	at, known := c.leader(l.tp)
	if !known {
		l.stall()
		return
	}
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 9, l.p.acks, 1500
	t, p := kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
	t.Topic, p.Partition, p.Records = l.tp.Topic, l.tp.Partition, x.batch
	if !l.id.IsZero() {
		req.Version, t.TopicID = 13, l.id
	}
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	x.out = true
	c.to(at.node).ask(req, asked, func(resp kmsg.Response, how history.Transport) {
		a := history.Attempt{Transport: how}
		base := kafka.NoOffset
		if in, ok := resp.(*kmsg.ProduceResponse); ok {
			out := in.Topics[0].Partitions[0]
			a.Code, base = kafka.ErrorCode(out.ErrorCode), kafka.Offset(out.BaseOffset)
		}
		x.attempts, x.out = append(x.attempts, a), false
		if a.Transport == history.Answered && a.Code == kafka.ErrNone && l.p.acks == -1 && base >= 0 {
			c.r.watch.acked(l.tp, l.id, at.node, base, x.records)
		}
		l.answered(x, a, base)
	})
}

// stall has nothing more sent, and all that is not settled again once nothing is on its way: sooner a batch might overtake one that was
// sent before it.
func (l *lane) stall() {
	l.stalled = true
	if l.waking || slices.ContainsFunc(l.flight, func(x *parcel) bool { return x.out }) {
		return
	}
	l.waking = true
	again := func() {
		l.waking, l.stalled = false, false
		for _, x := range slices.Clone(l.flight) {
			switch {
			case l.over:
				l.settle(x, kafka.ErrUnknownTopicId, kafka.NoOffset)
			case !l.stalled:
				l.send(x)
			}
		}
	}
	if c := l.p.c; len(l.flight) > 0 {
		c.refresh(func() { c.later(backoff, again) })
	} else {
		again()
	}
}

// answered acts on what became of an attempt.
func (l *lane) answered(x *parcel, a history.Attempt, base kafka.Offset) {
	c := l.p.c
	switch {
	case a.Transport == history.Answered && (a.Code == kafka.ErrNone || a.Code == kafka.ErrDuplicateSequenceNumber):
		l.met = true
		l.settle(x, a.Code, base)
	case l.p.acks != -1: // it doesn't try again: what one replica lost would be there twice
		c.wrong(l.tp)
		l.settle(x, a.Code, kafka.NoOffset)
		if a.Transport != history.Answered {
			l.begin(c.r.crowd.processes()) // that one may be written yet, behind what comes now: it is another process that goes on
		}
	case a.Transport != history.Answered || a.Code.Retriable():
		c.wrong(l.tp)
		l.stall()
	case a.Code == kafka.ErrOutOfOrderSequenceNumber && x != l.flight[0]:
		l.stall() // the one before it has not come there
	case a.Code == kafka.ErrOutOfOrderSequenceNumber && l.deleted(x):
		c.r.note("producer %d of %v: sequence %d is deleted before it was acknowledged", l.p.id, l.tp, x.sequence)
		l.settle(x, a.Code, kafka.NoOffset)
	default:
		l.p.fatal(l, x, a.Code)
		l.settle(x, a.Code, kafka.NoOffset)
	}
	if l.stalled {
		l.stall()
	}
}

// deleted reports whether DeleteRecords may have taken a batch that may be written already. A follower that began anew behind it
// knows its producer by later batches only: when it leads the batch is out of order there, as with Kafka.
func (l *lane) deleted(x *parcel) bool {
	return history.Settle(x.attempts, history.Produced) == history.Info && l.p.c.r.trimmed(l.tp).asked > l.end
}

// settle ends the operation.
func (l *lane) settle(x *parcel, code kafka.ErrorCode, base kafka.Offset) {
	r := l.p.c.r
	x.op.Kind, x.op.Code = history.Settle(x.attempts, history.Produced), code
	if l.p.acks != -1 && x.op.Kind == history.Ok {
		x.op.Kind = history.Info // acknowledged by one, which may lose it
	}
	if code == kafka.ErrNone && base >= 0 {
		l.end = max(l.end, base+kafka.Offset(x.records))
		for i := range x.op.Mops {
			x.op.Mops[i].Send.Off = base + kafka.Offset(i)
		}
	}
	r.record.End(x.op)
	if x.op.Kind == history.Ok {
		l.acked += int(x.records)
		r.reached.Of[Acked] += int(x.records)
		if !l.id.IsZero() {
			r.reached.Of[AckedAgain] += int(x.records)
		}
	}
	l.flight = slices.DeleteFunc(l.flight, func(y *parcel) bool { return y == x })
	if l.p.window == 1 {
		l.p.c.later(l.p.every, l.turn)
	}
}

// fatal is an error after which a Java producer would throw: of an idempotent one that sends in order none is right.
func (p *producer) fatal(l *lane, x *parcel, code kafka.ErrorCode) {
	p.c.r.broken("producer", "producer %d epoch %d at sequence %d of %v: %v", p.id, p.epoch, x.sequence, l.tp, code)
}
