package kill

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// outstanding bounds the records that are sent and not acknowledged.
const outstanding = 512

// flow is one idempotent producer that numbers its records per partition and goes on through every kill.
type flow struct {
	client *kgo.Client
	room   chan struct{} // one token per outstanding record
	stop   chan struct{}
	sender sync.WaitGroup

	interrupted atomic.Int64 // produce requests written and never answered

	mu     sync.Mutex
	sent   [partitions]int64   // records handed over
	acked  [partitions][]int64 // offset of each record, by its number; -1 before its acknowledgement
	count  int                 // acknowledgements
	failed error
}

func newFlow(bootstrap string) (*flow, error) {
	f := &flow{room: make(chan struct{}, outstanding), stop: make(chan struct{})}
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic(topic), kgo.WithHooks(f),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(0),
		// A broker that comes back is asked at once: the waits of a client among many would be most of each round.
		kgo.MetadataMinAge(50*time.Millisecond), kgo.AlwaysRetryEOF(), kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }), kgo.ProducerBatchMaxBytes(8<<10))
	if err != nil {
		return nil, err
	}
	f.client = client
	f.sender.Go(f.send)
	return f, nil
}

// OnBrokerE2E counts the produce requests that were written whole and never answered: those a kill met in flight.
func (f *flow) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	if key == int16(kmsg.Produce) && e2e.WriteErr == nil && e2e.ReadErr != nil {
		f.interrupted.Add(1)
	}
}

func (f *flow) send() {
	for i := 0; ; i++ {
		select {
		case f.room <- struct{}{}:
		case <-f.stop:
			return
		}
		p := i % partitions
		f.mu.Lock()
		number := f.sent[p]
		f.sent[p]++
		f.acked[p] = append(f.acked[p], -1)
		f.mu.Unlock()
		value := make([]byte, 100)
		binary.BigEndian.PutUint64(value, uint64(number))
		f.client.Produce(context.Background(), &kgo.Record{Partition: int32(p), Value: value}, func(r *kgo.Record, err error) {
			f.mu.Lock()
			if err != nil && f.failed == nil {
				f.failed = fmt.Errorf("partition %d, record %d: %w", p, number, err)
			}
			if err == nil {
				f.acked[p][number] = r.Offset
				f.count++
			}
			f.mu.Unlock()
			<-f.room
		})
	}
}

// wait returns when n more records were acknowledged.
func (f *flow) wait(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(200 * time.Microsecond)
	defer again.Stop()
	f.mu.Lock()
	from := f.count
	f.mu.Unlock()
	for {
		f.mu.Lock()
		count, failed := f.count-from, f.failed
		f.mu.Unlock()
		if failed != nil {
			return failed
		}
		if count >= n {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d acknowledgements: %w", count, n, ctx.Err())
		}
	}
}

// finish stops sending and waits until everything is acknowledged.
func (f *flow) finish(ctx context.Context) error {
	close(f.stop)
	f.sender.Wait()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := f.client.Flush(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

func (f *flow) close() {
	select {
	case <-f.stop:
	default:
		close(f.stop)
		f.client.PurgeTopicsFromProducing(topic) // fails what is buffered, so that the sender ends
		f.sender.Wait()
	}
	f.client.Close()
}
