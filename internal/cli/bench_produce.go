package cli

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"
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
}

// benchProduce is what is measured; two runs compare only when it is equal.
type benchProduce struct {
	Number      int64  `json:"number"`
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
	s := benchProduce{}
	var number, bytes, keys, rate, batch string
	var linger time.Duration
	c := a.command(spec{
		use: "produce TOPIC", short: "Write records and measure throughput and the time to their acknowledgement", doc: benchProduceDoc{}, args: oneName("topic"),
		long: `Writes records of one size and measures. The same flags write the same keys and values. Without --rate producers
write as fast as they can, and latency includes the wait in the client's buffer; with --rate it counts from the moment
when a record was due, so that a stall is not left out.`,
		example: `  milena bench produce bench -n 10M -s 1KiB --producers 4
  milena bench produce bench -n 100k --rate 5k --acks all -o json`,
		run: func(ctx context.Context, args []string) error {
			var err [5]error
			var size64, number64 int64
			number64, err[0] = parseCount(number)
			size64, err[1] = parseSize(bytes)
			s.Keys, err[2] = parseCount(keys)
			s.Rate, err[3] = parseCount(rate)
			s.BatchBytes, err[4] = parseSize(batch)
			for i, flag := range []string{"-n", "-s", "--keys", "--rate", "--batch"} {
				if err[i] != nil {
					return usage("%s: %v", flag, err[i])
				}
			}
			s.Number, s.SizeBytes, s.LingerMs = number64, int(size64), linger.Milliseconds()
			if number64 < 1 || s.Producers < 1 || s.Producers > 1000 || size64 > 1<<30 || s.Buffer < 1 || s.BatchBytes < 1<<10 || s.BatchBytes > 1<<30 {
				return usage("a number is out of range: -n %s, -s %s, --producers %d, --buffer %d, --batch %s", number, bytes, s.Producers, s.Buffer, batch)
			}
			if least := size64 + benchOverhead; least > s.BatchBytes {
				return usage("a value of -s %s does not fit into --batch %s", bytes, batch).try("--batch %s", roundSize(least))
			}
			return a.runBenchProduce(ctx, args[0], s, linger)
		},
	})
	f := c.Flags()
	f.StringVarP(&number, "number", "n", "1M", "`records` to write, of all producers")
	f.StringVarP(&bytes, "size", "s", "1KiB", "`bytes` of a value")
	f.IntVar(&s.Producers, "producers", 1, "`clients` that write at the same time")
	f.StringVar(&s.Acks, "acks", "all", "who must have a record before it counts: `all`, 1 or 0")
	f.BoolVar(&s.Idempotence, "idempotence", true, "no duplicates and no reordering by retries; needs --acks all")
	f.StringVarP(&s.Compression, "compression", "z", "none", "`codec`: none, gzip, snappy, lz4 or zstd")
	f.StringVar(&keys, "keys", "0", "distinct `keys`; 0 writes none")
	f.StringVar(&rate, "rate", "0", "`records` a second of all producers; 0 is as many as go")
	f.StringVar(&s.Fill, "fill", "letters", "`content` of values: letters (as Kafka's perf test), random or zero")
	f.Uint64Var(&s.Seed, "seed", 1, "`number` that content comes from")
	f.DurationVar(&linger, "linger", 5*time.Millisecond, "`time` to wait for a batch to fill")
	f.StringVar(&batch, "batch", "1000000", "largest batch, `bytes`")
	f.IntVar(&s.Buffer, "buffer", 10_000, "`records` of one producer that may wait for their acknowledgement")
	f.IntVarP(&s.Partitions, "partitions", "p", 0, "make the topic with so many `partitions` when it is absent; 0 leaves it to the broker")
	return c
}

// benchOverhead is at least what a batch of one record has beside the value.
const benchOverhead = 128

