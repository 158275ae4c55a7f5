package sim

import (
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// phoenix is a topic that is deleted and made again under its name, while nodes are away and clients go on. Its clients name the
// topic's id in what they write and read (KIP-516), so each life of it is a topic of its own for a history: again@ and the id.
type phoenix struct {
	c          *client
	producer   *producer
	reader     *consumer // of the life that is now; nil between two
	id         kafka.TopicID
	over       map[kafka.TopicID]bool
	partitions int
}

// again is the phoenix's name.
const again = "again"

// rise has such a topic be, in runs that are to have one.
func (c *crowd) rise() {
	if !c.r.plan.Swarm.Variety.Again {
		return
	}
	x := &phoenix{c: newClient(c.r, "phoenix"), over: map[kafka.TopicID]bool{}, partitions: 1 + c.r.dice.IntN(2)}
	x.producer = newProducer(c.r, "pa", -1, c.r.plan.Swarm.Idempotent)
	c.producers, c.phoenix = append(c.producers, x.producer), x
	x.make()
}

// keyOf names a life of a topic.
func keyOf(id kafka.TopicID, partition int) kafka.TopicPartition {
	return kafka.TopicPartition{Topic: again + "@" + id.String(), Partition: int32(partition)}
}

// nameOf is the name of a topic, whatever its life.
func nameOf(topic string) string {
	name, _, _ := strings.Cut(topic, "@")
	return name
}

// make makes the topic until it is there.
func (x *phoenix) make() {
	r := x.c.r
	if r.phase != faulty {
		return
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 7, 2000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = again, int32(x.partitions), int16(r.plan.Swarm.Replicas)
	req.Topics = append(req.Topics, t)
	x.c.any().ask(req, asked, func(resp kmsg.Response, _ history.Transport) {
		code := kafka.ErrRequestTimedOut
		in, ok := resp.(*kmsg.CreateTopicsResponse)
		if ok {
			code = kafka.ErrorCode(in.Topics[0].ErrorCode)
		}
		switch code {
		case kafka.ErrNone:
			x.live(in.Topics[0].TopicID)
		case kafka.ErrTopicAlreadyExists: // by a request whose answer was lost
			x.find()
		default:
			x.c.later(10*backoff, x.make)
		}
	})
}

// find asks which topic has the name now.
func (x *phoenix) find() {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 12
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = kmsg.StringPtr(again)
	req.Topics = append(req.Topics, t)
	x.c.any().ask(req, asked, func(resp kmsg.Response, _ history.Transport) {
		in, ok := resp.(*kmsg.MetadataResponse)
		if !ok || len(in.Topics) == 0 || in.Topics[0].ErrorCode != 0 || x.over[in.Topics[0].TopicID] {
			x.c.later(10*backoff, x.make)
			return
		}
		x.live(in.Topics[0].TopicID)
	})
}

// live has a new life of the topic written and read, for a while.
func (x *phoenix) live(id kafka.TopicID) {
	r := x.c.r
	must.Hold(!x.over[id], "a topic id was given twice")
	x.id = id
	r.note("topic %s lives as %v", again, id)
	r.reached.add(Risen)
	x.reader = newConsumer(r, "ra", r.plan.Swarm.Seed%2 == 0)
	x.reader.anywhere = r.dice.IntN(2) == 0
	for n := range x.partitions {
		x.producer.joinLife(keyOf(id, n), id)
		x.reader.assign(keyOf(id, n), kafka.NoOffset).id = id
	}
	x.c.later(time.Duration(200+r.dice.IntN(3000))*time.Millisecond, func() {
		if r.phase != faulty {
			return
		}
		x.end()
		x.delete(id)
	})
}

// end ends what is done with the life that is now: from here on anything of it may be gone.
func (x *phoenix) end() {
	r := x.c.r
	x.over[x.id], x.reader.over = true, true
	for n := range x.partitions {
		op := r.record.Begin(history.Op{Process: r.crowd.processes(), F: history.DoAsk})
		op.Kind = history.Ok
		op.Mops = []history.Mop{{Bounds: &history.Bounds{Key: keyOf(x.id, n), Earliest: history.Never, Stable: kafka.NoOffset, Latest: kafka.NoOffset}}}
		r.record.End(op)
	}
	for _, l := range x.producer.lanes {
		l.over = true
	}
	x.reader, x.id = nil, kafka.TopicID{}
}

// delete deletes a life of the topic until it is gone, and has the next one begin.
func (x *phoenix) delete(id kafka.TopicID) {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TimeoutMillis = 6, 2000
	t := kmsg.NewDeleteTopicsRequestTopic()
	t.TopicID = id
	req.Topics = append(req.Topics, t)
	x.c.any().ask(req, asked, func(resp kmsg.Response, _ history.Transport) {
		code := kafka.ErrRequestTimedOut
		if in, ok := resp.(*kmsg.DeleteTopicsResponse); ok {
			code = kafka.ErrorCode(in.Topics[0].ErrorCode)
		}
		if code != kafka.ErrNone && code != kafka.ErrUnknownTopicId {
			x.c.later(10*backoff, func() { x.delete(id) })
			return
		}
		x.c.r.note("topic %s is deleted: %v, %v", again, id, code)
		x.make()
	})
}

// bounded are the partitions that are to be read to their ends when all is over, with the id of a topic that has several lives.
func (c *crowd) bounded() (out []kafka.TopicPartition, ids []kafka.TopicID) {
	for n := range c.r.plan.Swarm.Partitions {
		out, ids = append(out, kafka.TopicPartition{Topic: topic, Partition: int32(n)}), append(ids, kafka.TopicID{})
	}
	if x := c.phoenix; x != nil && x.reader != nil {
		x.reader.over = true
		for n := range x.partitions {
			out, ids = append(out, keyOf(x.id, n)), append(ids, x.id)
		}
	}
	return out, ids
}
