package cli

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// benchMixedDoc is what `bench mixed -o json` and `bench e2e -o json` print.
type benchMixedDoc struct {
	doc
	Topic    string     `json:"topic"`
	Settings benchMixed `json:"settings"`
	runDoc
}

// benchMixed is what is measured: producers, and consumers beside them.
type benchMixed struct {
	Produce   benchProduce `json:"produce"`
	Tails     int          `json:"tails"`   // consumers that each read everything as it comes
	Lagging   int          `json:"lagging"` // consumers that each read what was there before, again and again
	MaxWaitMs int64        `json:"max_wait_ms"`
}

func (a *app) benchMixed() *cobra.Command {
	var p benchProduceFlags
	var t trial
	m := benchMixed{MaxWaitMs: 500}
	c := a.command(spec{
		use: "mixed TOPIC", short: "Write and read at once: tail consumers that keep up, lagging ones that read old records", doc: benchMixedDoc{}, args: oneName("topic"),
		long: `Writes records and reads them at the same time. Each of --tails consumers reads every record as it comes; its latency is
from the moment when a record was due to its arrival. Each of --lagging consumers reads, from the start and again and again,
what was in the topic before: the far-behind reader that must not disturb the others. Fill the topic first with bench
produce, beyond what memory holds, when its reads are to come from the disk.`,
		example: `  milena bench produce bench -n 10M && milena bench mixed bench --rate 20k --tails 3 --lagging 1 --duration 1m`,
		run: func(ctx context.Context, args []string) error {
			var err error
			if m.Produce, err = p.settings(); err == nil {
				err = t.check()
			}
			if err != nil {
				return err
			}
			if m.Tails < 0 || m.Lagging < 0 || m.Tails+m.Lagging < 1 || m.Tails+m.Lagging > 1000 {
				return usage("--tails %d, --lagging %d: one consumer at least, and 1000 at most", m.Tails, m.Lagging)
			}
			return a.runBenchMixed(ctx, "bench.mixed", args[0], m, t)
		},
	})
	f := c.Flags()
	p.flags(f, "1KiB", 5*time.Millisecond)
	f.StringVar(&p.rate, "rate", "0", "`records` a second of all producers; 0 is as many as go")
	f.IntVar(&m.Tails, "tails", 1, "`consumers` that each read everything as it comes")
	f.IntVar(&m.Lagging, "lagging", 0, "`consumers` that each read what was there before, again and again")
	t.flags(f, 10*time.Second, "at least 1s")
	return c
}

func (a *app) benchE2E() *cobra.Command {
	var p benchProduceFlags
	var t trial
	m := benchMixed{Tails: 1, MaxWaitMs: 500}
	c := a.command(spec{
		use: "e2e TOPIC", short: "Measure the time from a record being due to its arrival at a consumer, at a fixed rate", doc: benchMixedDoc{}, args: oneName("topic"),
		long: `Each record is due at its moment of a fixed rate, and its latency counts from that moment: when the cluster or the client
stalls, the records that were due meanwhile are late, and none is left out (no coordinated omission). A record that was
acknowledged and doesn't arrive is an error.`,
		example: `  milena bench e2e bench --rate 10k --duration 1m --warmup 10s --plot e2e.html`,
		run: func(ctx context.Context, args []string) error {
			var err error
			if m.Produce, err = p.settings(); err == nil {
				err = t.check()
			}
			if err != nil {
				return err
			}
			if m.Produce.Rate < 1 || m.Tails < 1 || m.Tails > 1000 {
				return usage("--rate %s, --consumers %d: one at least", p.rate, m.Tails)
			}
			return a.runBenchMixed(ctx, "bench.e2e", args[0], m, t)
		},
	})
	f := c.Flags()
	p.flags(f, "1KiB", 0)
	f.StringVar(&p.rate, "rate", "1k", "`records` a second of all producers")
	f.IntVar(&m.Tails, "consumers", 1, "`clients` that each read everything")
	t.flags(f, 10*time.Second, "at least 1s")
	return c
}

func (a *app) runBenchMixed(ctx context.Context, command, topic string, m benchMixed, t trial) error {
	if t.duration < time.Second {
		return usage("--duration %s: at least 1s", t.duration)
	}
	if m.Produce.SizeBytes < stampBytes {
		return usage("-s %d: a value has to hold the %d bytes that tell when it was due", m.Produce.SizeBytes, stampBytes)
	}
	mix := &mixture{a: a, topic: topic, m: &m, stamps: newStamps(), written: make(chan struct{})}
	defer mix.release()
	if err := mix.prepare(ctx); err != nil {
		return err
	}
	within, cancel := t.until(ctx)
	defer cancel()
	run, _ := a.measure(ctx, "measuring", t, 0, mix.flows, mix.work(within, t))
	d := benchMixedDoc{doc: newDoc(command), Topic: topic, Settings: m, runDoc: run}
	err := a.tell(t, d, func() error { return a.printFlows(run) })
	var all []*meter
	for _, f := range mix.flows {
		all = append(all, f.meters...)
	}
	return tooLarge(benchEnd(ctx, a, err, sum(all)), topic, m.Produce.BatchBytes)
}

