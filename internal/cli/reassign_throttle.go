package cli

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
)

// The keys by which Apache Kafka slows replication down, set as kafka-reassign-partitions sets them.
const (
	leaderRate       = "leader.replication.throttled.rate"
	followerRate     = "follower.replication.throttled.rate"
	leaderReplicas   = "leader.replication.throttled.replicas"
	followerReplicas = "follower.replication.throttled.replicas"
)

// throttle bounds what brokers copy for a plan: who has a replica already is throttled as leader, who gets one as follower.
func throttle(ctx context.Context, adm *kadm.Client, d planDoc, brokers []int32, bytesPerSecond int64) error {
	leaders, followers := map[string][]string{}, map[string][]string{}
	var topics []string
	for i, p := range d.Partitions {
		added := without(p.Replicas, d.Current[i].Replicas)
		if len(added) == 0 {
			continue
		}
		if !slices.Contains(topics, p.Topic) {
			topics = append(topics, p.Topic)
		}
		for _, id := range d.Current[i].Replicas {
			leaders[p.Topic] = append(leaders[p.Topic], fmt.Sprintf("%d:%d", p.Partition, id))
		}
		for _, id := range added {
			followers[p.Topic] = append(followers[p.Topic], fmt.Sprintf("%d:%d", p.Partition, id))
		}
	}
	for _, t := range topics {
		set := []kadm.AlterConfig{listed(leaderReplicas, leaders[t]), listed(followerReplicas, followers[t])}
		if err := altered(adm.AlterTopicConfigs(ctx, set, t)); err != nil {
			return err
		}
	}
	if len(topics) == 0 {
		return nil
	}
	text := strconv.FormatInt(bytesPerSecond, 10)
	return altered(adm.AlterBrokerConfigs(ctx, []kadm.AlterConfig{{Name: leaderRate, Value: &text}, {Name: followerRate, Value: &text}}, brokers...))
}

func listed(key string, entries []string) kadm.AlterConfig {
	text := ""
	for i, e := range entries {
		if i > 0 {
			text += ","
		}
		text += e
	}
	return kadm.AlterConfig{Name: key, Value: &text}
}

// altered is the first refusal of several.
func altered(all kadm.AlterConfigsResponses, err error) error {
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.Err != nil {
			return said(r.Err, r.ErrMessage, "the throttle of %s was not changed", r.Name)
		}
	}
	return nil
}

// unthrottle takes the throttles of topics and brokers away.
func unthrottle(ctx context.Context, adm *kadm.Client, topics []string, brokers []int32) error {
	remove := func(keys ...string) (out []kadm.AlterConfig) {
		for _, k := range keys {
			out = append(out, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: k})
		}
		return out
	}
	if len(brokers) > 0 {
		if err := altered(adm.AlterBrokerConfigs(ctx, remove(leaderRate, followerRate), brokers...)); err != nil {
			return err
		}
	}
	if len(topics) > 0 {
		return altered(adm.AlterTopicConfigs(ctx, remove(leaderReplicas, followerReplicas), topics...))
	}
	return nil
}

// throttles are the brokers with a limit, and the topics with replicas under it.
func throttles(ctx context.Context, adm *kadm.Client, s *clusterState) (brokers []throttled, topics []string, err error) {
	all, err := adm.DescribeBrokerConfigs(ctx, s.up()...)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range all {
		t := throttled{Leader: -1, Follower: -1}
		for _, c := range r.Configs {
			n, err := strconv.ParseInt(orEmptyText(c.Value), 10, 64)
			if err != nil || n == math.MaxInt64 {
				continue
			}
			switch c.Key {
			case leaderRate:
				t.Leader = n
			case followerRate:
				t.Follower = n
			}
		}
		if id, err := strconv.ParseInt(r.Name, 10, 32); err == nil && (t.Leader >= 0 || t.Follower >= 0) {
			t.Broker = int32(id)
			brokers = append(brokers, t)
		}
	}
	slices.SortFunc(brokers, func(a, b throttled) int { return int(a.Broker) - int(b.Broker) })
	topics, err = throttledTopics(ctx, adm, s)
	return brokers, topics, err
}

// throttledTopics are those with replicas under a limit.
func throttledTopics(ctx context.Context, adm *kadm.Client, s *clusterState) (topics []string, err error) {
	var names []string
	for i := range s.partitions {
		if n := s.partitions[i].Topic; len(names) == 0 || names[len(names)-1] != n {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	all, err := adm.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		for _, c := range r.Configs {
			if (c.Key == leaderReplicas || c.Key == followerReplicas) && orEmptyText(c.Value) != "" && !slices.Contains(topics, r.Name) {
				topics = append(topics, r.Name)
			}
		}
	}
	slices.Sort(topics)
	return topics, nil
}
