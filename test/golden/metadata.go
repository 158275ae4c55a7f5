package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// metadata makes a record of every kind that a client can cause, and enough of them for a snapshot; then a few more, so
// that a reader must take the snapshot and the log after it.
func (s *scenes) metadata(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.at))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	for i := range 12 {
		if err := createTopic(ctx, s.at, fmt.Sprintf("meta-%d", i), 2, map[string]string{"retention.bytes": "1000"}); err != nil {
			return err
		}
	}
	if err := createTopic(ctx, s.at, "meta-deleted", 1, nil); err != nil {
		return err
	}
	if answer, err := admin.DeleteTopics(ctx, "meta-deleted"); err != nil || answer.Error() != nil {
		return fmt.Errorf("delete topic: %v %v", err, answer.Error())
	}
	if answer, err := admin.CreatePartitions(ctx, 3, "meta-0"); err != nil || answer.Error() != nil {
		return fmt.Errorf("create partitions: %v %v", err, answer.Error())
	}
	value := "200000"
	if _, err := admin.AlterBrokerConfigs(ctx, []kadm.AlterConfig{{Name: "message.max.bytes", Value: &value}}, 1); err != nil {
		return err
	}
	if _, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &value}}, "meta-1"); err != nil {
		return err
	}
	quota := kadm.AlterClientQuotaEntry{Entity: kadm.ClientQuotaEntity{{Type: "client-id", Name: kmsg.StringPtr("golden")}},
		Ops: []kadm.AlterClientQuotaOp{{Key: "producer_byte_rate", Value: 1e6}}}
	if _, err := admin.AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{quota}); err != nil {
		return err
	}
	if _, err := admin.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{User: "golden", Mechanism: kadm.ScramSha256,
		Iterations: 4096, Password: "not a secret"}}); err != nil {
		return err
	}
	if err := awaitSnapshot(ctx, filepath.Join(s.node.DataDir(), "__cluster_metadata-0")); err != nil {
		return err
	}
	if err := createTopic(ctx, s.at, "meta-after-snapshot", 1, nil); err != nil {
		return err
	}
	all, err := admin.ListTopicsWithInternal(ctx)
	if err != nil {
		return err
	}
	ids, partitions := map[string]string{}, map[string]int{}
	for name, d := range all {
		ids[name], partitions[name] = d.ID.String(), len(d.Partitions)
	}
	s.metaFacts = map[string]any{
		"topic_ids": ids, "partitions": partitions, "gone": []string{"meta-deleted"},
		"configs": map[string]any{
			"topic meta-*": "retention.bytes=1000", "topic meta-1": "retention.ms=200000", "broker 1": "message.max.bytes=200000"},
		"quota": "client-id golden, producer_byte_rate=1000000", "scram": "golden, SCRAM-SHA-256, 4096 iterations",
	}
	return nil
}

// awaitSnapshot waits until a snapshot besides the bootstrap one has appeared, which the broker makes on its own.
func awaitSnapshot(ctx context.Context, dir string) error {
	return await(ctx, "a snapshot in "+dir, func() bool {
		found, err := filepath.Glob(filepath.Join(dir, "*.checkpoint"))
		return err == nil && slices.ContainsFunc(found, func(f string) bool {
			return filepath.Base(f) > "00000000000000000001"
		})
	})
}
