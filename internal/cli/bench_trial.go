package cli

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"
)

// trial is how a measurement is run and what is kept of it.
type trial struct {
	duration time.Duration // of what is counted; 0 for as long as there is work
	warmup   time.Duration // before that
	save     string        // file for the result, "" for none
	plot     string        // file for its picture, "" for none
}

func (t *trial) flags(f *pflag.FlagSet, duration time.Duration, until string) {
	f.DurationVar(&t.duration, "duration", duration, "`time` to measure; "+until)
	f.DurationVar(&t.warmup, "warmup", 0, "`time` to run before anything counts")
	f.StringVar(&t.save, "save", "", "write the result to a `file`, for bench compare")
	f.StringVar(&t.plot, "plot", "", "draw the result into a `file`, .html or .svg")
}

func (t *trial) check() error {
	if t.duration < 0 || t.warmup < 0 {
		return usage("a time is negative: --duration %s, --warmup %s", t.duration, t.warmup)
	}
	return checkPlot(t.plot)
}

// until is the context of the work: it ends with the measured time, when that is bounded.
func (t *trial) until(ctx context.Context) (context.Context, context.CancelFunc) {
	if t.duration == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, t.warmup+t.duration)
}

// flow is one direction of records in a measurement: all producers together, or all consumers of one kind.
type flow struct {
	name   string // produce, consume, tail, lagging or end-to-end
	what   string // what its latency is
	meters []*meter
	series series
}

func newFlow(name, what string, workers int) *flow {
	f := &flow{name: name, what: what}
	for range workers {
		f.meters = append(f.meters, &meter{})
	}
	return f
}

// runDoc is what every measurement says of itself in JSON, and what bench compare reads.
type runDoc struct {
	Began         string    `json:"began"`
	BeganMs       int64     `json:"began_ms"`
	Client        string    `json:"client"` // version of the program that measured
	Platform      string    `json:"platform"`
	CPUs          int       `json:"cpus"` // of the machine that measured
	WarmupSeconds float64   `json:"warmup_seconds"`
	Flows         []flowDoc `json:"flows"`
}

// flowDoc is a flow in JSON.
type flowDoc struct {
	Name  string        `json:"name"`
	What  string        `json:"latency_of"`
	Total rateDoc       `json:"total"`
	Curve []curvePoint  `json:"latency_curve"`
	Time  []seriesPoint `json:"series"`
}

// measure runs the workers until all are done, shows how far they are meanwhile, and takes the flows' series. What began
// before the warm-up is over isn't counted. total is of the first flow, 0 when it is not known.
func (a *app) measure(ctx context.Context, verb string, t trial, total int64, flows []*flow, work []func(context.Context)) (runDoc, time.Duration) {
	began := time.Now()
	from := began.Add(t.warmup)
	for _, f := range flows {
		for _, m := range f.meters {
			m.from = from
		}
		f.series.from = from
	}
	done := make(chan struct{})
	var workers sync.WaitGroup
	for _, w := range work {
		workers.Go(func() { w(ctx) })
	}
	go func() {
		workers.Wait()
		close(done)
	}()
	a.watch(verb, total, flows, done)
	took := max(time.Since(from), time.Nanosecond)
	d := runDoc{
		Began: timestamp(began.UnixMilli()), BeganMs: began.UnixMilli(), Client: readBuild().Version,
		Platform: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), WarmupSeconds: t.warmup.Seconds(), Flows: []flowDoc{},
	}
	for _, f := range flows {
		s := sum(f.meters)
		f.series.add(time.Now(), s)
		d.Flows = append(d.Flows, flowDoc{Name: f.name, What: f.what, Total: s.doc(took), Curve: s.latency.curve(), Time: f.series.points})
	}
	return d, took
}

// watch draws the progress line and takes the series until the workers are done.
func (a *app) watch(verb string, total int64, flows []*flow, done <-chan struct{}) {
	line := a.newProgress(verb, count)
	defer line.done()
	tick := time.NewTicker(seriesStep)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case now := <-tick.C:
			first, more := int64(0), make([]string, len(flows))
			for i, f := range flows {
				s := sum(f.meters)
				f.series.add(now, s)
				seconds := max(now.Sub(f.series.from).Seconds(), 1e-3)
				more[i] = fmt.Sprintf("%s %s/s p99 %s", f.name, size(int64(float64(s.bytes.Load())/seconds)), latency(milliseconds(s.latency.quantile(0.99))))
				if i == 0 {
					first = s.records.Load() + s.errors.Load()
				}
			}
			line.set(first, total, strings.Join(more, "  "))
		}
	}
}
