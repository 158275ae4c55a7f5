package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/test/compat/broker"
)

// Segments of the restart figure: partitions x segments, each of a few records, rolled by time.
const (
	segmentTopic      = "segments"
	segmentPartitions = 100
	segmentsEach      = 100
)

// measureSegments kills a broker that has 10,000 segments and measures how long its next start takes until every partition
// has answered, and until a record is acknowledged.
func measureSegments(ctx context.Context, l *lab, name string) (values, error) {
	dir, err := l.another("segments-" + name)
	if err != nil {
		return nil, err
	}
	n, err := open(name, l.cores.broker, dir)
	if err != nil {
		return nil, err
	}
	defer n.Kill9()
	if err := n.Start(ctx); err != nil {
		return nil, err
	}
	each := int(l.scaled(segmentsEach))
	if err := l.topic(ctx, n, segmentTopic, segmentPartitions, "segment.ms=1", "message.timestamp.type=CreateTime"); err != nil {
		return nil, err
	}
	if err := rollSegments(ctx, n, each); err != nil {
		return nil, err
	}
	if err := n.Kill9(); err != nil {
		return nil, err
	}
	if err := n.Start(ctx); err != nil {
		return nil, err
	}
	acked, err := firstAck(ctx, n, true)
	if err != nil {
		return nil, err
	}
	last, err := ends(ctx, n, segmentTopic, segmentPartitions)
	if err != nil {
		return nil, err
	}
	all := time.Since(n.Began())
	for p, end := range last {
		if end < int64(each) {
			return nil, fmt.Errorf("partition %d of %s ends at %d after the restart; %d records were acknowledged", p, name, end, each)
		}
	}
	return values{"acked ms": float64(acked) / 1e6, "all ms": float64(all) / 1e6, "segments": float64(each * segmentPartitions)}, nil
}

// rollSegments writes one record after the other into every partition, each an hour later than the one before, so that it
// begins a segment.
func rollSegments(ctx context.Context, n broker.Broker, each int) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(n.Bootstrap()), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return err
	}
	defer client.Close()
	begin, value := time.Now().Add(-time.Duration(each)*time.Hour), make([]byte, 10<<10)
	for i := range each {
		records := make([]*kgo.Record, segmentPartitions)
		for p := range records {
			records[p] = &kgo.Record{Topic: segmentTopic, Partition: int32(p), Value: value, Timestamp: begin.Add(time.Duration(i) * time.Hour)}
		}
		if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}

// endOffsets asks for the end of every partition of a topic.
func endOffsets(ctx context.Context, client *kgo.Client, topic string, partitions int) ([]int64, error) {
	listed, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	out := make([]int64, partitions)
	for i := range out {
		o, ok := listed.Lookup(topic, int32(i))
		if !ok || o.Err != nil {
			return nil, fmt.Errorf("the end of %s-%d: %w", topic, i, o.Err)
		}
		out[i] = o.Offset
	}
	return out, nil
}
