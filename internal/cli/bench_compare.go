package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// compareDoc is what `bench compare -o json` prints.
type compareDoc struct {
	doc
	Runs        []comparedRun `json:"runs"`
	Differences []string      `json:"setting_differences"` // of a run's settings to the first's
}

type comparedRun struct {
	File   string         `json:"file"`
	Run    string         `json:"command"`
	Topic  string         `json:"topic"`
	Began  string         `json:"began"`
	Client string         `json:"client"`
	Flows  []comparedFlow `json:"flows"`
}

type comparedFlow struct {
	Name  string     `json:"name"`
	Total rateDoc    `json:"total"`
	Ratio *flowRatio `json:"ratio"` // to the same flow of the first run; null where that has none
}

// flowRatio is a run's figure divided by the first run's; 0 where that is 0.
type flowRatio struct {
	RecordsPerSecond float64 `json:"records_per_second"`
	BytesPerSecond   float64 `json:"bytes_per_second"`
	P50              float64 `json:"p50"`
	P99              float64 `json:"p99"`
	P999             float64 `json:"p99_9"`
	P9999            float64 `json:"p99_99"`
}

func (a *app) benchCompare() *cobra.Command {
	var plot string
	c := a.command(spec{
		use: "compare FILE…", short: "Compare saved measurements with the first of them", doc: compareDoc{}, args: names("file"),
		long: `Prints the figures of measurements that --save wrote, each with its ratio to the first: of rates, more is better, of
latencies, less. What was measured differently is told.`,
		example: `  milena bench e2e bench --rate 5k --save kafka.json -b kafka:9092
  milena bench e2e bench --rate 5k --save milena.json
  milena bench compare kafka.json milena.json --plot both.html`,
		run: func(_ context.Context, args []string) error {
			if err := checkPlot(plot); err != nil {
				return err
			}
			runs := make([]saved, len(args))
			for i, path := range args {
				var err error
				if runs[i], err = loadSaved(path); err != nil {
					return err
				}
			}
			d := compareRuns(runs, args)
			err := a.printCompared(d, runs)
			if err == nil && plot != "" {
				err = a.plot(plot, runs)
			}
			return err
		},
	})
	c.Flags().StringVar(&plot, "plot", "", "draw them into a `file`, .html or .svg")
	return c
}

func compareRuns(runs []saved, files []string) compareDoc {
	d := compareDoc{doc: newDoc("bench.compare"), Runs: []comparedRun{}, Differences: []string{}}
	for i, s := range runs {
		r := comparedRun{File: files[i], Run: s.Command, Topic: s.Topic, Began: s.Began, Client: s.Client, Flows: []comparedFlow{}}
		for _, f := range s.Flows {
			c := comparedFlow{Name: f.Name, Total: f.Total}
			if first := runs[0].flow(f.Name); first != nil {
				c.Ratio = ratioOf(f.Total, first.Total)
			}
			r.Flows = append(r.Flows, c)
		}
		d.Runs = append(d.Runs, r)
		if i > 0 {
			d.Differences = append(d.Differences, differences(runs[0], s)...)
		}
	}
	return d
}

func (s *saved) flow(name string) *flowDoc {
	for i := range s.Flows {
		if s.Flows[i].Name == name {
			return &s.Flows[i]
		}
	}
	return nil
}

func ratioOf(now, first rateDoc) *flowRatio {
	per := func(a, b float64) float64 {
		if b == 0 {
			return 0
		}
		return a / b
	}
	l, m := now.LatencyMs, first.LatencyMs
	return &flowRatio{
		RecordsPerSecond: per(now.RecordsPerSecond, first.RecordsPerSecond), BytesPerSecond: per(now.BytesPerSecond, first.BytesPerSecond),
		P50: per(l.P50, m.P50), P99: per(l.P99, m.P99), P999: per(l.P999, m.P999), P9999: per(l.P9999, m.P9999),
	}
}

