package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// benchConsumeDoc is what `bench consume -o json` prints.
type benchConsumeDoc struct {
	doc
	Topic     string       `json:"topic"`
	Settings  benchConsume `json:"settings"`
	Consumers []rateDoc    `json:"consumers"`
	Total     rateDoc      `json:"total"`
	runDoc
}

type benchConsume struct {
	Number     int64  `json:"number"` // records to read
	Consumers  int    `json:"consumers"`
	From       string `json:"from"`
	FetchBytes int64  `json:"fetch_bytes"` // of one answer
	MinBytes   int64  `json:"min_bytes"`
	MaxWaitMs  int64  `json:"max_wait_ms"`
}

func (a *app) benchConsume() *cobra.Command {
	s := benchConsume{}
	var t trial
	var number, fetch, least string
	var wait time.Duration
	c := a.command(spec{
		use: "consume TOPIC", short: "Read records and measure throughput and the time of fetches", doc: benchConsumeDoc{}, args: oneName("topic"),
		long: `Reads what is in a topic now, or -n records, and measures. Partitions are dealt out to the consumers, without a group.`,
		run: func(ctx context.Context, args []string) error {
			var err [3]error
			if number != "" {
				s.Number, err[0] = parseCount(number)
			}
			s.FetchBytes, err[1] = parseSize(fetch)
			s.MinBytes, err[2] = parseSize(least)
			for i, flag := range []string{"-n", "--fetch", "--min-bytes"} {
				if err[i] != nil {
					return usage("%s: %v", flag, err[i])
				}
			}
			s.MaxWaitMs = wait.Milliseconds()
			if s.Consumers < 1 || s.Consumers > 1000 || s.FetchBytes < 1 || s.FetchBytes > 1<<30 || s.MinBytes < 0 || s.MinBytes > s.FetchBytes || wait < 0 {
				return usage("a number is out of range: --consumers %d, --fetch %s, --min-bytes %s, --max-wait %s", s.Consumers, fetch, least, wait)
			}
			if err := t.check(); err != nil {
				return err
			}
			return a.runBenchConsume(ctx, args[0], s, t, number != "" || t.duration > 0)
		},
	})
	f := c.Flags()
	f.StringVarP(&number, "number", "n", "", "`records` to read, which are waited for; without it what is there now")
	f.IntVar(&s.Consumers, "consumers", 1, "`clients` that read at the same time")
	f.StringVar(&s.From, "from", "start", "`where` to begin, as consume takes it")
	f.StringVar(&fetch, "fetch", "50MiB", "largest answer, `bytes`")
	f.StringVar(&least, "min-bytes", "1", "`bytes` that an answer waits for")
	f.DurationVar(&wait, "max-wait", 500*time.Millisecond, "`time` that an answer waits at most")
	t.flags(f, 0, "what is there or -n ends it without")
	return c
}

func (a *app) runBenchConsume(ctx context.Context, topic string, s benchConsume, t trial, wait bool) error {
	p, err := a.planOf(consumeFlags{from: s.From, until: "end", limit: -1}, topic, time.Now())
	if err != nil {
		return err
	}
	if err := a.admin(ctx, func(ctx context.Context, _ *kgo.Client, adm *kadm.Client) error { return a.locate(ctx, adm, p) }); err != nil {
		return err
	}
	readers := deal(p, min(s.Consumers, len(p.assigned)))
	total := int64(0)
	for _, r := range readers {
		total += r.left
	}
	if wait {
		total = s.Number
	}
	s.Number, s.Consumers = total, len(readers)
	within, enough := t.until(ctx)
	defer enough()
	f := newFlow("consume", "from a fetch being sent to its answer", len(readers))
	work := make([]func(context.Context), len(readers))
	for i, r := range readers {
		r.wait, r.meters, r.total, r.enough, r.meter = wait, f.meters, total, enough, f.meters[i]
		if r.client, err = a.benchReaderClient(ctx, topic, s, r.from, kgo.WithHooks(&fetchTimes{r.meter})); err != nil {
			return err
		}
		defer r.client.Close()
		work[i] = r.run
	}
	run, took := a.measure(within, "consuming", t, total, []*flow{f}, work)
	d := benchConsumeDoc{doc: newDoc("bench.consume"), Topic: topic, Settings: s, Consumers: []rateDoc{}, runDoc: run}
	for _, m := range f.meters {
		d.Consumers = append(d.Consumers, m.doc(took))
	}
	d.Total = run.Flows[0].Total
	err = a.tell(t, d, func() error { return a.printRates("CONSUMER", f.what, "FETCHES", d.Consumers, d.Total) })
	return benchEnd(ctx, a, err, sum(f.meters))
}