// mixture is a measurement with producers and consumers.
type mixture struct {
	a       *app
	topic   string
	m       *benchMixed
	stamps  *stamps
	flows   []*flow
	writers []*benchWriter
	tails   []*tailReader
	lagging []*laggingReader
	written chan struct{} // closed when the producers are done
	close   []func()
}

func (x *mixture) release() {
	for _, f := range x.close {
		f()
	}
}

// prepare connects everybody. Consumers are told where the topic ends before a record is written, so that none is missed.
func (x *mixture) prepare(ctx context.Context) error {
	if err := x.a.benchTopic(ctx, x.topic, cmp.Or(x.m.Produce.Partitions, -1)); err != nil {
		return err
	}
	produce := newFlow("produce", "from a record being due to its acknowledgement", x.m.Produce.Producers)
	writers, release, err := x.a.benchWriters(ctx, x.topic, &x.m.Produce, produce.meters)
	x.close = append(x.close, release)
	if err != nil {
		return err
	}
	for _, w := range writers {
		w.stamp = x.stamps
	}
	x.writers, x.flows = writers, append(x.flows, produce)
	p, err := x.a.planOf(consumeFlags{from: "start", until: "end", limit: -1}, x.topic, time.Now())
	if err != nil {
		return err
	}
	if err := x.a.admin(ctx, func(ctx context.Context, _ *kgo.Client, adm *kadm.Client) error { return x.a.locate(ctx, adm, p) }); err != nil {
		return err
	}
	if err := x.addTails(ctx, p); err != nil {
		return err
	}
	return x.addLagging(ctx, p)
}

func (x *mixture) addTails(ctx context.Context, p *plan) error {
	if x.m.Tails == 0 {
		return nil
	}
	f := newFlow("end-to-end", "from a record being due to its arrival at a consumer", x.m.Tails)
	x.flows = append(x.flows, f)
	ends := map[int32]kgo.Offset{}
	for partition, end := range p.bounds {
		ends[partition] = kgo.NewOffset().At(end)
	}
	for _, m := range f.meters {
		client, err := x.client(ctx, ends)
		if err != nil {
			return err
		}
		x.tails = append(x.tails, &tailReader{client: client, meter: m, stamps: x.stamps, written: x.written, patience: x.a.flags.timeout})
	}
	return nil
}

func (x *mixture) addLagging(ctx context.Context, p *plan) error {
	if x.m.Lagging == 0 {
		return nil
	}
	old := int64(0)
	for partition, end := range p.bounds {
		old += end - p.next[partition]
	}
	if old == 0 {
		return failed("NOTHING_TO_READ", "--lagging reads what is in %s before, and that is nothing", x.topic).try("milena bench produce %s", x.topic)
	}
	f := newFlow("lagging", "from a fetch being sent to its answer", x.m.Lagging)
	x.flows = append(x.flows, f)
	for _, m := range f.meters {
		client, err := x.client(ctx, p.assigned, kgo.WithHooks(&fetchTimes{m}))
		if err != nil {
			return err
		}
		x.lagging = append(x.lagging, &laggingReader{client: client, meter: m, topic: x.topic, from: p.next, bounds: p.bounds})
	}
	return nil
}

func (x *mixture) client(ctx context.Context, from map[int32]kgo.Offset, more ...kgo.Opt) (*kgo.Client, error) {
	c, err := x.a.benchReaderClient(ctx, x.topic, benchConsume{FetchBytes: 50 << 20, MinBytes: 1, MaxWaitMs: x.m.MaxWaitMs}, from, more...)
	if err == nil {
		x.close = append(x.close, c.Close)
	}
	return c, err
}

// work is what every producer and consumer does. Lagging consumers end with within, and those at
// the tail when they have everything that was written.
func (x *mixture) work(within context.Context, t trial) []func(context.Context) {
	var out []func(context.Context)
	var producers sync.WaitGroup
	producers.Add(len(x.writers))
	for _, w := range x.writers {
		out = append(out, func(ctx context.Context) {
			defer producers.Done()
			w.run(ctx, t)
		})
	}
	out = append(out, func(context.Context) {
		producers.Wait()
		close(x.written)
	})
	for _, r := range x.tails {
		out = append(out, r.run)
	}
	for _, r := range x.lagging {
		out = append(out, func(context.Context) { r.run(within) })
	}
	return out
}
