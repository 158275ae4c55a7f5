package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/test/chaos/load"
)

// asker asks the cluster who does what.
type asker struct {
	client      *kgo.Client
	controllers *kgo.Client // by their own listener
	turn        int         // of whom is asked
}

func newAsker(brokers, controllers []string) (*asker, error) {
	client, err := kgo.NewClient(append(load.Patient(brokers), kgo.MetadataMinAge(10*time.Millisecond), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.UnknownTopicRetries(-1))...) // a broker that was cut off may not know of a topic yet, however often it is asked
	if err != nil {
		return nil, err
	}
	a := &asker{client: client}
	if a.controllers, err = kgo.NewClient(kgo.SeedBrokers(controllers...), kgo.DialTimeout(time.Second)); err != nil {
		client.Close()
	}
	return a, err
}

func (a *asker) close() {
	a.client.Close()
	a.controllers.Close()
}

// patience bounds every wait for the cluster. It is a bound on a hang, not a measurement.
const patience = 3 * time.Minute

// until asks again until there is an answer.
func until(ctx context.Context, what string, is func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		some, enough := context.WithTimeout(ctx, 5*time.Second)
		err := is(some)
		enough()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not within %v: %w", what, patience, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// metadata asks for all topics, or those that are named: of the cluster, since the library's own client answers from what it knows.
func (a *asker) metadata(ctx context.Context, topics ...string) (*kmsg.MetadataResponse, error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, t := range topics {
		one := kmsg.NewMetadataRequestTopic()
		one.Topic = &t
		req.Topics = append(req.Topics, one)
	}
	return req.RequestWith(ctx, a.client)
}

// brokers waits for so many.
func (a *asker) brokers(ctx context.Context, n int) error {
	return until(ctx, "all brokers", func(ctx context.Context) error {
		m, err := a.metadata(ctx)
		if err == nil && len(m.Brokers) < n {
			err = fmt.Errorf("%d brokers", len(m.Brokers))
		}
		return err
	})
}

// leaders returns who leads each partition of a topic.
func (a *asker) leaders(ctx context.Context, topic string) (out []int, err error) {
	err = until(ctx, "a leader for every partition", func(ctx context.Context) error {
		m, err := a.metadata(ctx, topic)
		if err != nil {
			return err
		}
		if len(m.Topics) != 1 || len(m.Topics[0].Partitions) == 0 {
			return errors.New("no partitions")
		}
		out = make([]int, len(m.Topics[0].Partitions))
		for _, p := range m.Topics[0].Partitions {
			if p.ErrorCode != 0 || p.Leader < 0 {
				return fmt.Errorf("partition %d has no leader, code %d", p.Partition, p.ErrorCode)
			}
			out[p.Partition] = int(p.Leader)
		}
		return nil
	})
	return out, err
}

// controller returns the active controller.
func (a *asker) controller(ctx context.Context) (int, error) {
	p, err := a.quorum(ctx)
	return int(p.LeaderID), err
}

// committed is up to where the metadata log is committed.
func (a *asker) committed(ctx context.Context) (int64, error) {
	p, err := a.quorum(ctx)
	return p.HighWatermark, err
}

// quorum asks for the state of the metadata log: brokers, and controllers by their own listener, in turns (KIP-919).
func (a *asker) quorum(ctx context.Context) (p kmsg.DescribeQuorumResponseTopicPartition, err error) {
	err = until(ctx, "an active controller", func(ctx context.Context) error {
		req := kmsg.NewPtrDescribeQuorumRequest()
		t := kmsg.NewDescribeQuorumRequestTopic()
		t.Topic = "__cluster_metadata"
		t.Partitions = append(t.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
		req.Topics = append(req.Topics, t)
		a.turn++
		seeds := a.client.SeedBrokers()
		if a.turn%2 == 0 {
			seeds = a.controllers.SeedBrokers()
		}
		answer, err := seeds[a.turn/2%len(seeds)].RetriableRequest(ctx, req)
		if err != nil {
			return err
		}
		r := answer.(*kmsg.DescribeQuorumResponse)
		if len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 {
			return fmt.Errorf("an answer without the partition, code %d", r.ErrorCode)
		}
		p = r.Topics[0].Partitions[0]
		if p.ErrorCode != 0 || p.LeaderID <= 0 {
			return fmt.Errorf("no leader, code %d", p.ErrorCode)
		}
		return nil
	})
	return p, err
}

// inSync waits until all replicas of everything are in sync.
func (a *asker) inSync(ctx context.Context) error {
	return until(ctx, "all replicas in sync", func(ctx context.Context) error {
		m, err := a.metadata(ctx)
		if err != nil {
			return err
		}
		for _, t := range m.Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode != 0 || len(p.ISR) < len(p.Replicas) {
					return fmt.Errorf("%s-%d: leader %d, replicas %v, in sync %v, code %d", *t.Topic, p.Partition, p.Leader, p.Replicas, p.ISR, p.ErrorCode)
				}
			}
		}
		return nil
	})
}

