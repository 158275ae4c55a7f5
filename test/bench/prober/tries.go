package prober

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// answerWithin bounds an answer. A node that was stopped does not end its connections.
const answerWithin = 10 * time.Second

// waitMs is how long a broker waits for the replicas of a write.
const waitMs = 1000

// run tries, every few milliseconds, what is due at one node.
func (g *group) run(ctx context.Context, n node) {
	tick := time.NewTicker(g.all.o.Again)
	defer tick.Stop()
	var c *Conn
	defer func() { c.Close() }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		parts := g.take(n.id)
		if len(parts) == 0 {
			continue
		}
		if c == nil {
			var err error
			if c, err = Dial(ctx, n.addr); err != nil {
				g.lost(n.id, parts, err)
				continue
			}
		}
		resp, err := c.Ask(g.request(parts), answerWithin)
		if err != nil {
			c.Close()
			c = nil
			g.lost(n.id, parts, err)
			continue
		}
		g.answered(n.id, parts, resp.(*kmsg.ProduceResponse))
	}
}

// take takes what is due at a node.
func (g *group) take(id int32) []*part {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	var out []*part
	for _, x := range g.parts {
		if !x.flying && x.at == id && !x.next.After(now) {
			x.flying, x.sent = true, now
			out = append(out, x)
		}
	}
	return out
}

func (g *group) request(parts []*part) kmsg.Request {
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic = g.all.o.Topic
	for _, x := range parts {
		one := kmsg.NewProduceRequestTopicPartition()
		one.Partition, one.Records = x.number, x.batch
		topic.Partitions = append(topic.Partitions, one)
	}
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 10, -1, waitMs
	req.Topics = []kmsg.ProduceRequestTopic{topic}
	return req
}

// lost has what was on its way to a node tried at another one.
func (g *group) lost(id int32, parts []*part, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.down[id] = now
	g.last = fmt.Errorf("node %d: %w", id, err)
	for _, x := range parts {
		g.refused(x, g.other(id), now)
	}
}

// refused has a partition tried again.
func (g *group) refused(x *part, at int32, now time.Time) {
	x.flying, x.at, x.next = false, at, now.Add(g.all.o.Again)
	x.tries++
}

// other is the node after one, leaving out who was lost a moment ago.
func (g *group) other(id int32) int32 {
	nodes := g.all.nodes
	at := 0
	for i, n := range nodes {
		if n.id == id {
			at = i
		}
	}
	for i := 1; i < len(nodes); i++ {
		if next := nodes[(at+i)%len(nodes)]; !g.isDown(next.id) {
			return next.id
		}
	}
	return nodes[(at+1)%len(nodes)].id
}

func (g *group) isDown(id int32) bool { return time.Since(g.down[id]) < 4*g.all.o.Again }

func (g *group) answered(id int32, parts []*part, resp *kmsg.ProduceResponse) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	by := make(map[int32]*part, len(parts))
	for _, x := range parts {
		by[x.number] = x
	}
	for _, t := range resp.Topics {
		for i := range t.Partitions {
			a := &t.Partitions[i]
			x := by[a.Partition]
			delete(by, a.Partition)
			if x == nil {
				continue
			}
			if a.ErrorCode == 0 {
				g.acknowledged(x, id, now)
				continue
			}
			g.last = fmt.Errorf("node %d, partition %d: %w", id, a.Partition, kerr.ErrorForCode(a.ErrorCode))
			at := id
			if a.ErrorCode == kerr.NotLeaderForPartition.Code || a.ErrorCode == kerr.UnknownTopicOrPartition.Code {
				if at = a.CurrentLeader.LeaderID; at < 0 || g.isDown(at) {
					at = g.other(id)
				}
			}
			g.refused(x, at, now)
			if at != id {
				x.next = now // somebody else is asked at once
			}
		}
	}
	for _, x := range parts {
		if by[x.number] != nil {
			g.refused(x, id, now)
		}
	}
}

func (g *group) acknowledged(x *part, id int32, now time.Time) {
	x.flying, x.leader, x.at = false, id, id
	if !g.mark.IsZero() {
		if took := now.Sub(x.due); took > x.worst {
			x.worst, x.ended = took, now.Sub(g.mark)
		}
		if x.again < 0 && !x.sent.Before(g.mark) {
			x.again = now.Sub(g.mark)
		}
	}
	late := max(now.Sub(x.due), 0)
	x.due = x.due.Add(late.Truncate(g.all.o.Period) + g.all.o.Period) // the partitions stay as far apart as they began
	x.next = x.due
	if g.hurry && x.again < 0 { // it was sent before the mark, which wants one sent after it
		x.due, x.next = now, now
	}
}
