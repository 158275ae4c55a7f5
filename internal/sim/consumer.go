package sim

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// consumer reads partitions from their beginnings: one Fetch at a time to each node, for whatever that leads. To a history each
// partition that it reads is a process.
type consumer struct {
	c         *client
	committed bool // isolation.level=read_committed
	anywhere  bool // it reads from whichever replica, as one with a rack may (KIP-392)
	positions []*position
	polling   map[kafka.NodeID]bool
	over      bool
}

// position is where a consumer stands in a partition.
type position struct {
	tp      kafka.TopicPartition
	process int
	next    kafka.Offset
	epoch   kafka.LeaderEpoch // of the last record, -1 before the first
	end     kafka.Offset      // where the reader stops; -1 for never
	asked   bool              // a Fetch for it is under way
	id      kafka.TopicID     // of a topic of several lives
	from    kafka.NodeID      // whom a reader asks next that reads from any replica
	op      history.Op
}

func newConsumer(r *run, host string, committed bool) *consumer {
	k := &consumer{c: newClient(r, host), committed: committed, polling: map[kafka.NodeID]bool{}}
	k.c.later(backoff, k.tick)
	return k
}

// assign has the consumer read a partition, too, to some end or for ever.
func (k *consumer) assign(tp kafka.TopicPartition, end kafka.Offset) *position {
	p := &position{tp: tp, process: k.c.r.crowd.processes(), epoch: kafka.NoLeaderEpoch, end: end}
	k.positions = append(k.positions, p)
	op := k.c.r.record.Begin(history.Op{Process: p.process, F: history.DoAssign, Keys: []history.Key{tp}, Committed: k.committed})
	op.Kind = history.Ok
	k.c.r.record.End(op)
	return p
}

// seek has the consumer go on elsewhere.
func (k *consumer) seek(p *position, to kafka.Offset) {
	if to == p.next {
		return
	}
	op := k.c.r.record.Begin(history.Op{Process: p.process, F: history.DoSeek, Keys: []history.Key{p.tp}})
	op.Kind = history.Ok
	k.c.r.record.End(op)
	p.next, p.epoch = to, kafka.NoLeaderEpoch
}

// reset has the consumer go on where the log begins now, as auto.offset.reset=earliest does: what it would read next was deleted.
func (k *consumer) reset(p *position) {
	p.asked = true
	k.c.r.begins(k.c, p.tp, func(start kafka.Offset) {
		p.asked = false
		if start > p.next {
			k.seek(p, start)
		}
	})
}

// wander has each partition read from whichever replica next.
func (k *consumer) wander() {
	for _, p := range k.positions {
		if !p.asked {
			p.from = k.c.r.brokers[k.c.r.dice.IntN(len(k.c.r.brokers))].id
		}
	}
}

func (p *position) done() bool { return p.end >= 0 && p.next >= p.end }

// tick begins a Fetch to each node that leads something and isn't asked.
func (k *consumer) tick() {
	if k.over {
		return
	}
	if k.anywhere {
		k.wander()
	}
	unknown := false
	for _, m := range k.c.r.brokers {
		if k.polling[m.id] {
			continue
		}
		var of []*position
		for _, p := range k.positions {
			at, known := k.c.leader(p.tp)
			unknown = unknown || !known
			if k.anywhere {
				at.node = p.from
			}
			if known && at.node == m.id && !p.asked && !p.done() {
				of = append(of, p)
			}
		}
		if len(of) > 0 {
			k.poll(m.id, of)
		}
	}
	if unknown {
		k.c.refresh(func() { k.c.later(backoff, k.tick) })
		return
	}
	k.c.later(backoff, k.tick)
}

