package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// benchProduceDoc is what `bench produce -o json` prints.
type benchProduceDoc struct {
	doc
	Topic     string       `json:"topic"`
	Settings  benchProduce `json:"settings"`
	Producers []rateDoc    `json:"producers"`
	Total     rateDoc      `json:"total"`
	runDoc
}

// benchProduce is what is measured; two runs compare only when it is equal.
type benchProduce struct {
	Number      int64  `json:"number"` // 0 when the time ends it
	SizeBytes   int    `json:"size_bytes"`
	Producers   int    `json:"producers"`
	Acks        string `json:"acks"`
	Idempotence bool   `json:"idempotence"`
	Compression string `json:"compression"`
	Keys        int64  `json:"keys"` // distinct ones, 0 for no keys
	Rate        int64  `json:"rate"` // records a second of all producers, 0 for as many as go
	Fill        string `json:"fill"`
	Seed        uint64 `json:"seed"`
	LingerMs    int64  `json:"linger_ms"`
	BatchBytes  int64  `json:"batch_bytes"`
	Buffer      int    `json:"buffer"` // records of one producer that may wait for their acknowledgement
	Partitions  int    `json:"partitions"`
}

func (a *app) benchProduce() *cobra.Command {
	var p benchProduceFlags
	var t trial
	var c *cobra.Command
	c = a.command(spec{
		use: "produce TOPIC", short: "Write records and measure throughput and the time to their acknowledgement", doc: benchProduceDoc{}, args: oneName("topic"),
		long: `Writes records of one size and measures. The same flags write the same keys and values. Without --rate producers
write as fast as they can, and latency includes the wait in the client's buffer; with --rate it counts from the moment
when a record was due, so that a stall is not left out.`,
		example: `  milena bench produce bench -n 10M -s 1KiB --producers 4
  milena bench produce bench --rate 5k --duration 1m --warmup 10s --save a.json
  milena bench produce bench -n 100k --rate 5k --acks all -o json`,
		run: func(ctx context.Context, args []string) error {
			if t.duration > 0 && !c.Flags().Changed("number") {
				p.number = "" // the time ends it
			}
			s, err := p.settings()
			if err == nil {
				err = t.check()
			}
			if err != nil {
				return err
			}
			return a.runBenchProduce(ctx, args[0], s, t)
		},
	})
	f := c.Flags()
	f.StringVarP(&p.number, "number", "n", "1M", "`records` to write, of all producers")
	p.flags(f, "1KiB", 5*time.Millisecond)
	f.StringVar(&p.rate, "rate", "0", "`records` a second of all producers; 0 is as many as go")
	t.flags(f, 0, "-n ends it without")
	return c
}

// benchProduceFlags are the flags that every measurement with producers has, as they were written.
type benchProduceFlags struct {
	benchProduce
	number, size, keys, rate, batch string
	linger                          time.Duration
}

func (p *benchProduceFlags) flags(f *pflag.FlagSet, size string, linger time.Duration) {
	s := &p.benchProduce
	f.StringVarP(&p.size, "size", "s", size, "`bytes` of a value")
	f.IntVar(&s.Producers, "producers", 1, "`clients` that write at the same time")
	f.StringVar(&s.Acks, "acks", "all", "who must have a record before it counts: `all`, 1 or 0")
	f.BoolVar(&s.Idempotence, "idempotence", true, "no duplicates and no reordering by retries; needs --acks all")
	f.StringVarP(&s.Compression, "compression", "z", "none", "`codec`: none, gzip, snappy, lz4 or zstd")
	f.StringVar(&p.keys, "keys", "0", "distinct `keys`; 0 writes none")
	f.StringVar(&s.Fill, "fill", "letters", "`content` of values: letters (as Kafka's perf test), random or zero")
	f.Uint64Var(&s.Seed, "seed", 1, "`number` that content comes from")
	f.DurationVar(&p.linger, "linger", linger, "`time` to wait for a batch to fill")
	f.StringVar(&p.batch, "batch", "1000000", "largest batch, `bytes`")
	f.IntVar(&s.Buffer, "buffer", 10_000, "`records` of one producer that may wait for their acknowledgement")
	f.IntVarP(&s.Partitions, "partitions", "p", 0, "make the topic with so many `partitions` when it is absent; 0 leaves it to the broker")
}

