package node

import (
	"maps"
	"slices"
	"sync"

	"github.com/milena-io/milena/internal/metrics"
	"github.com/milena-io/milena/internal/partition"
)

// traffic keeps the counters of the topics that this node has replicas of.
type traffic struct {
	mu     sync.Mutex
	byName map[string]*topicTraffic
	gone   metrics.Traffic // of topics that left, so that the sum over all never goes down
}

type topicTraffic struct {
	counters partition.Traffic
	replicas int
}

// join returns the counters for one more replica of a topic.
func (t *traffic) join(topic string) *partition.Traffic {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byName == nil {
		t.byName = map[string]*topicTraffic{}
	}
	c := t.byName[topic]
	if c == nil {
		c = &topicTraffic{}
		t.byName[topic] = c
	}
	c.replicas++
	return &c.counters
}

// leave says that a replica is gone; with the last one its topic's counters go.
func (t *traffic) leave(topic string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.byName[topic]; c != nil {
		if c.replicas--; c.replicas == 0 {
			add(&t.gone, &c.counters)
			delete(t.byName, topic)
		}
	}
}

// all sums up over all topics that ever were.
func (t *traffic) all() metrics.Traffic {
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := t.gone
	for _, c := range t.byName {
		add(&sum, &c.counters)
	}
	return sum
}

// topics lists the counters by topic.
func (t *traffic) topics() []metrics.Topic {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]metrics.Topic, 0, len(t.byName))
	for _, name := range slices.Sorted(maps.Keys(t.byName)) {
		topic := metrics.Topic{Name: name}
		add(&topic.Traffic, &t.byName[name].counters)
		out = append(out, topic)
	}
	return out
}

func add(sum *metrics.Traffic, c *partition.Traffic) {
	sum.Produces += c.Produces.Load()
	sum.FailedProduces += c.FailedProduces.Load()
	sum.BytesIn += c.BytesIn.Load()
	sum.Records += c.Records.Load()
	sum.Fetches += c.Fetches.Load()
	sum.FailedFetches += c.FailedFetches.Load()
	sum.BytesOut += c.BytesOut.Load()
	sum.ReplicationIn += c.ReplicationIn.Load()
	sum.ReplicationOut += c.ReplicationOut.Load()
}
