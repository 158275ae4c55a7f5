package sim

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/history/faults"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// deeds are what an operator does all the while: preferred leaders, other replicas, topics that come and go.
type deeds struct {
	c      *client
	every  time.Duration
	topics int
}

func newDeeds(r *run) *deeds {
	d := &deeds{c: newClient(r, "operator"), every: time.Duration(200+r.dice.IntN(3000)) * time.Millisecond}
	d.c.later(d.every, d.turn)
	return d
}

// turn does one thing; what becomes of it is the cluster's business.
func (d *deeds) turn() {
	r := d.c.r
	if r.phase != faulty {
		return
	}
	d.c.later(d.every, d.turn)
	tp := kafka.TopicPartition{Topic: topic, Partition: int32(r.dice.IntN(r.plan.Swarm.Partitions))}
	switch r.dice.IntN(6) {
	case 0:
		d.elect(Elected, tp, preferred)
	case 1:
		d.create()
	case 2:
		d.remove()
	case 3:
		d.assign(Cancelled, tp, nil)
	default:
		d.reassign(tp)
	}
}

// patrol looks at every partition again and again, while faults come and after, until one turn has done enough.
func (d *deeds) patrol(look func(*image.Image, kafka.TopicPartition, *image.Partition) (done bool)) {
	var turn func()
	again := func() { d.c.later(200*time.Millisecond, turn) }
	turn = func() {
		r := d.c.r
		if r.phase == reading {
			return
		}
		defer again()
		r.watch.learn()
		for t := range r.watch.newest.Topics() {
			for n, p := range t.Partitions() {
				if look(r.watch.newest, kafka.TopicPartition{Topic: t.Name, Partition: n}, p) {
					return
				}
			}
		}
	}
	again()
}

// ask sends a request to any node, and counts the deed when it was done.
func (d *deeds) ask(s Sort, req kmsg.Request, code func(kmsg.Response) int16) {
	d.c.any().order(s, req, code)
}

// order sends a request of the operator's, and counts the deed when it was done.
func (l *link) order(s Sort, req kmsg.Request, code func(kmsg.Response) int16) {
	l.ask(req, asked, func(resp kmsg.Response, how history.Transport) {
		if how != history.Answered {
			return
		}
		if e := kafka.ErrorCode(code(resp)); e == kafka.ErrNone {
			l.c.r.reached.add(s)
		} else {
			l.c.r.note("the operator hears %v", e)
		}
	})
}

// How an election is asked for: the preferred replica is to lead, any that is left, or a certain broker that led last.
func preferred(*kmsg.ElectLeadersRequest)   {}
func unclean(req *kmsg.ElectLeadersRequest) { req.ElectionType = 1 }
func last(id kafka.NodeID) func(*kmsg.ElectLeadersRequest) {
	return func(req *kmsg.ElectLeadersRequest) { wire.NameLastLeader(req, id) }
}

// elect has a partition led.
func (d *deeds) elect(s Sort, tp kafka.TopicPartition, how func(*kmsg.ElectLeadersRequest)) {
	d.c.any().elect(s, tp, how)
}

// elect asks a node for that.
func (l *link) elect(s Sort, tp kafka.TopicPartition, how func(*kmsg.ElectLeadersRequest)) {
	req := kmsg.NewPtrElectLeadersRequest()
	req.Version, req.TimeoutMillis = 2, 2000
	how(req)
	t := kmsg.NewElectLeadersRequestTopic()
	t.Topic, t.Partitions = tp.Topic, []int32{tp.Partition}
	req.Topics = append(req.Topics, t)
	l.order(s, req, func(resp kmsg.Response) int16 {
		in := resp.(*kmsg.ElectLeadersResponse)
		if in.ErrorCode != 0 || len(in.Topics) == 0 || len(in.Topics[0].Partitions) == 0 {
			return in.ErrorCode
		}
		return in.Topics[0].Partitions[0].ErrorCode
	})
}

// reassign gives a partition as many replicas as before, elsewhere or in another order.
func (d *deeds) reassign(tp kafka.TopicPartition) {
	r := d.c.r
	var to []int32
	for _, i := range r.dice.Perm(len(r.brokers))[:d.replicas()] {
		to = append(to, int32(r.brokers[i].id))
	}
	r.note("the operator wants %v on %v", tp, to)
	d.assign(Reassigned, tp, to)
}

// replicas is how many replicas a partition is to have: as many as before, or one fewer, and later the one more again. Who repairs
// replaced disks wants it to stay as it was.
func (d *deeds) replicas() int {
	s := &d.c.r.plan.Swarm
	if s.Replicas < 3 || s.Weights[faults.Wipe] > 0 {
		return s.Replicas
	}
	return s.Replicas - d.c.r.dice.IntN(2)
}

// assign gives a partition other replicas; nil calls back what is under way.
func (d *deeds) assign(s Sort, tp kafka.TopicPartition, to []int32) { d.c.any().assign(s, tp, to) }

// assign asks a node for that.
func (l *link) assign(s Sort, tp kafka.TopicPartition, to []int32) {
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	req.TimeoutMillis = 2000
	t, p := kmsg.NewAlterPartitionAssignmentsRequestTopic(), kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
	t.Topic, p.Partition, p.Replicas = tp.Topic, tp.Partition, to
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	l.order(s, req, func(resp kmsg.Response) int16 {
		in := resp.(*kmsg.AlterPartitionAssignmentsResponse)
		if in.ErrorCode != 0 {
			return in.ErrorCode
		}
		return in.Topics[0].Partitions[0].ErrorCode
	})
}

func (d *deeds) create() {
	r := d.c.r
	d.topics++
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 7, 2000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = fmt.Sprintf("x%d", d.topics), int32(1+r.dice.IntN(3)), int16(r.plan.Swarm.Replicas)
	req.Topics = append(req.Topics, t)
	d.ask(Created, req, func(resp kmsg.Response) int16 { return resp.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode })
}

// remove deletes one of the topics that this operator has made.
func (d *deeds) remove() {
	if d.topics == 0 {
		return
	}
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TimeoutMillis = 5, 2000
	req.TopicNames = []string{fmt.Sprintf("x%d", 1+d.c.r.dice.IntN(d.topics))}
	d.ask(Deleted, req, func(resp kmsg.Response) int16 { return resp.(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode })
}