// differences tells what of a run is not as in the first, so that figures of different things are not taken for a result.
func differences(first, s saved) []string {
	var out []string
	say := func(what string, a, b any) {
		if a != b {
			out = append(out, fmt.Sprintf("%s: %s is %v, in %s %v", s.name, what, b, first.name, a))
		}
	}
	say("command", first.Command, s.Command)
	say("platform", first.Platform, s.Platform)
	say("cpus", first.CPUs, s.CPUs)
	say("warmup_seconds", first.WarmupSeconds, s.WarmupSeconds)
	was, is := flatten(first.Settings), flatten(s.Settings)
	keys := maps.Clone(was)
	maps.Copy(keys, is)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		say(key, was[key], is[key])
	}
	return out
}

// flatten names each setting by its path.
func flatten(settings json.RawMessage) map[string]string {
	out := map[string]string{}
	var walk func(prefix string, v any)
	walk = func(prefix string, v any) {
		if m, ok := v.(map[string]any); ok {
			for k, v := range m {
				walk(strings.TrimPrefix(prefix+"."+k, "."), v)
			}
			return
		}
		out[prefix] = fmt.Sprint(v)
	}
	d := json.NewDecoder(bytes.NewReader(settings))
	d.UseNumber()
	var v any
	if d.Decode(&v) == nil {
		walk("", v)
	}
	return out
}

func (a *app) printCompared(d compareDoc, runs []saved) error {
	if a.asJSON() {
		return a.json(d)
	}
	with := func(text string, ratio float64, first bool) string {
		if first || ratio == 0 {
			return text
		}
		return text + " ×" + strconv.FormatFloat(ratio, 'f', 2, 64)
	}
	var rows [][]string
	for i, r := range d.Runs {
		for _, f := range r.Flows {
			ratio := flowRatio{}
			if f.Ratio != nil {
				ratio = *f.Ratio
			}
			l := f.Total.LatencyMs
			rows = append(rows, []string{
				runs[i].name, f.Name, with(strconv.FormatFloat(f.Total.RecordsPerSecond, 'f', 0, 64), ratio.RecordsPerSecond, i == 0),
				strconv.FormatFloat(f.Total.BytesPerSecond/(1<<20), 'f', 1, 64), with(latency(l.P50), ratio.P50, i == 0), with(latency(l.P99), ratio.P99, i == 0),
				with(latency(l.P999), ratio.P999, i == 0), with(latency(l.P9999), ratio.P9999, i == 0), latency(l.Max), strconv.FormatInt(f.Total.Errors, 10),
			})
		}
	}
	if err := a.table([]string{"RUN", "FLOW", " REC/S", " MIB/S", " P50", " P99", " P99.9", " P99.99", " MAX", " ERRORS"}, rows); err != nil {
		return err
	}
	for _, diff := range d.Differences {
		a.note("measured differently: %s", diff)
	}
	return nil
}

// printFlows prints a row for each flow of a measurement.
func (a *app) printFlows(run runDoc) error {
	var rows [][]string
	for _, f := range run.Flows {
		l := f.Total.LatencyMs
		rows = append(rows, []string{
			f.Name, strconv.FormatInt(f.Total.Records, 10), strconv.FormatFloat(f.Total.RecordsPerSecond, 'f', 0, 64),
			strconv.FormatFloat(f.Total.BytesPerSecond/(1<<20), 'f', 1, 64), strconv.FormatInt(f.Total.Latencies, 10),
			latency(l.P50), latency(l.P90), latency(l.P99), latency(l.P999), latency(l.P9999), latency(l.Max), strconv.FormatInt(f.Total.Errors, 10),
		})
	}
	if err := a.table([]string{"FLOW", " RECORDS", " REC/S", " MIB/S", " LATENCIES", " P50", " P90", " P99", " P99.9", " P99.99", " MAX", " ERRORS"}, rows); err != nil {
		return err
	}
	for _, f := range run.Flows {
		a.note("%s: latency is %s", f.Name, f.What)
	}
	return nil
}
