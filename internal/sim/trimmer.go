package sim

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

// trimmer deletes records from the beginning of partitions (KIP-107), and knows how far a log may begin by that and has to.
type trimmer struct {
	c     *client
	every time.Duration
}

// trimmed is where a partition may begin.
type trimmed struct {
	asked kafka.Offset // the furthest that anybody has asked for, whatever became of it
	done  kafka.Offset // the furthest that was acknowledged
}

// trim has records deleted, in runs that are to have that.
func (r *run) trim() {
	if r.plan.Swarm.Variety.Deletes {
		t := &trimmer{c: newClient(r, "trimmer"), every: time.Duration(100+r.dice.IntN(1500)) * time.Millisecond}
		t.again()
	}
}

// trimmed is where a partition may begin.
func (r *run) trimmed(tp kafka.TopicPartition) *trimmed {
	t := r.crowd.trims[tp]
	if t == nil {
		if r.crowd.trims == nil {
			r.crowd.trims = map[kafka.TopicPartition]*trimmed{}
		}
		t = &trimmed{}
		r.crowd.trims[tp] = t
	}
	return t
}

func (t *trimmer) again() { t.c.later(t.every, t.turn) }

// turn asks where a partition ends, and then for what is before some offset to be deleted.
func (t *trimmer) turn() {
	r := t.c.r
	if r.phase != faulty {
		return
	}
	tp := kafka.TopicPartition{Topic: topic, Partition: int32(r.dice.IntN(r.plan.Swarm.Partitions))}
	at, known := t.c.leader(tp)
	if !known {
		t.c.refresh(t.again)
		return
	}
	t.c.to(at.node).ask(boundOf(tp, at.epoch, latest), asked, func(resp kmsg.Response, _ history.Transport) {
		end, ok := boundIn(resp)
		if !ok {
			t.c.wrong(tp)
			t.again()
			return
		}
		t.delete(tp, at.node, max(0, end-kafka.Offset(r.dice.Int64N(int64(max(1, end/4+2))))))
	})
}

func (t *trimmer) delete(tp kafka.TopicPartition, leader kafka.NodeID, to kafka.Offset) {
	r := t.c.r
	may := r.trimmed(tp)
	may.asked = max(may.asked, to)
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Version, req.TimeoutMillis = 2, 2000
	of, p := kmsg.NewDeleteRecordsRequestTopic(), kmsg.NewDeleteRecordsRequestTopicPartition()
	of.Topic, p.Partition, p.Offset = tp.Topic, tp.Partition, int64(to)
	of.Partitions = append(of.Partitions, p)
	req.Topics = append(req.Topics, of)
	t.c.to(leader).ask(req, asked, func(resp kmsg.Response, _ history.Transport) {
		t.again()
		in, ok := resp.(*kmsg.DeleteRecordsResponse)
		if !ok || in.Topics[0].Partitions[0].ErrorCode != 0 {
			t.c.wrong(tp)
			return
		}
		low := kafka.Offset(in.Topics[0].Partitions[0].LowWatermark)
		if low < to || low > may.asked {
			r.broken("C5 log-start", "%v was to begin at %d, %d had been asked for at the most, and node %d answered that it begins at %d", tp, to, may.asked, leader, low)
		}
		may.done = max(may.done, low)
		r.reached.add(Trimmed)
		r.note("%v begins at %d", tp, low)
	})
}

// begins asks the leader where a partition begins until it is told, and holds that against what was asked for and acknowledged. What
// it hears goes into the history: what stood before may be gone.
func (r *run) begins(c *client, tp kafka.TopicPartition, done func(kafka.Offset)) {
	again := func() { c.refresh(func() { c.later(backoff, func() { r.begins(c, tp, done) }) }) }
	at, known := c.leader(tp)
	if !known {
		again()
		return
	}
	must := r.trimmed(tp).done
	op := r.record.Begin(history.Op{Process: r.crowd.processes(), F: history.DoAsk})
	c.to(at.node).ask(boundOf(tp, at.epoch, earliest), asked, func(resp kmsg.Response, _ history.Transport) {
		op.Kind = history.Info
		start, ok := boundIn(resp)
		if !ok {
			r.record.End(op)
			c.wrong(tp)
			again()
			return
		}
		op.Kind = history.Ok
		op.Mops = []history.Mop{{Bounds: &history.Bounds{Key: tp, Earliest: start, Stable: kafka.NoOffset, Latest: kafka.NoOffset}}}
		r.record.End(op)
		if may := r.trimmed(tp).asked; start > may || start < must {
			r.broken("C5 log-start", "%v begins at %d by the word of node %d in epoch %d; %d was asked for at the most, and %d acknowledged", tp, start, at.node, at.epoch, may, must)
		}
		done(start)
	})
}
