package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/test/bench/prober"
	"github.com/milena-io/milena/test/bench/raw"
)

// The replicated load: 1 KiB records in batches of 64 KiB, acks=all, three replicas each of which must be in sync but one.
const (
	replicatedTopic      = "replicated"
	replicatedPartitions = 6
	replicatedRequests   = 32 << 10 // 2 GiB, three times
)

// leaders are the addresses of the leaders of a topic's partitions.
func (c *cluster) leaders(ctx context.Context, topic string) ([]string, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 9
	one := kmsg.NewMetadataRequestTopic()
	one.Topic = &topic
	req.Topics = []kmsg.MetadataRequestTopic{one}
	resp, err := prober.Ask(ctx, c.Bootstrap()[0], req)
	if err != nil {
		return nil, err
	}
	m := resp.(*kmsg.MetadataResponse)
	if !whole(m) {
		return nil, fmt.Errorf("%s is not whole: %+v", topic, m.Topics)
	}
	out := make([]string, len(m.Topics[0].Partitions))
	for _, p := range m.Topics[0].Partitions {
		out[p.Partition] = c.Node(p.Leader).Bootstrap()
	}
	return out, nil
}

// writable waits until every partition of a topic was written once: Apache Kafka's metadata names leaders that do not know it yet.
func (c *cluster) writable(ctx context.Context, topic string) error {
	ctx, cancel := context.WithTimeout(ctx, backWithin)
	defer cancel()
	p, err := prober.Start(ctx, prober.Options{Bootstrap: c.Bootstrap(), Topic: topic, Period: time.Second, Again: probeAgain, Connections: 1})
	if err != nil {
		return err
	}
	p.Stop()
	return nil
}

// replicated makes a topic that is led by all nodes alike, and the load on it.
func (c *cluster) replicated(ctx context.Context, topic string) (raw.Load, error) {
	t := topicOf(topic, replicatedPartitions, func(p int32) []int32 {
		first := p%clusterNodes + 1
		return append([]int32{first}, c.others(first)...)
	}, [2]string{"min.insync.replicas", "2"})
	if err := c.make(ctx, t); err != nil {
		return raw.Load{}, err
	}
	if err := c.writable(ctx, topic); err != nil {
		return raw.Load{}, err
	}
	leaders, err := c.leaders(ctx, topic)
	return raw.Load{Leaders: leaders, Topic: topic, Partitions: replicatedPartitions, Records: 64, Size: 1024, Connections: 15, InFlight: 5}, err
}

// findReplicatedPeak measures how much three nodes of Apache Kafka take, once: half of that is the rate of the latency figures.
// Where it is not measured the rate is a modest one.
func findReplicatedPeak(ctx context.Context, l *lab) error {
	if !slices.Contains(l.part.also, "kafka") {
		l.peak = 1000
		return nil
	}
	c, err := l.cluster(ctx, "kafka")
	if err != nil {
		return err
	}
	defer c.leave()
	load, err := c.replicated(ctx, replicatedTopic)
	if err != nil {
		return err
	}
	if _, err := load.Pace(ctx, 500, time.Duration(l.scaled(40))*time.Second); err != nil {
		return err
	}
	acked, took, err := load.Saturate(ctx, time.Minute, l.scaled(replicatedRequests))
	l.peak = float64(acked) / took.Seconds()
	return err
}

// measureReplicated is throughput and CPU per GB of three nodes that take batches as fast as they can, and the latency at half of
// what Apache Kafka takes.
func measureReplicated(ctx context.Context, l *lab, name string) (values, error) {
	c, err := l.cluster(ctx, name)
	if err != nil {
		return nil, err
	}
	defer c.leave()
	load, err := c.replicated(ctx, replicatedTopic)
	if err != nil {
		return nil, err
	}
	if _, err := load.Pace(ctx, 500, time.Duration(l.scaled(40))*time.Second); err != nil { // warm
		return nil, err
	}
	took, err := load.Pace(ctx, l.peak/2, time.Duration(l.scaled(24))*time.Second)
	if err != nil {
		return nil, err
	}
	v := quantiles(took)
	v["offered MB/s"] = l.peak / 2 * float64(load.Bytes()) / 1e6
	before, err := c.used()
	if err != nil {
		return nil, err
	}
	acked, lasted, err := load.Saturate(ctx, 2*time.Minute, l.scaled(replicatedRequests))
	if err != nil {
		return nil, err
	}
	after, err := c.used()
	if err != nil {
		return nil, err
	}
	for k, x := range perBytes(float64(acked*load.Bytes()), lasted, after.since(before)) {
		v[k] = x
	}
	v["rss bytes"], v["peak rss bytes"] = float64(after.rss), float64(after.peak)
	log.Printf("%s: %v", name, v)
	return v, nil
}

