package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/offline"
)

// takeover is a node with static voters (kraft.version 0) that another program is to go on with, and then the same node
// with everything that must be refused by name.
func takeover(ctx context.Context, work string, a *archive) error {
	node, err := broker.New("kafka", broker.Options{Dir: filepath.Join(work, "takeover"), Static: true, Overrides: small(map[string]string{
		"metadata.log.max.record.bytes.between.snapshots": "2000",
		"authorizer.class.name":                           "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"allow.everyone.if.no.acl.found":                  "true",
	})})
	if err != nil {
		return err
	}
	if err := node.Start(ctx); err != nil {
		return err
	}
	defer node.Kill9()
	facts, err := fill(ctx, node.Bootstrap())
	if err != nil {
		return err
	}
	if err := node.Stop(); err != nil {
		return err
	}
	about := "a whole data directory of a node with static voters after a clean stop: topics, configs, transactions, groups, metadata snapshots"
	if err := a.add("static", about, node.DataDir(), facts); err != nil {
		return err
	}
	if err := node.Start(ctx); err != nil {
		return err
	}
	if err := forbid(ctx, node.Bootstrap()); err != nil {
		return err
	}
	if err := node.Kill9(); err != nil {
		return err
	}
	about = "the same with an ACL, a SCRAM user, a quota, a group of the consumer protocol and an open transaction, after kill -9"
	return a.add("refused", about, node.DataDir(), nil)
}

// fill makes what is to be found again.
func fill(ctx context.Context, at string) (map[string]any, error) {
	sent := map[string][]offline.Record{}
	plain, err := newSender(at, sent)
	if err != nil {
		return nil, err
	}
	defer plain.client.Close()
	admin := kadm.NewClient(plain.client)
	if err := createTopic(ctx, at, "work", 2, map[string]string{"retention.ms": "-1", "max.message.bytes": "500000"}); err != nil {
		return nil, err
	}
	for i := range 40 { // each leaves records in the metadata log, so that it has snapshots
		name := fmt.Sprintf("gone-%d", i)
		if err := createTopic(ctx, at, name, 1, nil); err != nil {
			return nil, err
		}
		if _, err := admin.DeleteTopics(ctx, name); err != nil {
			return nil, err
		}
	}
	for i := range 6 {
		if err := plain.batch(ctx, "work", int32(i%2), rec(i, "k", fmt.Sprint(i))); err != nil {
			return nil, err
		}
	}
	txn, err := newSender(at, sent, kgo.TransactionalID("done"))
	if err != nil {
		return nil, err
	}
	defer txn.client.Close()
	for _, commit := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
		if err := txn.client.BeginTransaction(); err != nil {
			return nil, err
		}
		if err := txn.batch(ctx, "work", 0, rec(9, "t", fmt.Sprint(bool(commit)))); err != nil {
			return nil, err
		}
		if err := txn.client.EndTransaction(ctx, commit); err != nil {
			return nil, err
		}
	}
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: "work", Partition: 0, At: 2, LeaderEpoch: -1, Metadata: "a note"})
	if err := admin.CommitAllOffsets(ctx, "billing", offsets); err != nil {
		return nil, err
	}
	topics, err := admin.ListTopics(ctx, "work")
	if err != nil {
		return nil, err
	}
	return map[string]any{"topic_id": topics["work"].ID.String(), "group": "billing", "offset": 2}, nil
}

// forbid makes what must be refused.
func forbid(ctx context.Context, at string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(at))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if _, err := admin.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{User: "bob", Mechanism: kadm.ScramSha256, Iterations: 4096, Password: "p"}}); err != nil {
		return err
	}
	user := "carol"
	quota := []kadm.AlterClientQuotaEntry{{Entity: kadm.ClientQuotaEntity{{Type: "user", Name: &user}},
		Ops: []kadm.AlterClientQuotaOp{{Key: "producer_byte_rate", Value: 1000}}}}
	if _, err := admin.AlterClientQuotas(ctx, quota); err != nil {
		return err
	}
	if err := modernGroup(ctx, client, admin); err != nil {
		return err
	}
	sent := map[string][]offline.Record{}
	open, err := newSender(at, sent, kgo.TransactionalID("open"))
	if err != nil {
		return err
	}
	if err := open.client.BeginTransaction(); err != nil {
		return err
	}
	if err := open.batch(ctx, "work", 1, rec(20, "open", "transaction")); err != nil {
		return err
	}
	// The last of all: it takes the topic away from everybody else.
	acl := kadm.NewACLs().Allow("User:alice").AllowHosts("*").Topics("work").Operations(kadm.OpRead).ResourcePatternType(kadm.ACLPatternLiteral)
	_, err = admin.CreateACLs(ctx, acl)
	return err
}

// modernGroup joins a group of the consumer protocol once.
func modernGroup(ctx context.Context, client *kgo.Client, admin *kadm.Client) error {
	coordinators := admin.FindGroupCoordinators(ctx, "modern")
	c, err := coordinators["modern"], coordinators["modern"].Err
	if err != nil {
		return err
	}
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch, req.RebalanceTimeoutMillis = "modern", "one", 0, 60000
	req.SubscribedTopicNames, req.Topics = []string{"work"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	resp, err := req.RequestWith(ctx, client.Broker(int(c.NodeID)))
	if err != nil {
		return err
	}
	if resp.ErrorCode != 0 {
		return fmt.Errorf("group modern: %s", strings.TrimSpace(fmt.Sprint(resp.ErrorCode, resp.ErrorMessage)))
	}
	return nil
}
