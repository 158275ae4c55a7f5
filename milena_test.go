package milena_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena"
	"github.com/milena-io/milena/milenatest"
)

func client(t *testing.T, b *milena.Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.Addr()), kgo.AllowAutoTopicCreation()}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestProduceAndConsume(t *testing.T) {
	b := milenatest.Start(t)
	ctx := within(t)
	p := client(t, b, kgo.DefaultProduceTopic("t"))
	for _, v := range []string{"a", "b", "c"} {
		if err := p.ProduceSync(ctx, kgo.StringRecord(v)).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	c := client(t, b, kgo.ConsumeTopics("t"), kgo.ConsumerGroup("g"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var got []string
	for len(got) < 3 {
		f := c.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatal(err)
		}
		f.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	if err := c.CommitUncommittedOffsets(ctx); err != nil {
		t.Fatal(err)
	}
	lag, err := kadm.NewClient(p).Lag(ctx, "g")
	if err != nil || lag["g"].Lag.Total() != 0 {
		t.Fatalf("lag %+v, %v", lag, err)
	}
}

func TestDataOutlivesTheBroker(t *testing.T) {
	dir := t.TempDir()
	ctx := within(t)
	for i := range 3 {
		b, err := milena.Start(ctx, milena.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		c := client(t, b, kgo.DefaultProduceTopic("t"))
		r := c.ProduceSync(ctx, kgo.StringRecord("x"))
		if err := r.FirstErr(); err != nil {
			t.Fatal(err)
		}
		if r[0].Record.Offset != int64(i) {
			t.Fatalf("start %d: the record got offset %d", i, r[0].Record.Offset)
		}
		c.Close()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADirectoryHasOneBroker(t *testing.T) {
	dir := t.TempDir()
	b, err := milena.Start(within(t), milena.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if second, err := milena.Start(within(t), milena.Config{Dir: dir}); err == nil {
		second.Close()
		t.Fatal("two brokers share a directory")
	}
}

// A start that is cancelled at any moment ends, with a broker or without, and leaves nothing running or locked.
func TestStartCancelled(t *testing.T) {
	dir := t.TempDir()
	for i := range 20 {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Duration(i)*300*time.Microsecond, cancel)
		b, err := milena.Start(ctx, milena.Config{Dir: dir})
		if err == nil {
			err = b.Close()
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("start %d: %v", i, err)
		}
	}
	b, err := milena.Start(context.Background(), milena.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}
