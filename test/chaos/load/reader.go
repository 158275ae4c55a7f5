package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/internal/history"
)

// pollFor is how long one poll waits for records.
const pollFor = 250 * time.Millisecond

// readAll reads every partition from its beginning, as long as there is anything.
func (l *Load) readAll() {
	r, err := l.newReader()
	if err != nil {
		l.broken(l.number(), "%v", err)
		return
	}
	defer r.client.Close()
	for l.reading.Err() == nil {
		r.poll(l.reading)
	}
}

// reader is one process that is assigned all partitions.
type reader struct {
	l       *Load
	process int
	client  *kgo.Client
	at      map[int32]int64 // one past what was read
}

func (l *Load) newReader() (*reader, error) {
	from := map[int32]kgo.Offset{}
	for p := range l.o.Partitions {
		from[int32(p)] = kgo.NewOffset().At(0)
	}
	client, err := l.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{l.o.Topic: from}), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(200*time.Millisecond))
	if err != nil {
		return nil, err
	}
	r := &reader{l: l, process: l.number(), client: client, at: map[int32]int64{}}
	l.done(history.Op{Process: r.process, F: history.DoAssign, Keys: l.keys()})
	return r, nil
}

func (r *reader) poll(ctx context.Context) {
	some, cancel := context.WithTimeout(ctx, pollFor)
	defer cancel()
	op := r.l.rec.Begin(history.Op{Process: r.process, F: history.DoPoll})
	fetches := r.client.PollFetches(some)
	op.Kind, op.Mops = history.Ok, []history.Mop{{Poll: r.l.polled(r.client, fetches)}}
	r.l.rec.End(op)
	fetches.EachRecord(func(x *kgo.Record) { r.at[x.Partition] = x.Offset + 1 })
	r.l.complain(r.process, fetches)
}

// polled is what a poll returned, as the history has it. Whoever reads has heard of the leader that it reads from, whose epoch may be newer
// than those of the records.
func (l *Load) polled(client *kgo.Client, fetches kgo.Fetches) []history.Poll {
	var out []history.Poll
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 {
			return
		}
		one := history.Poll{Key: l.key(p.Partition), High: offsetOf(p.HighWatermark), Stable: offsetOf(p.LastStableOffset)}
		for _, x := range p.Records {
			one.Pairs = append(one.Pairs, history.NewPair(offsetOf(x.Offset), x.Timestamp.UnixMilli(), true, x.Key, x.Value, nil))
		}
		if _, epoch, err := client.PartitionLeader(l.o.Topic, p.Partition); err == nil {
			l.epochs.hears(p.Partition, epoch)
		}
		out = append(out, one)
	})
	return out
}

// complain records what a reader was told that means loss: that its position is not in the log any more.
func (l *Load) complain(process int, fetches kgo.Fetches) {
	for _, e := range fetches.Errors() {
		var lost *kgo.ErrDataLoss
		if errors.As(e.Err, &lost) {
			l.broken(process, "a reader of partition %d lost its place: %v", e.Partition, e.Err)
		}
	}
}

// readToTheEnd is the final polls: a client that knows nothing reads every partition from its beginning to where its log ends now.
func (l *Load) readToTheEnd(ctx context.Context) (at map[int32]int64, err error) {
	r, err := l.newReader()
	if err != nil {
		return nil, err
	}
	defer r.client.Close()
	var ends kadm.ListedOffsets
	for {
		ends, err = kadm.NewClient(r.client).ListEndOffsets(ctx, l.o.Topic)
		if err == nil {
			err = ends.Error()
		}
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("where the logs end: %w", err)
		}
		rest(ctx, 100*time.Millisecond)
	}
	for {
		behind := ""
		ends.Each(func(e kadm.ListedOffset) {
			if r.at[e.Partition] < e.Offset {
				behind = fmt.Sprintf("partition %d at offset %d of %d", e.Partition, r.at[e.Partition], e.Offset)
			}
		})
		if behind == "" {
			return r.at, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("the final reader does not come to the end: %s", behind)
		}
		r.poll(ctx)
	}
}

// askEnds asks where the logs begin and end, again and again. A leader that was cut off and does not know yet that another leads, in a
// newer epoch, tells what it knows, as in Apache Kafka: what it says is no answer to who has heard of that epoch (KIP-320).
func (l *Load) askEnds() {
	process := l.number()
	client, err := l.client()
	if err != nil {
		l.broken(process, "%v", err)
		return
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	for ; l.reading.Err() == nil; rest(l.reading, 300*time.Millisecond) {
		op := l.rec.Begin(history.Op{Process: process, F: history.DoAsk})
		ends, err := admin.ListEndOffsets(l.reading, l.o.Topic)
		op.Kind = history.Ok
		if err != nil {
			op.Kind, op.Note = history.Info, err.Error()
		}
		for p := range l.o.Partitions {
			if e, found := ends.Lookup(l.o.Topic, int32(p)); found && e.Err == nil && l.epochs.hears(int32(p), e.LeaderEpoch) {
				op.Mops = append(op.Mops, history.Mop{Bounds: &history.Bounds{Key: l.key(int32(p)), Earliest: -1, Stable: -1, Latest: offsetOf(e.Offset)}})
			}
		}
		l.rec.End(op)
	}
}
