package migrate

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// codecs are all that there are.
func codecs() []kgo.CompressionCodec {
	return []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
}

// write makes a bit of everything under Apache Kafka. Where it is going to be killed nothing is cut off: it forgets an
// acknowledged DeleteRecords with kill -9, within a minute of it.
func write(ctx context.Context, at string, killed bool) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(at), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	compact := map[string]*string{"cleanup.policy": text("compact"), "segment.bytes": text("1048576"), "min.cleanable.dirty.ratio": text("0.01")}
	for name, configs := range map[string]map[string]*string{
		"plain": {"retention.ms": text("-1"), "max.message.bytes": text("2000000")}, "codecs": nil, "txn": nil, "compacted": compact, "cut": nil, "gone": nil,
	} {
		if r, err := admin.CreateTopic(ctx, 3, 1, configs, name); err != nil || r.Err != nil {
			return fmt.Errorf("create %s: %v %v", name, err, r.Err)
		}
	}
	if err := changeConfig(ctx, admin, "log.retention.ms", "987654321"); err != nil {
		return err
	}
	if _, err := admin.DeleteTopics(ctx, "gone"); err != nil {
		return err
	}
	for _, c := range codecs() {
		if err := produce(ctx, at, "codecs", 60, "codec", kgo.ProducerBatchCompression(c)); err != nil {
			return err
		}
	}
	for _, name := range []string{"plain", "cut"} {
		if err := produce(ctx, at, name, 300, "first"); err != nil {
			return err
		}
	}
	for i := range 3 {
		if err := produce(ctx, at, "compacted", 100, fmt.Sprint("round ", i)); err != nil {
			return err
		}
	}
	if err := transactions(ctx, at); err != nil {
		return err
	}
	if !killed {
		cut := kadm.Offsets{}
		cut.Add(kadm.Offset{Topic: "cut", Partition: 0, At: 40})
		if _, err := admin.DeleteRecords(ctx, cut); err != nil {
			return err
		}
	}
	return consume(ctx, at, "readers", "plain", 200)
}

// change is what each system does before it hands over: records, a topic more and one less, a config, commits.
func change(ctx context.Context, at string, round int) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(at))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	name := fmt.Sprint("round-", round)
	if r, err := admin.CreateTopic(ctx, 2, 1, nil, name); err != nil || r.Err != nil {
		return fmt.Errorf("create %s: %v %v", name, err, r.Err)
	}
	if round > 2 {
		if r, err := admin.DeleteTopics(ctx, fmt.Sprint("round-", round-1)); err != nil || r.Error() != nil {
			return fmt.Errorf("delete: %v %v", err, r.Error())
		}
	}
	for _, topic := range []string{name, "plain", "codecs"} {
		if err := produce(ctx, at, topic, 90, name); err != nil {
			return err
		}
	}
	if err := changeConfig(ctx, admin, "log.retention.ms", fmt.Sprint(987654321+round)); err != nil {
		return err
	}
	alter := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.bytes", Value: text(fmt.Sprint(1_000_000_000 + round))}}
	if _, err := admin.AlterTopicConfigs(ctx, alter, "plain"); err != nil {
		return err
	}
	if err := consume(ctx, at, "readers", "plain", 50); err != nil {
		return err
	}
	return consume(ctx, at, "readers of "+name, name, 40)
}

func text(s string) *string { return &s }

func changeConfig(ctx context.Context, admin *kadm.Client, key, value string) error {
	_, err := admin.AlterBrokerConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: key, Value: &value}})
	return err
}

// produce writes records of every shape to the partitions in turn: headers, null keys and values, empty ones.
func produce(ctx context.Context, at, topic string, n int, mark string, opts ...kgo.Opt) error {
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(at), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()),
		kgo.MaxBufferedRecords(50))...)
	if err != nil {
		return err
	}
	defer client.Close()
	for i := range n {
		r := &kgo.Record{Key: []byte(fmt.Sprint("key-", i%20)), Value: []byte(fmt.Sprint(mark, " value ", i)),
			Headers: []kgo.RecordHeader{{Key: "h", Value: []byte{byte(i)}}, {Key: "null"}}}
		switch {
		case topic == "compacted" && i%10 == 9:
			r.Value = nil
		case topic != "compacted" && i%4 == 1:
			r.Key = nil
		case i%4 == 2:
			r.Value = []byte{}
		}
		if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
			return fmt.Errorf("produce to %s: %w", topic, err)
		}
	}
	return nil
}

// transactions commits some and aborts some.
func transactions(ctx context.Context, at string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(at), kgo.TransactionalID("mover"), kgo.DefaultProduceTopic("txn"), kgo.TransactionTimeout(time.Minute))
	if err != nil {
		return err
	}
	defer client.Close()
	for i := range 6 {
		if err := client.BeginTransaction(); err != nil {
			return err
		}
		for j := range 10 {
			if err := client.ProduceSync(ctx, kgo.KeyStringRecord(fmt.Sprint(i), fmt.Sprint(j))).FirstErr(); err != nil {
				return err
			}
		}
		if err := client.EndTransaction(ctx, kgo.TransactionEndTry(i%2 == 0)); err != nil {
			return err
		}
	}
	return nil
}

// consume reads some records in a classic group and commits.
func consume(ctx context.Context, at, group, topic string, n int) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(at), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer client.Close()
	for got := 0; got < n; {
		fetches := client.PollRecords(ctx, n-got)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("group %s: %w", group, err)
		}
		got += fetches.NumRecords()
	}
	if err := client.CommitUncommittedOffsets(ctx); err != nil {
		return err
	}
	return client.LeaveGroupContext(ctx)
}
