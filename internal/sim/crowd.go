package sim

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// crowd is everybody who uses the cluster.
type crowd struct {
	r         *run
	pool      *wire.Pool
	admin     *client
	producers []*producer
	readers   []*consumer
	members   []*member
	commits   uint64
	operator  *deeds // nil for none
	numbers   int    // of processes given
	ids       map[kafka.ProducerID]bool
	phoenix   *phoenix  // nil for none
	remounts  *remounts // nil before a disk is away
	trims     map[kafka.TopicPartition]*trimmed
}

// topic is what everybody writes to and reads.
const topic = "t"

// group is the group that the members are in.
const group = "g"

// gather has the clients begin.
func (c *crowd) gather(r *run) {
	c.r, c.pool, c.ids = r, wire.NewPool(nil, false), map[kafka.ProducerID]bool{}
	c.admin = newClient(r, "admin")
	s := &r.plan.Swarm
	for i := range 2 {
		c.producers = append(c.producers, newProducer(r, fmt.Sprintf("p%d", i), -1, s.Idempotent))
	}
	if r.dice.IntN(4) == 0 { // what only the leader has yet is long where it is acknowledged so
		hasty := newProducer(r, "p2", 1, false)
		hasty.every /= 4
		c.producers = append(c.producers, hasty)
	}
	for i := range 2 {
		c.readers = append(c.readers, newConsumer(r, fmt.Sprintf("r%d", i), s.Seed%2 == 0))
	}
	wanderer := newConsumer(r, "w", s.Seed%2 == 0)
	wanderer.anywhere = true
	c.readers = append(c.readers, wanderer)
	newAsker(r)
	newImpostor(r)
	newAuditor(r)
	c.create(topic, int32(s.Partitions), int16(s.Replicas))
}

// processes gives a number that no other process of the history has.
func (c *crowd) processes() int {
	c.numbers++
	return c.numbers
}

// operate has an operator begin, in half of the runs.
func (c *crowd) operate() {
	if c.r.plan.Swarm.Seed%2 == 1 {
		c.operator = newDeeds(c.r)
	}
	c.rise()
}

// commit gives a number that no other commit has.
func (c *crowd) commit() uint64 {
	c.commits++
	return c.commits
}

// given holds that no producer id is given out twice, whatever died between.
func (c *crowd) given(id kafka.ProducerID) {
	if c.ids[id] {
		c.r.broken("producer-id", "producer id %d was given out twice", id)
	}
	c.ids[id] = true
}

// create makes a topic, and has it written and read once it is there.
func (c *crowd) create(name string, partitions int32, replicas int16) {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 7, 5000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, replicas
	req.Topics = append(req.Topics, t)
	c.admin.any().ask(req, asked, func(resp kmsg.Response, _ history.Transport) {
		code := kafka.ErrRequestTimedOut
		if in, ok := resp.(*kmsg.CreateTopicsResponse); ok {
			code = kafka.ErrorCode(in.Topics[0].ErrorCode)
		}
		if code != kafka.ErrNone && code != kafka.ErrTopicAlreadyExists {
			c.admin.later(backoff, func() { c.create(name, partitions, replicas) })
			return
		}
		c.r.note("topic %s is there", name)
		var all []kafka.TopicPartition
		for n := range partitions {
			all = append(all, kafka.TopicPartition{Topic: name, Partition: n})
		}
		for i := range 1 + c.r.dice.IntN(3) {
			c.members = append(c.members, newMember(c.r, fmt.Sprintf("m%d", i), group, all))
		}
		for n := range partitions {
			tp := kafka.TopicPartition{Topic: name, Partition: n}
			for _, p := range c.producers {
				p.join(tp)
			}
			for _, k := range c.readers {
				k.assign(tp, kafka.NoOffset)
			}
		}
	})
}

// begun reports whether every lane has had a record acknowledged.
func (c *crowd) begun() bool {
	for _, p := range c.producers {
		for _, l := range p.lanes {
			if l.count == 0 || l.acked == 0 && p.acks == -1 {
				return false
			}
		}
		if len(p.lanes) == 0 {
			return false
		}
	}
	return true
}