// benchReaderClient connects a consumer that reads partitions from given offsets, without a group.
func (a *app) benchReaderClient(ctx context.Context, topic string, s benchConsume, from map[int32]kgo.Offset, more ...kgo.Opt) (*kgo.Client, error) {
	return a.connect(ctx, append(more, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}), kgo.FetchMaxBytes(int32(s.FetchBytes)),
		kgo.FetchMaxPartitionBytes(int32(s.FetchBytes)), kgo.BrokerMaxReadBytes(int32(max(s.FetchBytes*2, 100<<20))), kgo.FetchMinBytes(int32(s.MinBytes)),
		kgo.FetchMaxWait(time.Duration(s.MaxWaitMs)*time.Millisecond))...)
}

// benchReader is one consumer of a measurement.
type benchReader struct {
	client *kgo.Client
	meter  *meter
	from   map[int32]kgo.Offset
	bounds map[int32]int64
	next   map[int32]int64
	left   int64 // offsets between from and bounds

	wait   bool // for total records of all consumers, not for the bounds
	meters []*meter
	total  int64
	enough context.CancelFunc
}

// deal gives the partitions out to n readers.
func deal(p *plan, n int) []*benchReader {
	out := make([]*benchReader, n)
	for i := range out {
		out[i] = &benchReader{from: map[int32]kgo.Offset{}, bounds: map[int32]int64{}, next: map[int32]int64{}}
	}
	for i, partition := range sortedKeys(p.bounds) {
		r := out[i%n]
		r.from[partition], r.bounds[partition], r.next[partition] = p.assigned[partition], p.bounds[partition], p.next[partition]
		r.left += max(p.bounds[partition]-p.next[partition], 0)
	}
	return out
}

func (r *benchReader) run(ctx context.Context) {
	m, last := r.meter, time.Now()
	for !r.finished() && ctx.Err() == nil {
		poll, cancel := context.WithTimeout(ctx, time.Second)
		fetches := r.client.PollFetches(poll)
		cancel()
		for _, e := range fetches.Errors() {
			if !errors.Is(e.Err, context.DeadlineExceeded) && !errors.Is(e.Err, context.Canceled) {
				m.failed(e.Err)
				return
			}
		}
		now := time.Now()
		fetches.EachRecord(func(rec *kgo.Record) {
			r.next[rec.Partition] = rec.Offset + 1
			if r.wait || rec.Offset < r.bounds[rec.Partition] {
				m.count(now, 1, int64(len(rec.Key)+len(rec.Value)))
			}
		})
		if fetches.NumRecords() > 0 {
			last = time.Now()
		} else if !r.wait && time.Since(last) > idleEnd { // the last offsets have no readable record
			return
		}
		if r.wait && r.total > 0 && r.together() >= r.total {
			r.enough()
		}
	}
}

func (r *benchReader) together() int64 {
	n := int64(0)
	for _, m := range r.meters {
		n += m.records.Load()
	}
	return n
}

func (r *benchReader) finished() bool {
	if r.wait {
		return false
	}
	for partition, bound := range r.bounds {
		if r.next[partition] < bound {
			return false
		}
	}
	return true
}

// fetchTimes notes how long each fetch took.
type fetchTimes struct{ meter *meter }

// OnBrokerE2E is the client's hook for an answered request.
func (f *fetchTimes) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	if key == kmsg.Fetch.Int16() && e2e.Err() == nil && !time.Now().Add(-e2e.DurationE2E()).Before(f.meter.from) {
		f.meter.latency.add(e2e.DurationE2E())
	}
}
