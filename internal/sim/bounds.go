package sim

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

// What ListOffsets calls the bounds of a log.
const (
	latest   = -1
	earliest = -2
)

// bound asks who leads a partition where its committed records end, or where its log begins. told hears it, or that nothing was told:
// then the client knows of no leader any more.
func (c *client) bound(tp kafka.TopicPartition, by lead, which int64, told func(o kafka.Offset, ok bool)) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version, req.ReplicaID = 6, -1
	t, p := kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
	t.Topic, p.Partition, p.Timestamp, p.CurrentLeaderEpoch = nameOf(tp.Topic), tp.Partition, which, int32(by.epoch)
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	c.to(by.node).ask(req, asked, func(resp kmsg.Response, _ history.Transport) {
		in, ok := resp.(*kmsg.ListOffsetsResponse)
		if !ok || in.Topics[0].Partitions[0].ErrorCode != 0 {
			c.wrong(tp)
			told(0, false)
			return
		}
		told(kafka.Offset(in.Topics[0].Partitions[0].Offset), true)
	})
}

// end asks where any one partition ends. One of the two is called: heard with who told, or missed.
func (c *client) end(heard func(tp kafka.TopicPartition, by lead, end kafka.Offset), missed func()) {
	tp := kafka.TopicPartition{Topic: topic, Partition: int32(c.r.dice.IntN(c.r.plan.Swarm.Partitions))}
	by, known := c.leader(tp)
	if !known {
		c.refresh(missed)
		return
	}
	c.bound(tp, by, latest, func(end kafka.Offset, ok bool) {
		if !ok {
			missed()
			return
		}
		heard(tp, by, end)
	})
}

// witness asks for a bound as part of the history: what stood outside of it may be gone. Where nothing was told it calls again, with
// newer metadata, and else done.
func (r *run) witness(c *client, tp kafka.TopicPartition, which int64, again func(), done func(by lead, o kafka.Offset)) {
	retry := func() { c.refresh(func() { c.later(backoff, again) }) }
	by, known := c.leader(tp)
	if !known {
		retry()
		return
	}
	op := r.record.Begin(history.Op{Process: r.crowd.processes(), F: history.DoAsk})
	c.bound(tp, by, which, func(o kafka.Offset, ok bool) {
		if !ok {
			op.Kind = history.Info
			r.record.End(op)
			retry()
			return
		}
		b := history.Bounds{Key: tp, Earliest: kafka.NoOffset, Stable: kafka.NoOffset, Latest: kafka.NoOffset}
		if which == earliest {
			b.Earliest = o
		} else {
			b.Latest = o
		}
		op.Kind, op.Mops = history.Ok, []history.Mop{{Bounds: &b}}
		r.record.End(op)
		done(by, o)
	})
}

// begins asks where a partition begins until it is told, and holds that against what was asked for and acknowledged.
func (r *run) begins(c *client, tp kafka.TopicPartition, done func(kafka.Offset)) {
	must := r.trimmed(tp).done
	r.witness(c, tp, earliest, func() { r.begins(c, tp, done) }, func(by lead, start kafka.Offset) {
		if may := r.trimmed(tp).asked; start > may || start < must {
			r.broken("C5 log-start", "%v begins at %d by the word of node %d in epoch %d; %d was asked for at the most, and %d acknowledged", tp, start, by.node, by.epoch, may, must)
		}
		done(start)
	})
}

// ends asks where a partition ends until it is told.
func (r *run) ends(c *client, tp kafka.TopicPartition, done func(kafka.Offset)) {
	r.witness(c, tp, latest, func() { r.ends(c, tp, done) }, func(_ lead, end kafka.Offset) { done(end) })
}
