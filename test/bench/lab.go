package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/test/bench/raw"
	"github.com/milena-io/milena/test/compat/broker"
)

// bareLoop is the contestant that decides nothing: package bare.
const bareLoop = "bare"

// part is a piece of the measurement that can be run, saved and resumed by itself: in less than an hour, and writing at
// most 40 GB.
type part struct {
	name        string
	of          string   // the group that it can be asked for with
	contestants []string // brokers, warmed before the first round
	rounds      int
	atMost      map[string]int // rounds of who needs fewer
	setup       func(context.Context, *lab) error
	measure     func(context.Context, *lab, string) (values, error) // one contestant, once
	also        []string                                            // contestants that are no brokers
}

// roundsOf is how many rounds a contestant is measured.
func (p part) roundsOf(name string) int {
	if n, ok := p.atMost[name]; ok {
		return n
	}
	return p.rounds
}

// values are the figures of one measurement by name; units stand in the names.
type values map[string]float64

// lab is where one part is measured.
type lab struct {
	part  part
	short bool
	keep  bool // the brokers' folders
	cores cores
	dir   string
	cache *filler
	nodes map[string]broker.Broker
	peak  float64 // requests a second that Apache Kafka takes (findPeak)
}

// run measures what is missing of a part, round by round, on one contestant after the other, in turns, and saves every
// measurement at once.
func (l *lab) run(ctx context.Context, s *store) error {
	systems := slices.Concat(l.part.contestants, l.part.also)
	missing := slices.DeleteFunc(slices.Clone(systems), func(name string) bool { return s.rounds(l.part.name, name) >= l.part.roundsOf(name) })
	if len(missing) == 0 {
		log.Printf("%s: measured already", l.part.name)
		return nil
	}
	defer func() {
		for _, n := range l.nodes {
			n.Kill9()
		}
	}()
	for _, name := range l.part.contestants {
		if err := l.open(ctx, s, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if l.part.setup != nil {
		if err := l.part.setup(ctx, l); err != nil {
			return err
		}
	}
	for round := range l.part.rounds {
		for i := range systems {
			name := systems[(round+i)%len(systems)]
			if s.rounds(l.part.name, name) > round || round >= l.part.roundsOf(name) {
				continue
			}
			if err := l.cache.top(ctx); err != nil {
				return err
			}
			calm()
			log.Printf("%s: round %d of %d, %s", l.part.name, round+1, l.part.roundsOf(name), name)
			v, err := l.part.measure(ctx, l, name)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", l.part.name, name, err)
			}
			if n := l.nodes[name]; n != nil {
				u, err := usageOf(n.Pid())
				if err != nil {
					return err
				}
				v["rss bytes"], v["peak rss bytes"] = float64(u.rss), float64(u.peak)
			}
			if err := s.save(sample{Part: l.part.name, System: name, Round: round, Values: v}); err != nil {
				return err
			}
		}
	}
	return nil
}

// open starts a contestant's broker, measures it at rest and warms it at a modest rate.
func (l *lab) open(ctx context.Context, s *store, name string) error {
	n, err := open(name, l.cores.broker, filepath.Join(l.dir, name))
	if err != nil {
		return err
	}
	if err := n.Start(ctx); err != nil {
		return err
	}
	l.nodes[name] = n
	rest := system{name: name}
	p := full()
	if l.short {
		p = short()
	}
	if err := rest.resting(ctx, p, n); err != nil {
		return err
	}
	if err := s.save(sample{Part: l.part.name + "/rest", System: name, Values: values{
		"rss bytes": float64(rest.idle.rss), "cpu share": rest.idle.cpu().Seconds() / rest.idleFor.Seconds()}}); err != nil {
		return err
	}
	log.Printf("%s: warming %s for %s", l.part.name, name, p.warm)
	return l.warm(ctx, n, p.warm)
}

// warm loads a broker at a modest rate, with the frames it is measured with later.
func (l *lab) warm(ctx context.Context, n broker.Broker, how time.Duration) error {
	const topic, partitions = "warm", 6
	if err := l.topic(ctx, n, topic, partitions); err != nil {
		return err
	}
	load := raw.Load{Addr: n.Bootstrap(), Topic: topic, Partitions: partitions, Records: 16, Size: 1024, Connections: 4, InFlight: 1}
	if _, err := load.Pace(ctx, 1000, how); err != nil {
		return err
	}
	return dropTopic(ctx, n, topic)
}

// topic makes a topic and waits until every partition has a leader that takes records.
func (l *lab) topic(ctx context.Context, n broker.Broker, topic string, partitions int, configs ...string) error {
	client, err := producer(ctx, n, topic, partitions, configs)
	if err != nil {
		return err
	}
	client.Close()
	return nil
}

// fresh runs f on a topic of its own, which goes when it is done.
func (l *lab) fresh(ctx context.Context, n broker.Broker, topic string, partitions int, f func() error) error {
	if err := l.topic(ctx, n, topic, partitions); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	if err := dropTopic(ctx, n, topic); err != nil {
		return err
	}
	time.Sleep(2 * deleteDelay) // the files go later, which takes the broker's core from whoever comes next
	return nil
}

// spent is what a process used while f ran.
func spent(pid int, f func() error) (usage, error) {
	before, err := usageOf(pid)
	if err != nil {
		return usage{}, err
	}
	if err := f(); err != nil {
		return usage{}, err
	}
	after, err := usageOf(pid)
	return after.since(before), err
}

// ends are the end offsets of a topic's partitions.
func ends(ctx context.Context, n broker.Broker, topic string, partitions int) ([]int64, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(n.Bootstrap()))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return endOffsets(ctx, client, topic, partitions)
}

// another makes a folder for the many files of one round, which stay until the part is over: ext4 makes files many times slower
// for minutes after as many were removed.
func (l *lab) another(name string) (string, error) { return os.MkdirTemp(l.dir, name+"-") }

// scratch makes a folder for a loop's files, empty.
func (l *lab) scratch(name string) (string, error) {
	dir := filepath.Join(l.dir, name)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o755)
}
