package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/test/bench/prober"
	"github.com/milena-io/milena/test/compat/broker"
)

// clusterNodes is how many nodes a cluster of the benchmark has, each a broker and a controller.
const clusterNodes = 3

// cluster is three nodes of a contestant, of one round.
type cluster struct {
	*broker.Cluster
	dir  string
	keep bool
	pids []int
}

// cluster starts three nodes that share all cores; the client has the second one, as always.
func (l *lab) cluster(ctx context.Context, name string) (*cluster, error) {
	kind, keys := contestant(name)
	dir, err := l.another(name)
	if err != nil {
		return nil, err
	}
	c, err := broker.NewCluster(kind, clusterNodes, broker.Options{Dir: dir, Overrides: keys, CPUs: l.cores.all, Heap: "1g"}, nil)
	if err != nil {
		return nil, err
	}
	if err := c.Start(ctx); err != nil {
		_ = c.Kill9()
		return nil, err
	}
	out := &cluster{Cluster: c, dir: dir, keep: l.keep}
	for _, n := range c.Nodes() {
		out.pids = append(out.pids, n.Pid())
	}
	return out, nil
}

// leave ends a cluster that wrote few files and large ones, and removes them: all rounds together would fill the disk.
func (c *cluster) leave() {
	_ = c.Kill9()
	if c.keep {
		return
	}
	if err := os.RemoveAll(c.dir); err != nil {
		log.Printf("%s: its folder stays: %v", c.Name(), err)
	}
}

// controller asks who controls.
func (c *cluster) controller(ctx context.Context) (int32, error) {
	part := kmsg.NewDescribeQuorumRequestTopicPartition()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic, topic.Partitions = "__cluster_metadata", []kmsg.DescribeQuorumRequestTopicPartition{part}
	req := kmsg.NewPtrDescribeQuorumRequest()
	req.Topics = []kmsg.DescribeQuorumRequestTopic{topic}
	var last error
	for _, addr := range c.Bootstrap() {
		resp, err := prober.Ask(ctx, addr, req)
		if err != nil {
			last = err
			continue
		}
		q := resp.(*kmsg.DescribeQuorumResponse)
		if len(q.Topics) == 1 && len(q.Topics[0].Partitions) == 1 && q.ErrorCode == 0 {
			return q.Topics[0].Partitions[0].LeaderID, nil
		}
		last = fmt.Errorf("DescribeQuorum: %+v", q)
	}
	return 0, last
}

// others are the nodes that are not id, in their order after it.
func (c *cluster) others(id int32) []int32 {
	return []int32{id%clusterNodes + 1, (id+1)%clusterNodes + 1}
}

// topicOf is a topic whose partitions have their replicas where they are told.
func topicOf(name string, partitions int, replicas func(p int32) []int32, configs ...[2]string) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, -1, -1
	for p := range int32(partitions) {
		a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		a.Partition, a.Replicas = p, replicas(p)
		t.ReplicaAssignment = append(t.ReplicaAssignment, a)
	}
	for _, kv := range configs {
		t.Configs = append(t.Configs, config(kv[0], kv[1]))
	}
	return t
}

func config(name, value string) kmsg.CreateTopicsRequestTopicConfig {
	c := kmsg.NewCreateTopicsRequestTopicConfig()
	c.Name, c.Value = name, &value
	return c
}

// placed is a topic that the cluster places.
func placed(name string, partitions int) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, int32(partitions), clusterNodes
	return t
}

// make makes topics in one request and waits until every node shows them with a leader for every partition.
func (c *cluster) make(ctx context.Context, topics ...kmsg.CreateTopicsRequestTopic) error {
	if err := create(ctx, c.Bootstrap()[0], topics...); err != nil {
		return err
	}
	for _, t := range topics {
		if err := c.shown(ctx, t.Topic); err != nil {
			return err
		}
	}
	return nil
}

// create makes topics in one request.
func create(ctx context.Context, addr string, topics ...kmsg.CreateTopicsRequestTopic) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis, req.Topics = 7, 60_000, topics
	c, err := prober.Dial(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	resp, err := c.Ask(req, time.Minute)
	if err != nil {
		return err
	}
	return created(resp)
}

func created(resp kmsg.Response) error {
	var errs []error
	for _, t := range resp.(*kmsg.CreateTopicsResponse).Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", t.Topic, err))
			if t.ErrorMessage != nil {
				errs = append(errs, errors.New(*t.ErrorMessage))
			}
		}
	}
	return errors.Join(errs...)
}

// shown waits until every node that runs shows a topic with a leader for every partition and all replicas in sync.
func (c *cluster) shown(ctx context.Context, topic string) error {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 9
	one := kmsg.NewMetadataRequestTopic()
	one.Topic = &topic
	req.Topics = []kmsg.MetadataRequestTopic{one}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	for _, n := range c.Nodes() {
		if n.Pid() == 0 {
			continue
		}
		for {
			resp, err := prober.Ask(ctx, n.Bootstrap(), req)
			if err != nil {
				return err
			}
			if whole(resp.(*kmsg.MetadataResponse)) {
				break
			}
			if err := pause(ctx, 10*time.Millisecond); err != nil {
				return fmt.Errorf("%s at %s: %w", topic, n.Bootstrap(), err)
			}
		}
	}
	return nil
}

func whole(m *kmsg.MetadataResponse) bool {
	for _, t := range m.Topics {
		if t.ErrorCode != 0 || len(t.Partitions) == 0 {
			return false
		}
		for _, p := range t.Partitions {
			if p.Leader < 0 || len(p.ISR) < len(p.Replicas) {
				return false
			}
		}
	}
	return len(m.Topics) > 0
}

// pause lets time pass between two questions to other processes, which tell of nothing by themselves.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// used is the CPU of all nodes.
func (c *cluster) used() (usage, error) {
	var all usage
	for _, n := range c.Nodes() {
		if n.Pid() == 0 {
			continue
		}
		u, err := usageOf(n.Pid())
		if err != nil {
			return usage{}, err
		}
		all.user, all.kernel, all.rss, all.peak = all.user+u.user, all.kernel+u.kernel, all.rss+u.rss, all.peak+u.peak
	}
	return all, nil
}

// logs is where a node writes, for who looks into what went wrong.
func (c *cluster) logs(id int32) string { return filepath.Clean(c.Node(id).Logs()) }
