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

// contestant says which system a name is and how it is configured: Kafka's own defaults for sessions, not the short
// ones of the suites.
func contestant(name string) (string, map[string]string) {
	keys := map[string]string{"broker.session.timeout.ms": "9000", "broker.heartbeat.interval.ms": "2000", "log.retention.ms": "-1"}
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

func measure(ctx context.Context, p plan, name, cpus, dir string, cache *filler) (system, error) {
	s := system{name: name}
	for i := range p.starts[name] {
		log.Printf("%s: start %d", name, i+1)
		fresh, again, err := firstAcks(ctx, name, cpus, filepath.Join(dir, fmt.Sprint("start", i)))
		if err != nil {
			return s, err
		}
		s.fresh, s.afterKill = append(s.fresh, fresh), append(s.afterKill, again)
	}
	node, err := open(name, cpus, filepath.Join(dir, "load"))
	if err != nil {
		return s, err
	}
	s.settings = node.Configuration()
	if err := node.Start(ctx); err != nil {
		return s, err
	}
	defer node.Kill9()
	if err := s.resting(ctx, p, node); err != nil {
		return s, err
	}
	log.Printf("%s: warming for %s", name, p.warm)
	if err := warm(ctx, node, p.warm); err != nil {
		return s, err
	}
	if err := s.table(ctx, p, node, cache); err != nil {
		return s, err
	}
	end, err := usageOf(node.Pid())
	if err != nil {
		return s, err
	}
	s.loadPeak = end.peak
	return s, node.Stop()
}

// table measures every cell.
func (s *system) table(ctx context.Context, p plan, node broker.Broker, cache *filler) error {
	for _, size := range p.sizes {
		for _, partitions := range p.partitions {
			if err := cache.top(ctx); err != nil {
				return err
			}
			free, err := memFree()
			if err != nil {
				return err
			}
			if s.freeLeast == 0 || free < s.freeLeast {
				s.freeLeast = free
			}
			s.freeMost = max(s.freeMost, free)
			log.Printf("%s: %d bytes, %d partitions, %d MiB free", s.name, size, partitions, free>>20)
			topic := fmt.Sprintf("bench-%d-%d", size, partitions)
			c := cell{size: size, partitions: partitions}
			if c.produced, err = repeat(ctx, p, node, topic, size, partitions); err != nil {
				return err
			}
			if c.fetched, err = drain(ctx, node, topic, c.produced.stored, size); err != nil {
				return err
			}
			if c.latency, err = paced(ctx, node, topic, size, partitions, p.perSecond, p.pace); err != nil {
				return err
			}
			s.cells = append(s.cells, c)
		}
	}
	return nil
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
