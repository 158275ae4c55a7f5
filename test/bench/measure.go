package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/test/compat/broker"
)

// system is everything measured of one contestant.
type system struct {
	name      string
	settings  []string
	fresh     []time.Duration // process start to first acknowledgement
	afterKill []time.Duration
	idle      usage
	idleFor   time.Duration
	cells     []cell
	loadPeak  int64
	freeLeast int64 // the least free memory seen before a cell: did the page cache stay full?
	freeMost  int64
}

// cell is one record size with one number of partitions.
type cell struct {
	size, partitions int
	produced         repeated
	fetched          throughput
	latency          percentiles
}

// deleteDelay is how long a deleted topic keeps its files.
const deleteDelay = time.Second

// contestant says which system a name is and how it is configured: Kafka's own defaults for sessions, not the short
// ones of the suites.
func contestant(name string) (string, map[string]string) {
	keys := map[string]string{"broker.session.timeout.ms": "9000", "broker.heartbeat.interval.ms": "2000", "log.retention.ms": "-1",
		"log.segment.delete.delay.ms": fmt.Sprint(deleteDelay.Milliseconds())} // so that a measured topic gives its disk back
	switch name {
	case "milena-cache":
		keys["milena.durability"] = "cache"
		return "milena", keys
	case "milena":
		keys["milena.durability"] = "sync"
	}
	return name, keys
}

func open(name, cpus, dir string) (broker.Broker, error) {
	kind, keys := contestant(name)
	return broker.New(kind, broker.Options{Dir: dir, Overrides: keys, CPUs: cpus, Heap: "1g"})
}

// contender is a system with its running node.
type contender struct {
	system
	node broker.Broker
}

// prepare measures a system's starts and its rest, and leaves its node running and warm.
func prepare(ctx context.Context, p plan, name, cpus, dir string) (*contender, error) {
	c := &contender{system: system{name: name}}
	for i := range p.starts[name] {
		log.Printf("%s: start %d", name, i+1)
		fresh, again, err := firstAcks(ctx, name, cpus, filepath.Join(dir, fmt.Sprint("start", i)))
		if err != nil {
			return nil, err
		}
		c.fresh, c.afterKill = append(c.fresh, fresh), append(c.afterKill, again)
	}
	var err error
	if c.node, err = open(name, cpus, filepath.Join(dir, "load")); err != nil {
		return nil, err
	}
	c.settings = c.node.Configuration()
	if err := c.node.Start(ctx); err != nil {
		return nil, err
	}
	if err = c.resting(ctx, p, c.node); err == nil {
		log.Printf("%s: warming for %s", name, p.warm)
		err = warm(ctx, c.node, p.warm)
	}
	if err != nil {
		c.node.Kill9()
		return nil, err
	}
	return c, nil
}

// finish takes what is known at the end and stops the node.
func (c *contender) finish() error {
	end, err := usageOf(c.node.Pid())
	if err != nil {
		return err
	}
	c.loadPeak = end.peak
	return c.node.Stop()
}

// interleave measures every cell on every system. Who begins changes from cell to cell.
func interleave(ctx context.Context, p plan, all []*contender, cache *filler) error {
	turn := 0
	for _, size := range p.sizes {
		for _, partitions := range p.partitions {
			for i := range all {
				c := all[(turn+i)%len(all)]
				if err := c.measure(ctx, p, size, partitions, cache); err != nil {
					return fmt.Errorf("%s, %d bytes, %d partitions: %w", c.name, size, partitions, err)
				}
			}
			turn++
		}
	}
	return nil
}

// measure measures one cell on a topic of its own, which goes when it is done.
func (c *contender) measure(ctx context.Context, p plan, size, partitions int, cache *filler) error {
	if err := cache.top(ctx); err != nil {
		return err
	}
	free, err := memFree()
	if err != nil {
		return err
	}
	if c.freeLeast == 0 || free < c.freeLeast {
		c.freeLeast = free
	}
	c.freeMost = max(c.freeMost, free)
	log.Printf("%s: %d bytes, %d partitions, %d MiB free", c.name, size, partitions, free>>20)
	topic := fmt.Sprintf("bench-%d-%d", size, partitions)
	m := cell{size: size, partitions: partitions}
	if m.produced, err = repeat(ctx, p, c.node, topic, size, partitions); err != nil {
		return err
	}
	if m.fetched, err = drain(ctx, c.node, topic, m.produced.stored, size); err != nil {
		return err
	}
	if m.latency, err = paced(ctx, c.node, topic, size, partitions, p.perSecond, p.pace); err != nil {
		return err
	}
	c.cells = append(c.cells, m)
	return dropTopic(ctx, c.node, topic)
}

// resting measures memory and CPU of a node nobody talks to.
func (s *system) resting(ctx context.Context, p plan, node broker.Broker) error {
	log.Printf("%s: idle for %s", s.name, p.idle)
	before, err := usageOf(node.Pid())
	if err != nil {
		return err
	}
	select {
	case <-time.After(p.idle): // what is measured is that nothing happens for so long
	case <-ctx.Done():
		return ctx.Err()
	}
	after, err := usageOf(node.Pid())
	s.idle, s.idleFor = after.since(before), p.idle
	return err
}

// firstAcks measures process start to first acknowledged record twice: on a fresh directory, and after a kill -9 while
// records were being produced.
func firstAcks(ctx context.Context, name, cpus, dir string) (fresh, again time.Duration, err error) {
	node, err := open(name, cpus, dir)
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	defer node.Kill9()
	if err := node.Start(ctx); err != nil {
		return 0, 0, err
	}
	if fresh, err = firstAck(ctx, node, true); err != nil {
		return 0, 0, err
	}
	if _, err := saturate(ctx, node, "before-the-kill", 1024, 10, time.Second); err != nil {
		return 0, 0, err
	}
	if err := node.Kill9(); err != nil {
		return 0, 0, err
	}
	if err := node.Start(ctx); err != nil {
		return 0, 0, err
	}
	again, err = firstAck(ctx, node, false)
	return fresh, again, err
}

// firstAck produces one record, making the topic when it is fresh, and tells how long after the process start its
// acknowledgement came.
func firstAck(ctx context.Context, node broker.Broker, fresh bool) (time.Duration, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(node.Bootstrap()), kgo.DefaultProduceTopic("first"), kgo.ProducerLinger(0),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RetryBackoffFn(func(int) time.Duration { return time.Millisecond }),
		kgo.MetadataMinAge(10*time.Millisecond), kgo.UnknownTopicRetries(-1))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	if fresh {
		if err := makeTopic(ctx, client, "first", 1); err != nil {
			return 0, err
		}
	}
	if err := client.ProduceSync(ctx, kgo.StringRecord("the first")).FirstErr(); err != nil {
		return 0, err
	}
	return time.Since(node.Began()), nil
}
