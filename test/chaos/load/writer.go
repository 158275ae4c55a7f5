package load

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/internal/history"
)

// most is how many records one operation sends: several batches, so that some are in flight behind others.
const most = 24

// write is one idempotent producer at acks=all: operations of some records, one after the other, to some partitions, until it is told to
// stop; what it sent then it still waits for.
func (l *Load) write(sending context.Context, partitions []int32) {
	number := l.number()
	client, err := l.client(kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerBatchMaxBytes(1<<10),
		kgo.StopProducerOnDataLossDetected(), kgo.UnknownTopicRetries(-1), kgo.ProduceRequestTimeout(2*time.Second), kgo.DefaultProduceTopic(l.o.Topic))
	if err != nil {
		l.broken(number, "%v", err)
		return
	}
	defer client.Close()
	defer context.AfterFunc(sending, client.Close)() // fails what nobody takes any more
	dice := rand.New(rand.NewPCG(uint64(number), 7))
	pause := time.Duration(float64(time.Second) * float64(l.o.Partitions+1) * (most + 1) / 2 / float64(l.o.Rate))
	for seq := uint64(0); l.writing.Err() == nil; {
		n := 1 + dice.IntN(most)
		next := time.Now().Add(pause)
		if !l.send(sending, client, number, partitions, seq, n) {
			return
		}
		seq += uint64(n)
		rest(l.writing, time.Until(next))
	}
}

// send is one operation; it reports false when the producer can't go on.
func (l *Load) send(ctx context.Context, client *kgo.Client, number int, partitions []int32, seq uint64, n int) bool {
	op := history.Op{Process: number, F: history.DoSend}
	records := make([]*kgo.Record, n)
	now := time.Now().Truncate(time.Millisecond)
	for i := range n {
		p := partitions[(seq+uint64(i))%uint64(len(partitions))]
		v := history.Value(uint64(number), seq+uint64(i))
		records[i] = &kgo.Record{Partition: p, Value: history.Payload(nil, v, l.o.Size), Timestamp: now}
		op.Mops = append(op.Mops, history.Mop{Send: &history.Send{
			Key: l.key(p), V: v, Off: -1, Time: now.UnixMilli(), CRC: history.Sum(now.UnixMilli(), nil, records[i].Value, nil),
		}})
	}
	op = l.rec.Begin(op)
	var all sync.WaitGroup
	var mu sync.Mutex
	var failed error
	sends := make([]history.Mop, n) // what Begin was given is its own
	l.sends(n)
	for i, m := range op.Mops {
		s := *m.Send
		mine := &s
		sends[i].Send = mine
		all.Add(1)
		client.Produce(ctx, records[i], func(r *kgo.Record, err error) {
			defer all.Done()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
				l.sends(-1)
				return
			}
			mine.Off = offsetOf(r.Offset)
			l.acked(int(r.Partition), time.Now())
		})
	}
	all.Wait()
	op.Mops, op.Kind = sends, history.Ok
	if failed != nil {
		op.Kind, op.Note = history.Info, failed.Error()
	}
	l.rec.End(op)
	if failed != nil && ctx.Err() == nil {
		l.broken(number, "a producer gave up: %v", failed)
	}
	return failed == nil
}

// rest waits, or not so long when something ends.
func rest(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