// settings reads the flags. Without a number it is 0, and the time has to end the writing.
func (p *benchProduceFlags) settings() (benchProduce, error) {
	s := p.benchProduce
	var err [5]error
	var size64 int64
	if p.number != "" {
		if s.Number, err[0] = parseCount(p.number); err[0] == nil && s.Number < 1 {
			return s, usage("-n %s: nothing to write", p.number)
		}
	}
	size64, err[1] = parseSize(p.size)
	s.Keys, err[2] = parseCount(p.keys)
	s.Rate, err[3] = parseCount(p.rate)
	s.BatchBytes, err[4] = parseSize(p.batch)
	for i, flag := range []string{"-n", "-s", "--keys", "--rate", "--batch"} {
		if err[i] != nil {
			return s, usage("%s: %v", flag, err[i])
		}
	}
	s.SizeBytes, s.LingerMs = int(size64), p.linger.Milliseconds()
	if s.Producers < 1 || s.Producers > 1000 || size64 > 1<<30 || s.Buffer < 1 || s.BatchBytes < 1<<10 || s.BatchBytes > 1<<30 || p.linger < 0 {
		return s, usage("a number is out of range: -s %s, --producers %d, --buffer %d, --batch %s, --linger %s", p.size, s.Producers, s.Buffer, p.batch, p.linger)
	}
	if least := size64 + benchOverhead; least > s.BatchBytes {
		return s, usage("a value of -s %s does not fit into --batch %s", p.size, p.batch).try("--batch %s", roundSize(least))
	}
	return s, nil
}

// benchOverhead is at least what a batch of one record has beside the value.
const benchOverhead = 128

func (a *app) runBenchProduce(ctx context.Context, topic string, s benchProduce, t trial) error {
	f := newFlow("produce", "from a record being due to its acknowledgement", s.Producers)
	writers, release, err := a.benchWriters(ctx, topic, &s, f.meters)
	defer release()
	if err != nil {
		return err
	}
	work := make([]func(context.Context), len(writers))
	for i, w := range writers {
		work[i] = func(ctx context.Context) { w.run(ctx, t) }
	}
	run, took := a.measure(ctx, "producing", t, s.Number, []*flow{f}, work)
	d := benchProduceDoc{doc: newDoc("bench.produce"), Topic: topic, Settings: s, Producers: []rateDoc{}, runDoc: run}
	for _, m := range f.meters {
		d.Producers = append(d.Producers, m.doc(took))
	}
	d.Total = run.Flows[0].Total
	err = a.tell(t, d, func() error { return a.printRates("PRODUCER", f.what, "", d.Producers, d.Total) })
	return tooLarge(benchEnd(ctx, a, err, sum(f.meters)), topic, s.BatchBytes)
}

// tooLarge tells what to do about batches that the topic refuses for their size.
func tooLarge(err error, topic string, batch int64) error {
	if f := (*failure)(nil); errors.As(err, &f) && f.code == kerr.MessageTooLarge.Message {
		f.hint = "make --batch smaller, or raise max.message.bytes: " + alterLimit(topic, batch)
	}
	return err
}

// benchWriters connects the producers of a measurement, one for each meter. release closes them, also after an error.
func (a *app) benchWriters(ctx context.Context, topic string, s *benchProduce, meters []*meter) (writers []*benchWriter, release func(), err error) {
	release = func() {
		for _, w := range writers {
			w.client.Close()
		}
	}
	opts, err := acksOptions(s.Acks, s.Idempotence)
	if err != nil {
		return nil, release, err
	}
	codec, err := codecOf(s.Compression)
	if err != nil {
		return nil, release, err
	}
	values, err := newFill(s.Fill, s.Seed, s.SizeBytes)
	if err != nil {
		return nil, release, err
	}
	if s.Acks != "all" && s.Acks != "-1" {
		s.Idempotence = false
	}
	opts = append(opts, kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(time.Duration(s.LingerMs)*time.Millisecond), kgo.AllowAutoTopicCreation(),
		kgo.ProducerBatchMaxBytes(int32(s.BatchBytes)), kgo.BrokerMaxWriteBytes(int32(max(s.BatchBytes+1<<20, 100<<20))), kgo.MaxBufferedRecords(s.Buffer))
	if err := a.benchTopic(ctx, topic, s.Partitions); err != nil {
		return nil, release, err
	}
	for i, m := range meters {
		client, err := a.connect(ctx, opts...)
		if err != nil {
			return writers, release, err
		}
		writers = append(writers, &benchWriter{client: client, meter: m, values: values, s: *s, index: int64(i)})
	}
	return writers, release, nil
}

// benchEnd is how a measurement ends: interrupted, or failed when records did.
func benchEnd(ctx context.Context, a *app, err error, total *meter) error {
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case total.first != nil:
		f := a.asFailure(total.first)
		f.message = fmt.Sprintf("%s failed, the first with %s", plural(total.errors.Load(), "record"), f.message)
		return f
	}
	return nil
}

// benchTopic makes the topic when the user said how.
func (a *app) benchTopic(ctx context.Context, topic string, partitions int) error {
	if partitions == 0 {
		return nil
	}
	return a.admin(ctx, func(ctx context.Context, _ *kgo.Client, adm *kadm.Client) error {
		all, err := adm.ListTopics(ctx, topic)
		if err != nil || all[topic].Err == nil {
			return err
		}
		_, err = adm.CreateTopic(ctx, int32(partitions), -1, nil, topic)
		return err
	})
}
