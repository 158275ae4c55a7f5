// Package load is the clients of a chaos run: producers, readers, a group and its onlookers, each of which records what it did and saw
// into one history.
//
// The chaos run starts a Load for each round and finishes it after the round's faults; what it recorded is judged elsewhere. It knows
// nothing of faults. Every client goes on through whatever happens: the only errors it gives up on are those after which records are
// lost or doubled, and these it records as a break.
package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

// Options say what the clients do.
type Options struct {
	Addrs      []string
	Topic      string // made by the load
	Partitions int
	Rate       int // records a second, of all producers
	Size       int // bytes of a record
	Members    int // of the group
	Guests     []*Guest
	Sink       *history.Writer
}

// Load is clients at work.
type Load struct {
	*Clock
	o       Options
	rec     *history.Recorder
	began   time.Time
	process atomic.Int64 // numbers given to processes and writers
	epochs  epochs

	writing, reading context.Context // what lasts until the producers, and the rest, are told to end
	stopWriting      context.CancelFunc
	stopReading      context.CancelFunc
	writers, readers sync.WaitGroup
	abort            context.CancelFunc // of writers whose records nobody takes any more
}

// Group is the name of the group that reads the topic.
func (l *Load) Group() string { return l.o.Topic + "-group" }

func (l *Load) groups() []string {
	if len(l.o.Guests) == 0 {
		return []string{l.Group()}
	}
	return []string{l.Group(), l.Guests()}
}

// Start makes the topic and starts the clients.
func Start(ctx context.Context, o Options) (*Load, error) {
	l := &Load{o: o, Clock: newClock(o.Partitions), began: time.Now(), epochs: epochs{newest: make([]int32, o.Partitions)}}
	l.rec = history.NewRecorder(func() int64 { return int64(time.Since(l.began)) }, o.Sink)
	if err := l.makeTopic(ctx); err != nil {
		return nil, err
	}
	var sending context.Context
	sending, l.abort = context.WithCancel(context.WithoutCancel(ctx))
	l.writing, l.stopWriting = context.WithCancel(context.WithoutCancel(ctx))
	l.reading, l.stopReading = context.WithCancel(context.WithoutCancel(ctx))
	for p := range o.Partitions { // one producer for each partition: what one waits for does not hold up another
		l.writers.Go(func() { l.write(sending, []int32{int32(p)}) })
	}
	all := make([]int32, o.Partitions)
	for p := range all {
		all[p] = int32(p)
	}
	l.writers.Go(func() { l.write(sending, all) }) // and one for all
	l.readers.Go(l.readAll)
	l.readers.Go(l.askEnds)
	l.readers.Go(l.watchOffsets)
	for m := range o.Members {
		l.readers.Go(func() { l.member(m) })
	}
	for _, g := range o.Guests {
		g.join(l, sending)
	}
	return l, nil
}

// Finish ends the producers when all they sent is acknowledged, has a fresh reader read everything and the groups come to the end, and
// returns the history. Nothing hurts the cluster any more. The history is complete as far as it goes also with an error.
func (l *Load) Finish(ctx context.Context) (history.History, error) {
	l.stopWriting()
	err := within(ctx, &l.writers)
	if err != nil {
		err = fmt.Errorf("records that are sent are never acknowledged: %w", err)
	}
	l.abort()
	l.writers.Wait()
	var ends map[int32]int64
	if err == nil {
		ends, err = l.readToTheEnd(ctx)
	}
	for _, group := range l.groups() {
		if err == nil {
			err = l.groupToTheEnd(ctx, group, ends)
		}
	}
	l.stopReading()
	l.readers.Wait()
	h, kept := l.rec.History()
	return h, errors.Join(err, kept)
}

// within waits for goroutines.
func within(ctx context.Context, w *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() { w.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Load) makeTopic(ctx context.Context) error {
	client, err := l.client()
	if err != nil {
		return err
	}
	defer client.Close()
	two := "2"
	made, err := kadm.NewClient(client).CreateTopic(ctx, int32(l.o.Partitions), 3, map[string]*string{"min.insync.replicas": &two}, l.o.Topic)
	if err != nil {
		return err
	}
	return made.Err
}

// client is one that finds its way quickly: the gaps are to be the cluster's and not the client's.
func (l *Load) client(more ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(Patient(l.o.Addrs), more...)...)
}

// Patient are the options of a client that never gives up, and asks again soon.
func Patient(addrs []string) []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(addrs...), kgo.MetadataMinAge(50 * time.Millisecond), kgo.AlwaysRetryEOF(),
		kgo.RetryBackoffFn(func(n int) time.Duration { return time.Duration(min(n, 5)) * 10 * time.Millisecond }),
		kgo.RequestRetries(1 << 20), kgo.RetryTimeout(20 * time.Second),
		kgo.DialTimeout(time.Second), kgo.RequestTimeoutOverhead(2 * time.Second),
	}
}

// number gives a process or a writer its number.
func (l *Load) number() int { return int(l.process.Add(1)) }

func (l *Load) key(p int32) history.Key { return history.Key{Topic: l.o.Topic, Partition: p} }

func (l *Load) keys() []history.Key {
	var out []history.Key
	for p := range l.o.Partitions {
		out = append(out, l.key(int32(p)))
	}
	return out
}

// broken records something that no fault explains.
func (l *Load) broken(process int, format string, args ...any) {
	op := l.rec.Begin(history.Op{Process: process, F: history.DoBreak, Note: fmt.Sprintf(format, args...)})
	op.Kind = history.Info
	l.rec.End(op)
}

// done records an operation that is over as it begins.
func (l *Load) done(o history.Op) {
	op := l.rec.Begin(o)
	op.Kind = history.Ok
	l.rec.End(op)
}

// offsetOf is an offset as the history has it.
func offsetOf(o int64) kafka.Offset { return kafka.Offset(o) }
