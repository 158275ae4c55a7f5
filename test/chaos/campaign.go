package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/test/chaos/lab"
	"github.com/milena-io/milena/test/chaos/load"
)

const (
	partitions = 6
	members    = 3
	recordSize = 100
)

// overrides are what all nodes are set to: small segments, so that ends also meet rolls, internal topics that survive a node, and a
// metadata log that is soon replaced by a snapshot.
func overrides() map[string]string {
	return map[string]string{
		"metadata.log.max.record.bytes.between.snapshots": "262144",
		"metadata.max.retention.bytes":                    "524288",
		"metadata.log.segment.bytes":                      "8388608",

		"auto.create.topics.enable":               "false",
		"default.replication.factor":              "3",
		"min.insync.replicas":                     "2",
		"offsets.topic.replication.factor":        "3",
		"offsets.topic.num.partitions":            "4",
		"log.segment.bytes":                       "1048576",
		"group.initial.rebalance.delay.ms":        "0",
		"leader.imbalance.check.interval.seconds": "10",
	}
}

// campaign is a run: rounds of faults on one cluster.
type campaign struct {
	s      *settings
	lab    *lab.Lab
	ask    *asker
	guests []*load.Guest
	report *report
	sums   map[string]uint32 // of each partition's content, when its round was over
	began  time.Time
}

func newCampaign(s *settings, l *lab.Lab, guests []*load.Guest, r *report) *campaign {
	return &campaign{s: s, lab: l, guests: guests, report: r, sums: map[string]uint32{}, began: time.Now()}
}

// run reports whether anything was found.
func (c *campaign) run(ctx context.Context) (found bool) {
	var err error
	if c.ask, err = newAsker(c.lab.Addrs(), c.lab.ControllerAddrs()); err == nil {
		defer c.ask.close()
		err = c.start(ctx)
	}
	before := c.report.Seconds
	for n, some := range slices.Collect(slices.Chunk(plan(c.s), c.s.round)) {
		if err != nil || ctx.Err() != nil {
			break
		}
		if n < c.report.Rounds {
			continue // a run that was broken off has done it
		}
		if err = c.round(ctx, n, some); err == nil && ctx.Err() == nil {
			c.report.Rounds, c.report.Seconds = n+1, before+time.Since(c.began).Seconds()
			err = c.report.write(c.s.dir)
		}
	}
	if err == nil && ctx.Err() == nil {
		err = c.finish()
	}
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		c.report.found("%v", err)
		if err := c.lab.Strange(); err != nil {
			c.report.found("%v", err)
		}
		// What everybody waits for stands in the logs.
		_ = lab.Each(c.lab.Nodes, (*lab.Node).Continue)
		if err := lab.Each(c.lab.Nodes, (*lab.Node).Measure); err != nil {
			c.report.found("%v", err)
		}
		for _, text := range c.ask.describe(ctx) {
			fmt.Println("  ", text)
		}
		if err := lab.Each(c.lab.Nodes, (*lab.Node).Dump); err != nil {
			c.report.found("%v", err)
		}
	}
	for _, n := range c.lab.Nodes {
		said, err := n.Said()
		if err != nil {
			c.report.found("%v", err)
		}
		for _, s := range said {
			c.report.found("%s", s)
		}
	}
	if len(c.report.Findings) == 0 {
		return false
	}
	if err := c.report.write(c.s.dir); err != nil {
		fmt.Println("the report is not written:", err)
	}
	if err := lab.Each(c.lab.Nodes, (*lab.Node).Keep); err != nil {
		c.report.found("%v", err)
	}
	return true
}

func (c *campaign) start(ctx context.Context) error {
	if err := lab.Each(c.lab.Nodes, (*lab.Node).Start); err != nil {
		return err
	}
	if _, err := c.ask.controller(ctx); err != nil {
		return err
	}
	return c.ask.brokers(ctx, len(c.lab.Brokers()))
}