func (a *app) runBenchProduce(ctx context.Context, topic string, s benchProduce, linger time.Duration) error {
	opts, err := acksOptions(s.Acks, s.Idempotence)
	if err != nil {
		return err
	}
	codec, err := codecOf(s.Compression)
	if err != nil {
		return err
	}
	values, err := newFill(s.Fill, s.Seed, s.SizeBytes)
	if err != nil {
		return err
	}
	if s.Acks != "all" && s.Acks != "-1" {
		s.Idempotence = false
	}
	opts = append(opts, kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(linger), kgo.AllowAutoTopicCreation(),
		kgo.ProducerBatchMaxBytes(int32(s.BatchBytes)), kgo.BrokerMaxWriteBytes(int32(max(s.BatchBytes+1<<20, 100<<20))), kgo.MaxBufferedRecords(s.Buffer))
	if err := a.benchTopic(ctx, topic, s.Partitions); err != nil {
		return err
	}
	clients := make([]*kgo.Client, s.Producers)
	meters := make([]*meter, s.Producers)
	for i := range clients {
		if clients[i], err = a.connect(ctx, opts...); err != nil {
			return err
		}
		defer clients[i].Close()
		meters[i] = &meter{}
	}
	took := a.measure(ctx, "producing", meters, s.Number, func(ctx context.Context, i int, m *meter) {
		w := benchWriter{client: clients[i], meter: m, values: values, s: s, index: int64(i)}
		w.run(ctx)
	})
	d := benchProduceDoc{doc: newDoc("bench.produce"), Topic: topic, Settings: s, Producers: []rateDoc{}}
	for _, m := range meters {
		d.Producers = append(d.Producers, m.doc(took))
	}
	total := sum(meters)
	d.Total = total.doc(took)
	if a.asJSON() {
		err = a.json(d)
	} else {
		err = a.printRates("PRODUCER", "from a record being due to its acknowledgement", "", d.Producers, d.Total)
	}
	err = benchEnd(ctx, a, err, total)
	if f := (*failure)(nil); errors.As(err, &f) && f.code == kerr.MessageTooLarge.Message {
		f.hint = "make --batch smaller, or raise max.message.bytes: " + alterLimit(topic, s.BatchBytes)
	}
	return err
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

// benchWriter is one producer of a measurement. Of n producers, the i-th writes the records i, i+n, i+2n…
type benchWriter struct {
	client *kgo.Client
	meter  *meter
	values fill
	s      benchProduce
	index  int64
}

func (w *benchWriter) run(ctx context.Context) {
	began := time.Now()
	step := int64(w.s.Producers)
	for i := w.index; i < w.s.Number && ctx.Err() == nil; i += step {
		due := time.Now()
		if w.s.Rate > 0 {
			due = began.Add(time.Duration(float64(i) / float64(w.s.Rate) * float64(time.Second)))
			if wait := time.Until(due); wait > 0 {
				select {
				case <-time.After(wait):
				case <-ctx.Done():
					continue
				}
			}
		}
		r := &kgo.Record{Value: w.values.at(i)}
		if w.s.Keys > 0 {
			r.Key = fmt.Appendf(nil, "key-%012d", i%w.s.Keys)
		}
		n := int64(len(r.Key) + len(r.Value))
		w.client.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				if ctx.Err() == nil {
					w.meter.failed(err)
				}
				return
			}
			w.meter.latency.add(time.Since(due))
			w.meter.records.Add(1)
			w.meter.bytes.Add(n)
		})
	}
	_ = w.client.Flush(ctx) // fails only by the interrupt, which ends the command
}

// fill is a stretch of content that values are cut from: equal seeds give equal values, and no value costs memory.
type fill struct {
	content []byte
	size    int
}

// fillStretch is how many different places values begin at, a prime.
const fillStretch = 1_048_573

func newFill(kind string, seed uint64, size int) (fill, error) {
	f := fill{content: make([]byte, fillStretch+size), size: size}
	r := rand.New(rand.NewPCG(seed, 0))
	switch kind {
	case "letters":
		for i := range f.content {
			f.content[i] = 'A' + byte(r.IntN(26))
		}
	case "random":
		for i := range f.content {
			f.content[i] = byte(r.Uint32())
		}
	case "zero":
	default:
		return f, usage("--fill %q: letters, random or zero", kind)
	}
	return f, nil
}

func (f fill) at(i int64) []byte {
	from := i * 7919 % fillStretch
	return f.content[from : from+int64(f.size) : from+int64(f.size)]
}