// The catch-up: a follower is down while its leaders take this much, and comes back under a load that goes on.
const (
	missedRequests = 16 << 10 // 1 GiB
	livePerSecond  = 200
)

// measureCatchUp is how fast a replica that was away becomes in sync, and what that costs those who write meanwhile.
func measureCatchUp(ctx context.Context, l *lab, name string) (values, error) {
	c, err := l.cluster(ctx, name)
	if err != nil {
		return nil, err
	}
	defer c.leave()
	controller, err := c.controller(ctx)
	if err != nil {
		return nil, err
	}
	away := c.others(controller)[0]
	topic := topicOf(replicatedTopic, replicatedPartitions, func(p int32) []int32 {
		o := c.others(away)
		return []int32{o[p%2], o[(p+1)%2], away}
	}, [2]string{"min.insync.replicas", "2"})
	if err := c.make(ctx, topic); err != nil {
		return nil, err
	}
	if err := c.writable(ctx, replicatedTopic); err != nil {
		return nil, err
	}
	leaders, err := c.leaders(ctx, replicatedTopic)
	if err != nil {
		return nil, err
	}
	load := raw.Load{Leaders: leaders, Topic: replicatedTopic, Partitions: replicatedPartitions, Records: 64, Size: 1024, Connections: 8, InFlight: 5}
	live := load
	live.Records = 16
	took, err := live.Pace(ctx, livePerSecond, time.Duration(l.scaled(40))*time.Second)
	if err != nil {
		return nil, err
	}
	v := values{}
	for k, ms := range quantiles(took) {
		v["before "+k] = ms
	}
	if err := c.Node(away).Kill9(); err != nil {
		return nil, err
	}
	missed := l.scaled(missedRequests)
	acked, _, err := load.Saturate(ctx, 5*time.Minute, missed)
	if err != nil {
		return nil, err
	}
	return v, c.catchUp(ctx, v, away, float64(acked*load.Bytes()), live)
}

// catchUp starts a node again under a live load and waits until it is in sync with all it has.
func (c *cluster) catchUp(ctx context.Context, v values, away int32, missed float64, live raw.Load) error {
	const most = 2 * time.Minute
	flows, stop := context.WithCancel(ctx)
	type result struct {
		took []time.Duration
		err  error
	}
	done := make(chan result, 1)
	go func() {
		took, err := live.Pace(flows, livePerSecond, most)
		done <- result{took, err}
	}()
	err := c.Node(away).Start(ctx)
	if err == nil {
		v["start ms"] = float64(time.Since(c.Node(away).Began())) / 1e6
		err = c.shown(ctx, replicatedTopic)
	}
	took := time.Since(c.Node(away).Began())
	stop()
	flowed := <-done
	if err != nil {
		return err
	}
	if flowed.err != nil && !errors.Is(flowed.err, context.Canceled) {
		return flowed.err
	}
	v["in sync ms"] = float64(took) / 1e6
	v["missed MB"] = missed / 1e6
	v["MB/s"] = missed / 1e6 / (took.Seconds() - v["start ms"]/1e3)
	slices.Sort(flowed.took)
	if len(flowed.took) > 0 {
		for k, ms := range quantiles(flowed.took) {
			v["meanwhile "+k] = ms
		}
	}
	log.Printf("%s: caught up: %v", c.Name(), v)
	return nil
}