// create makes topics, which are there already when an answer was lost.
func (a *asker) create(ctx context.Context, partitions int32, configs map[string]*string, topics ...string) error {
	return until(ctx, "a new topic", func(ctx context.Context) error {
		made, err := kadm.NewClient(a.client).CreateTopics(ctx, partitions, 3, configs, topics...)
		for _, one := range made {
			if !errors.Is(one.Err, kerr.TopicAlreadyExists) {
				err = errors.Join(err, one.Err)
			}
		}
		return err
	})
}

// configure sets a topic's config.
func (a *asker) configure(ctx context.Context, topic, key, value string) error {
	answers, err := kadm.NewClient(a.client).AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: key, Value: &value}}, topic)
	for _, one := range answers {
		err = errors.Join(err, one.Err)
	}
	return err
}

// write has a record in each partition of a topic: only then it has files.
func (a *asker) write(ctx context.Context, topic string, partitions int32, value string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for p := range partitions {
		if err := a.client.ProduceSync(ctx, &kgo.Record{Topic: topic, Partition: p, Value: []byte(value)}).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}

// rewrite is write to a topic of a name that another one had. A broker that is behind may tell of the old one, and when the library has
// heard of both, it refuses the name until it's told to forget it.
func (a *asker) rewrite(ctx context.Context, topic string, partitions int32, value string) error {
	return until(ctx, "a record in each partition of a topic that was made anew", func(ctx context.Context) error {
		err := a.write(ctx, topic, partitions, value)
		if errors.Is(err, kerr.UnknownTopicID) {
			a.client.PurgeTopicsFromClient(topic)
		}
		return err
	})
}

// remove deletes topics, which are gone already when an answer was lost.
func (a *asker) remove(ctx context.Context, topics ...string) error {
	defer a.client.PurgeTopicsFromClient(topics...) // or it takes one of the same name for the old one
	return until(ctx, "a topic deleted", func(ctx context.Context) error {
		gone, err := kadm.NewClient(a.client).DeleteTopics(ctx, topics...)
		for _, one := range gone {
			if !errors.Is(one.Err, kerr.UnknownTopicOrPartition) {
				err = errors.Join(err, one.Err)
			}
		}
		return err
	})
}

// describe tells of every partition that lacks a leader or a replica in sync, as the nodes that are asked see it.
func (a *asker) describe(ctx context.Context) (out []string) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	m, err := a.metadata(ctx)
	if err != nil {
		return []string{fmt.Sprintf("nobody tells of the partitions: %v", err)}
	}
	out = append(out, fmt.Sprintf("%d brokers are there", len(m.Brokers)))
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	req.ResponsePartitionLimit = 1000
	for _, t := range m.Topics {
		one := kmsg.NewDescribeTopicPartitionsRequestTopic()
		one.Topic = *t.Topic
		req.Topics = append(req.Topics, one)
	}
	r, err := req.RequestWith(ctx, a.client)
	if err != nil {
		return append(out, fmt.Sprintf("nobody describes the partitions: %v", err))
	}
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 || len(p.ISR) < len(p.Replicas) {
				out = append(out, fmt.Sprintf("%s-%d: code %d, leader %d in epoch %d, replicas %v, in sync %v, eligible %v, last known %v, offline %v",
					*t.Topic, p.Partition, p.ErrorCode, p.LeaderID, p.LeaderEpoch, p.Replicas, p.ISR, p.EligibleLeaderReplicas, p.LastKnownELR, p.OfflineReplicas))
			}
		}
	}
	return out
}