// round is some faults under one topic, and the judgement. What the cluster did wrong is a finding; the error is one after which the run
// can't go on.
func (c *campaign) round(ctx context.Context, n int, faults []fault) error {
	topic := fmt.Sprintf("round%d", n)
	path := filepath.Join(c.s.dir, topic+".history")
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	sink, err := history.NewWriter(file)
	if err != nil {
		return err
	}
	clients, err := load.Start(ctx, load.Options{
		Addrs: c.lab.Addrs(), Topic: topic, Partitions: partitions, Rate: c.s.rate, Size: recordSize, Members: members, Guests: c.guests, Sink: sink,
	})
	if err != nil {
		return err
	}
	failed := c.enough(ctx, clients, clients.Mark())
	for _, f := range faults {
		if failed != nil || ctx.Err() != nil {
			break
		}
		failed = c.strike(ctx, clients, topic, f)
	}
	if failed == nil {
		failed = c.ask.inSync(ctx)
	}
	if failed != nil {
		failed = fmt.Errorf("round %d: %w", n, failed)
	}
	ending, cancel := context.WithTimeout(ctx, patience)
	if failed != nil {
		cancel() // as it is: the cluster does not get better
	}
	defer cancel()
	h, err := clients.Finish(ending)
	if failed == nil {
		failed = err
	}
	if ctx.Err() != nil {
		return nil
	}
	before := len(c.report.Findings)
	c.report.judge(n, h, failed == nil)
	c.report.guests(c.guests)
	if failed == nil {
		c.compare(topic)
	}
	switch {
	case failed != nil:
		return failed // all that there is will be kept
	case len(c.report.Findings) > before:
		return c.evidence(topic)
	case c.s.keep:
		return nil
	}
	return os.Remove(path)
}

// evidence keeps what the nodes have of a round's topic and of the groups: the run goes on, and later rounds write on.
func (c *campaign) evidence(topic string) error {
	for _, n := range c.lab.Nodes {
		for _, pattern := range []string{topic + "-*", "__consumer_offsets-*", "__cluster_metadata-0"} {
			there, err := filepath.Glob(filepath.Join(n.Data(), pattern))
			if err != nil {
				return err
			}
			for _, from := range there {
				// Who reads along with a node that runs may meet a file that goes, or one that grows.
				if err := os.CopyFS(filepath.Join(n.Dir, topic, filepath.Base(from)), os.DirFS(from)); err != nil {
					fmt.Printf("of %s not everything is kept: %v\n", from, err)
				}
			}
		}
	}
	return nil
}

// strike is one fault, and what comes after it until enough is acknowledged again.
func (c *campaign) strike(ctx context.Context, clients *load.Load, topic string, f fault) error {
	var told []string
	var began time.Time
	healed := clients.Mark()
	s := &strike{
		fault: f, ctx: ctx, lab: c.lab, ask: c.ask, topic: topic, calm: c.ask.inSync,
		begin:  func() { clients.AwaitFlight(); clients.Open(); began = time.Now() },
		healed: func() { healed = clients.Mark() },
		report: func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) },
	}
	err := kinds[f.kind].do(s)
	if err == nil {
		err = c.enough(ctx, clients, healed)
	}
	if err == nil && f.calm {
		err = c.ask.inSync(ctx)
	}
	p, gap := clients.Worst()
	c.report.fault(f, gap, c.guests)
	for _, g := range c.guests {
		_, gap := g.Worst()
		told = append(told, fmt.Sprintf("%s %d ms", g.Name, gap.Milliseconds()))
	}
	fmt.Printf("%7.1f s  %-11s %5d ms, gap %6d ms on partition %d, back after %.1f s: %s\n", time.Since(c.began).Seconds(), f.kind, f.last.Milliseconds(),
		gap.Milliseconds(), p, time.Since(began).Seconds(), line(told))
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s (%s): %w", f.kind, line(told), err)
	}
	return nil
}

// enough waits until so much is acknowledged, by every partition, and some of every guest's.
func (c *campaign) enough(ctx context.Context, clients *load.Load, from load.Mark) error {
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(patience); ; {
		missing := clients.Since(from, c.s.acks, 5)
		switch {
		case missing == "" || ctx.Err() != nil:
			return nil
		case c.lab.Strange() != nil:
			return c.lab.Strange()
		case time.Now().After(end):
			return fmt.Errorf("%s, %v after the fault was over", missing, patience)
		}
		<-again.C
	}
}

// finish stops the cluster cleanly, and holds the disks against what they held.
func (c *campaign) finish() error {
	if err := lab.Each(c.lab.Nodes, (*lab.Node).Stop); err != nil {
		return err
	}
	return errors.Join(c.lab.Strange(), c.again())
}
