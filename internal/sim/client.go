package sim

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

// client is what every client of Kafka has: connections, and an idea of who leads what, which it asks for again when that
// turns out to be wrong.
type client struct {
	r     *run
	host  string
	links map[kafka.NodeID]*link
	parts map[kafka.TopicPartition]lead
	after []func() // what waits for the metadata that is on its way
	asks  bool
}

// lead is who leads a partition, as a client knows it.
type lead struct {
	node  kafka.NodeID
	epoch kafka.LeaderEpoch
}

func newClient(r *run, host string) *client {
	return &client{r: r, host: host, links: map[kafka.NodeID]*link{}, parts: map[kafka.TopicPartition]lead{}}
}

// backoff is how long clients wait before they ask again (retry.backoff.ms), shortened.
const backoff = 20 * time.Millisecond

// asked is request.timeout.ms.
const asked = 3 * time.Second

func (c *client) to(id kafka.NodeID) *link {
	l := c.links[id]
	if l == nil {
		l = &link{c: c, to: id}
		c.links[id] = l
	}
	return l
}

// any is a node to ask what every node knows.
func (c *client) any() *link { return c.to(c.r.brokers[c.r.dice.IntN(len(c.r.brokers))].id) }

// leader returns who leads a partition, or has that asked for and says that it isn't known.
func (c *client) leader(tp kafka.TopicPartition) (lead, bool) {
	l, ok := c.parts[tp]
	return l, ok && l.node >= 0
}

// wrong forgets who leads a partition.
func (c *client) wrong(tp kafka.TopicPartition) {
	if l, ok := c.parts[tp]; ok {
		l.node = kafka.NoNode
		c.parts[tp] = l
	}
}

// refresh asks for the metadata, and calls then when some came or didn't.
func (c *client) refresh(then func()) {
	c.after = append(c.after, then)
	if c.asks {
		return
	}
	c.asks = true
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 12
	c.any().ask(req, asked/2, func(resp kmsg.Response, _ history.Transport) {
		c.asks = false
		if m, ok := resp.(*kmsg.MetadataResponse); ok {
			c.learn(m)
		}
		after := c.after
		c.after = nil
		for _, f := range after {
			f()
		}
	})
}

// learn takes what is not older than what is known (KIP-320).
func (c *client) learn(m *kmsg.MetadataResponse) {
	for _, t := range m.Topics {
		if t.Topic == nil || t.ErrorCode != 0 {
			continue
		}
		for _, p := range t.Partitions {
			tp := kafka.TopicPartition{Topic: *t.Topic, Partition: p.Partition}
			if *t.Topic == again {
				tp = keyOf(t.TopicID, int(p.Partition))
			}
			known, ok := c.parts[tp]
			if ok && kafka.LeaderEpoch(p.LeaderEpoch) < known.epoch {
				continue
			}
			c.parts[tp] = lead{kafka.NodeID(p.Leader), kafka.LeaderEpoch(p.LeaderEpoch)}
		}
	}
}

// later calls f after a while, with some chance in it.
func (c *client) later(d time.Duration, f func()) {
	c.r.w.After(d/2+time.Duration(c.r.dice.Int64N(int64(d)+1)), f)
}
