package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// groups leaves a group of each kind in __consumer_offsets.
func (s *scenes) groups(ctx context.Context) error {
	if err := createTopic(ctx, s.at, "grouped", 3, nil); err != nil {
		return err
	}
	p, err := newSender(s.at, s.sent)
	if err != nil {
		return err
	}
	defer p.client.Close()
	for part := range int32(3) {
		if err := p.batch(ctx, "grouped", part, rec(0, "k", "0"), rec(1, "k", "1"), rec(2, "k", "2")); err != nil {
			return err
		}
	}
	// franz-go takes the new protocol when the broker has it, only if asked to like this.
	next := context.WithValue(ctx, "opt_in_kafka_next_gen_balancer_beta", true) //nolint:staticcheck // its own spelling
	for group, ctx := range map[string]context.Context{"classic": ctx, "consumer": next} {
		if err := s.consumeAll(ctx, group); err != nil {
			return fmt.Errorf("group %s: %w", group, err)
		}
	}
	admin := kadm.NewClient(p.client)
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: "grouped", Partition: 0, At: 1, LeaderEpoch: 0, Metadata: "a note"})
	offsets.Add(kadm.Offset{Topic: "grouped", Partition: 1, At: 2, LeaderEpoch: -1})
	for _, group := range []string{"simple", "deleted"} {
		if err := admin.CommitAllOffsets(ctx, group, offsets); err != nil {
			return err
		}
	}
	gone := kadm.TopicsSet{}
	gone.Add("grouped", 1)
	if _, err := admin.DeleteOffsets(ctx, "simple", gone); err != nil {
		return err
	}
	if _, err := admin.DeleteGroup(ctx, "deleted"); err != nil {
		return err
	}
	s.groupFacts = map[string]any{
		"topic": "grouped",
		"offsets": map[string]any{
			"classic":  map[string]int64{"0": 3, "1": 3, "2": 3},
			"consumer": map[string]int64{"0": 3, "1": 3, "2": 3},
			"simple":   map[string]int64{"0": 1},
		},
		"metadata_of_simple_0": "a note",
		"types":                map[string]string{"classic": "classic, empty", "consumer": "consumer, empty", "simple": "offsets only"},
		"gone":                 []string{"deleted"},
	}
	return nil
}

// consumeAll reads all nine records in a group, commits and leaves.
func (s *scenes) consumeAll(ctx context.Context, group string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.at), kgo.ConsumerGroup(group), kgo.ConsumeTopics("grouped"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(), kgo.WithContext(ctx),
		kgo.ClientID("golden"))
	if err != nil {
		return err
	}
	defer client.Close()
	for seen := 0; seen < 9; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		seen += fetches.NumRecords()
	}
	return client.CommitUncommittedOffsets(ctx)
}