// poll fetches from one node.
func (k *consumer) poll(node kafka.NodeID, of []*position) {
	r := k.c.r
	k.polling[node] = true
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch = 12, 300, 1, 1<<20, -1
	if k.committed {
		req.IsolationLevel = 1
	}
	for _, p := range of {
		t, part := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
		at, _ := k.c.leader(p.tp)
		t.Topic, part.Partition, part.FetchOffset, part.PartitionMaxBytes = p.tp.Topic, p.tp.Partition, int64(p.next), 4096
		part.CurrentLeaderEpoch, part.LastFetchedEpoch = int32(at.epoch), int32(p.epoch)
		if k.anywhere {
			part.LastFetchedEpoch = -1 // a follower may not yet have cut what the leader doesn't have
		}
		if !p.id.IsZero() {
			req.Version, t.TopicID = 13, p.id
		}
		t.Partitions = append(t.Partitions, part)
		req.Topics = append(req.Topics, t)
		p.asked = true
		p.op = r.record.Begin(history.Op{Process: p.process, F: history.DoPoll, Committed: k.committed})
	}
	k.c.to(node).ask(req, asked, func(resp kmsg.Response, _ history.Transport) {
		k.polling[node] = false
		in, ok := resp.(*kmsg.FetchResponse)
		for _, p := range of {
			p.asked = false
			var out *kmsg.FetchResponseTopicPartition
			if ok {
				out = found(in, p)
			}
			k.took(p, out)
		}
		k.c.later(time.Millisecond, func() {})
	})
}

func found(in *kmsg.FetchResponse, of *position) *kmsg.FetchResponseTopicPartition {
	for i := range in.Topics {
		if t := &in.Topics[i]; t.TopicID != of.id || of.id.IsZero() && t.Topic != of.tp.Topic {
			continue
		}
		for j := range in.Topics[i].Partitions {
			if p := &in.Topics[i].Partitions[j]; p.Partition == of.tp.Partition {
				return p
			}
		}
	}
	return nil
}

// took takes the answer for one partition, nil for none.
func (k *consumer) took(p *position, out *kmsg.FetchResponseTopicPartition) {
	r := k.c.r
	p.op.Kind = history.Info
	switch {
	case out == nil:
		k.c.wrong(p.tp)
	case out.ErrorCode != 0:
		p.op.Kind, p.op.Code = history.Fail, kafka.ErrorCode(out.ErrorCode)
		k.c.wrong(p.tp)
		switch {
		case p.op.Code == kafka.ErrOffsetOutOfRange && p.next < r.trimmed(p.tp).asked:
			defer k.reset(p) // when this poll is recorded
		case !p.op.Code.Retriable() || p.op.Code == kafka.ErrOffsetOutOfRange:
			r.broken("consumer", "a fetch of %v at offset %d, up to which everything had been read: %v", p.tp, p.next, p.op.Code)
		}
	case out.DivergingEpoch.EndOffset >= 0:
		p.op.Kind = history.Fail
		r.broken("consumer", "%v ends for epoch %d at offset %d, and a consumer had read to offset %d in epoch %d", p.tp, out.DivergingEpoch.Epoch, out.DivergingEpoch.EndOffset, p.next, p.epoch)
		k.c.wrong(p.tp)
	default:
		p.op.Kind = history.Ok
		k.read(p, out)
	}
	r.record.End(p.op)
}

// read takes the records of an answer.
func (k *consumer) read(p *position, out *kmsg.FetchResponseTopicPartition) {
	r := k.c.r
	poll := history.Poll{Key: p.tp, High: kafka.Offset(out.HighWatermark), Stable: kafka.Offset(out.LastStableOffset)}
	for b := out.RecordBatches; len(b) > 0; {
		batch, rest, err := record.Next(b)
		if record.IsShort(err) {
			break
		}
		if err == nil {
			err = batch.CheckCRC()
		}
		if err == nil {
			err = batch.Each(record.Limits{}, func(rec *record.Record) error {
				if rec.Offset >= p.next {
					poll.Pairs = append(poll.Pairs, history.NewPair(rec.Offset, rec.TimestampMs, true, rec.Key, rec.Value, nil))
				}
				return nil
			})
		}
		if err != nil {
			r.broken("K1 payload", "%v at offset %d: %v", p.tp, p.next, err)
			break
		}
		if batch.NextOffset() > p.next {
			p.next, p.epoch = batch.NextOffset(), batch.LeaderEpoch()
		}
		b = rest
	}
	r.reached.Of[Read] += len(poll.Pairs)
	p.op.Mops = []history.Mop{{Poll: []history.Poll{poll}}}
}
