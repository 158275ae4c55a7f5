package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/test/compat/broker"
)

// throughput is one saturated run.
type throughput struct {
	records int64
	bytes   int64
	took    time.Duration
	broker  usage
}

func (t throughput) mbPerSecond() float64 { return float64(t.bytes) / 1e6 / t.took.Seconds() }

// cpuPerGB is the broker's CPU seconds for 10^9 bytes of records.
func (t throughput) cpuPerGB() float64 { return t.broker.cpu().Seconds() / (float64(t.bytes) / 1e9) }

// percentiles of a paced run, each record timed from when it was due.
type percentiles struct {
	rate           float64
	p50, p99, p999 time.Duration
}

func makeTopic(ctx context.Context, client *kgo.Client, topic string, partitions int, configs ...string) error {
	keys := map[string]*string{}
	for _, pair := range configs {
		name, value, _ := strings.Cut(pair, "=")
		keys[name] = &value
	}
	_, err := kadm.NewClient(client).CreateTopic(ctx, int32(partitions), 1, keys, topic) // err is also the topic's own
	if errors.Is(err, kerr.TopicAlreadyExists) {
		return nil
	}
	return err
}

func dropTopic(ctx context.Context, node broker.Broker, topic string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(node.Bootstrap()))
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = kadm.NewClient(client).DeleteTopic(ctx, topic) // err is also the topic's own
	return err
}

func producer(ctx context.Context, node broker.Broker, topic string, partitions int, configs []string, more ...kgo.Opt) (*kgo.Client, error) {
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(node.Bootstrap()), kgo.DefaultProduceTopic(topic),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.RecordPartitioner(kgo.RoundRobinPartitioner()), kgo.UnknownTopicRetries(-1), kgo.MetadataMinAge(10 * time.Millisecond)}, more...)...)
	if err != nil {
		return nil, err
	}
	if err := makeTopic(ctx, client, topic, partitions, configs...); err != nil {
		client.Close()
		return nil, err
	}
	// One record to every partition, so that leaders are known and logs are open before the clock runs.
	records := make([]*kgo.Record, partitions)
	for i := range records {
		records[i] = kgo.StringRecord("first")
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

// buffered bounds what the client holds: enough to keep every partition's requests full, not so much that it measures
// its own queue.
const buffered = 16 << 20

// most bounds the bytes of one run, and with them the disk a whole measurement takes.
const most = 512 << 20

// saturate produces as fast as acknowledgements come.
func saturate(ctx context.Context, node broker.Broker, topic string, size, partitions int, how time.Duration) (throughput, error) {
	client, err := producer(ctx, node, topic, partitions, nil, kgo.ProducerBatchMaxBytes(64<<10), kgo.MaxBufferedRecords(1<<20),
		kgo.MaxBufferedBytes(buffered), kgo.ProducerLinger(time.Millisecond))
	if err != nil {
		return throughput{}, err
	}
	defer client.Close()
	value := make([]byte, size)
	if _, err := rand.Read(value); err != nil {
		return throughput{}, err
	}
	var failed atomic.Pointer[error]
	var acked atomic.Int64
	before, err := usageOf(node.Pid())
	if err != nil {
		return throughput{}, err
	}
	begin := time.Now()
	for i := 0; i%64 != 0 || (time.Since(begin) < how && int64(i)*int64(size) < most); i++ {
		client.Produce(ctx, &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Store(&err)
				return
			}
			acked.Add(1)
		})
	}
	if err := client.Flush(ctx); err != nil {
		return throughput{}, err
	}
	took := time.Since(begin)
	if err := failed.Load(); err != nil {
		return throughput{}, *err
	}
	after, err := usageOf(node.Pid())
	n := acked.Load()
	return throughput{records: n, bytes: n * int64(size), took: took, broker: after.since(before)}, err
}

// repeated is several saturated runs on one topic.
type repeated struct {
	throughput          // the median run
	least, most float64 // MB/s
	stored      int64   // records of all runs, the ones that don't count too
}

// repeat loads a new topic until it has settled, then measures it several times. The first seconds of a topic are not
// those of its life: files are made, indexes are touched for the first time.
func repeat(ctx context.Context, p plan, node broker.Broker, topic string, size, partitions int) (repeated, error) {
	settling, err := saturate(ctx, node, topic, size, partitions, p.settle)
	if err != nil {
		return repeated{}, err
	}
	r := repeated{stored: settling.records}
	runs := make([]throughput, p.repeat)
	for i := range runs {
		if runs[i], err = saturate(ctx, node, topic, size, partitions, p.saturate); err != nil {
			return repeated{}, err
		}
		r.stored += runs[i].records
	}
	slices.SortFunc(runs, func(a, b throughput) int { return cmp.Compare(a.mbPerSecond(), b.mbPerSecond()) })
	r.throughput = runs[len(runs)/2]
	r.least, r.most = runs[0].mbPerSecond(), runs[len(runs)-1].mbPerSecond()
	return r, nil
}

// drain fetches everything from the beginning, 1 MiB a partition at a time.
func drain(ctx context.Context, node broker.Broker, topic string, records int64, size int) (throughput, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(node.Bootstrap()), kgo.ConsumeTopics(topic), kgo.FetchMaxPartitionBytes(1<<20),
		kgo.FetchMaxBytes(32<<20), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return throughput{}, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	before, err := usageOf(node.Pid())
	if err != nil {
		return throughput{}, err
	}
	begin := time.Now()
	var got int64
	for got < records {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return throughput{}, fmt.Errorf("fetch after %d of %d records: %w", got, records, err)
		}
		got += int64(fetches.NumRecords())
	}
	took := time.Since(begin)
	after, err := usageOf(node.Pid())
	return throughput{records: got, bytes: got * int64(size), took: took, broker: after.since(before)}, err
}

// paced sends records at a fixed rate and times each from the moment it was due, so that a stall counts for every
// record it delays.
func paced(ctx context.Context, node broker.Broker, topic string, size, partitions, perSecond int, how time.Duration) (percentiles, error) {
	client, err := producer(ctx, node, topic, partitions, nil, kgo.ProducerLinger(0))
	if err != nil {
		return percentiles{}, err
	}
	defer client.Close()
	// A big record is a big share of the machine: keep every run below a quarter of what one core can take.
	if bound := 40_000_000 / size; perSecond > bound {
		perSecond = bound
	}
	n := int(how.Seconds() * float64(perSecond))
	value := make([]byte, size)
	var mu sync.Mutex
	took := make([]time.Duration, 0, n)
	var failed error
	begin := time.Now()
	for i := range n {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait) // the pace of the load itself
		}
		client.Produce(ctx, &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
			at := time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, at)
			if err != nil {
				failed = err
			}
		})
	}
	if err := client.Flush(ctx); err != nil {
		return percentiles{}, err
	}
	if failed != nil {
		return percentiles{}, failed
	}
	slices.Sort(took)
	at := func(q float64) time.Duration { return took[min(len(took)-1, int(q*float64(len(took))))] }
	return percentiles{rate: float64(perSecond), p50: at(0.50), p99: at(0.99), p999: at(0.999)}, nil
}

// warm loads a system with small records for a while, in runs that stay below the bound.
func warm(ctx context.Context, node broker.Broker, how time.Duration) error {
	for begin := time.Now(); time.Since(begin) < how; {
		if _, err := saturate(ctx, node, "warm", 100, 10, how-time.Since(begin)); err != nil {
			return err
		}
	}
	return nil
}
