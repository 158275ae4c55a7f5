package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// report is everything measured in one run.
type report struct {
	plan     plan
	systems  []system
	embedded embeddedTimes
}

func (r report) markdown() string {
	var b strings.Builder
	b.WriteString("## Record sizes and partitions\n\n")
	r.setting(&b)
	r.starts(&b)
	r.memory(&b)
	r.ratios(&b)
	r.tables(&b)
	return b.String()
}

func (r report) setting(b *strings.Builder) {
	if r.plan.fill {
		b.WriteString("- The page cache was full before every measurement.")
	} else {
		b.WriteString("- The page cache was **not** filled first: figures of writes carry the first touch of fresh pages.")
	}
	for _, s := range r.systems {
		fmt.Fprintf(b, " Free memory before the runs of %s: %d to %d MiB.", s.name, s.freeLeast>>20, s.freeMost>>20)
	}
	b.WriteString("\n- All systems were up at once, the others idle, and each cell was measured on one after the other.")
	fmt.Fprintf(b, "\n- Client: franz-go, acks=all, idempotent, no compression, batches of at most 64 KiB, linger 1 ms. Warmed for %s each; every topic settles for %s, then %d throughput runs of %s, of which the median counts (least to most in parentheses), and %s of latency.\n",
		r.plan.warm, r.plan.settle, r.plan.repeat, r.plan.saturate, r.plan.pace)
	b.WriteString("- `kafka`: Apache Kafka with its start script's flags and a heap of 1 GiB; acks=all means the page cache; batches are validated record by record.\n" +
		"- `milena`: acks=all means stable storage (`milena.durability=sync`), group commit; batches are validated record by record (`milena.validate=full`).\n" +
		"- `milena-cache`: the same with Kafka's durability (`milena.durability=cache`).\n\n")
}

// ratios sums the run up: each system's figures over Kafka's, the geometric mean of all cells with the least and the most.
func (r report) ratios(b *strings.Builder) {
	i := slices.IndexFunc(r.systems, func(s system) bool { return s.name == "kafka" })
	if i < 0 {
		return
	}
	kafka := r.systems[i]
	b.WriteString("### Over Apache Kafka\n\nGeometric mean of the nine cells below (least–most); 1 is Kafka.\n\n" +
		"| | start, fresh | start after kill -9 | RSS idle | RSS under load | produce MB/s | CPU per GB produced | fetch MB/s | CPU per GB fetched | p50 | p99 | p99.9 |\n" +
		"|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, s := range r.systems {
		if s.name == "kafka" {
			continue
		}
		over := func(figure func(cell) float64) string { return geometric(s.cells, kafka.cells, figure) }
		fmt.Fprintf(b, "| %s | 1/%.0f | 1/%.0f | %.3f | %.3f | %s | %s | %s | %s | %s | %s | %s |\n", s.name,
			float64(median(kafka.fresh))/float64(median(s.fresh)), float64(median(kafka.afterKill))/float64(median(s.afterKill)),
			float64(s.idle.rss)/float64(kafka.idle.rss), float64(s.loadPeak)/float64(kafka.loadPeak),
			over(func(c cell) float64 { return c.produced.mbPerSecond() }), over(func(c cell) float64 { return c.produced.cpuPerGB() }),
			over(func(c cell) float64 { return c.fetched.mbPerSecond() }), over(func(c cell) float64 { return c.fetched.cpuPerGB() }),
			over(func(c cell) float64 { return c.latency.p50.Seconds() }), over(func(c cell) float64 { return c.latency.p99.Seconds() }),
			over(func(c cell) float64 { return c.latency.p999.Seconds() }))
	}
	b.WriteString("\n")
}

func geometric(ours, theirs []cell, figure func(cell) float64) string {
	sum, least, most := 0.0, math.Inf(1), 0.0
	for i := range ours {
		ratio := figure(ours[i]) / figure(theirs[i])
		sum += math.Log(ratio)
		least, most = min(least, ratio), max(most, ratio)
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", math.Exp(sum/float64(len(ours))), least, most)
}

func median(all []time.Duration) time.Duration {
	all = slices.Clone(all)
	slices.Sort(all)
	return all[len(all)/2]
}

func or(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func (r report) starts(b *strings.Builder) {
	b.WriteString("### From process start to the first acknowledged record\n\nTopic creation included when the directory is fresh. Median (least to most).\n\n" +
		"| | fresh directory | after kill -9 | starts |\n|---|---|---|---|\n")
	for _, s := range r.systems {
		fmt.Fprintf(b, "| %s | %s | %s | %d |\n", s.name, spread(s.fresh), spread(s.afterKill), len(s.fresh))
	}
	fmt.Fprintf(b, "| embedded, in memory | %s | | %d |\n", spread(r.embedded.memory), len(r.embedded.memory))
	fmt.Fprintf(b, "| embedded, on a directory | %s | | %d |\n\n", spread(r.embedded.disk), len(r.embedded.disk))
}

func spread(all []time.Duration) string {
	if len(all) == 0 {
		return "not measured"
	}
	return fmt.Sprintf("%s (%s–%s)", ms(median(all)), ms(slices.Min(all)), ms(slices.Max(all)))
}

func ms(d time.Duration) string {
	switch v := float64(d) / 1e6; {
	case v >= 1000:
		return fmt.Sprintf("%.2f s", v/1000)
	case v >= 100:
		return fmt.Sprintf("%.0f ms", v)
	case v >= 10:
		return fmt.Sprintf("%.1f ms", v)
	default:
		return fmt.Sprintf("%.2f ms", v)
	}
}

func (r report) memory(b *strings.Builder) {
	b.WriteString("### Memory, and a broker that idles\n\n| | RSS idle | CPU idle | RSS at most under load |\n|---|---|---|---|\n")
	for _, s := range r.systems {
		fmt.Fprintf(b, "| %s | %d MiB | %.1f %% of a core | %d MiB |\n", s.name, s.idle.rss>>20,
			100*s.idle.cpu().Seconds()/s.idleFor.Seconds(), s.loadPeak>>20)
	}
	b.WriteString("\n")
}

func (r report) tables(b *strings.Builder) {
	b.WriteString("### Throughput and CPU\n\nMB are 10^6 bytes of record values; CPU is the broker's, kernel part in parentheses.\n\n" +
		"| record | partitions | system | produce MB/s | CPU-s per GB produced | fetch MB/s | CPU-s per GB fetched |\n|---|---|---|---|---|---|---|\n")
	r.each(func(s system, c cell) {
		fmt.Fprintf(b, "| %s | %d | %s | %.0f (%.0f–%.0f) | %s | %.0f | %s |\n", bytesOf(c.size), c.partitions, s.name,
			c.produced.mbPerSecond(), c.produced.least, c.produced.most, perGB(c.produced.throughput), c.fetched.mbPerSecond(), perGB(c.fetched))
	})
	b.WriteString("\n### Latency\n\nRecords at a fixed rate, timed from when each was due until its acknowledgement, linger 0.\n\n" +
		"| record | partitions | system | records/s | p50 | p99 | p99.9 |\n|---|---|---|---|---|---|---|\n")
	r.each(func(s system, c cell) {
		fmt.Fprintf(b, "| %s | %d | %s | %.0f | %s | %s | %s |\n", bytesOf(c.size), c.partitions, s.name, c.latency.rate,
			ms(c.latency.p50), ms(c.latency.p99), ms(c.latency.p999))
	})
	b.WriteString("\n### Settings\n\n")
	for _, s := range r.systems {
		fmt.Fprintf(b, "- `%s`: `%s`\n", s.name, strings.Join(portable(s.settings), " "))
	}
}

// portable leaves out what names this run's folders and ports.
func portable(settings []string) []string {
	return slices.DeleteFunc(slices.Clone(settings), func(line string) bool {
		return strings.HasPrefix(line, "log.dirs=") || strings.Contains(line, "127.0.0.1:")
	})
}

// each goes through the cells, the systems side by side.
func (r report) each(f func(system, cell)) {
	if len(r.systems) == 0 {
		return
	}
	for i := range r.systems[0].cells {
		for _, s := range r.systems {
			f(s, s.cells[i])
		}
	}
}

func perGB(t throughput) string {
	gb := float64(t.bytes) / 1e9
	return fmt.Sprintf("%.2f (%.2f)", t.cpuPerGB(), t.broker.kernel.Seconds()/gb)
}

func bytesOf(n int) string {
	if n%1024 == 0 {
		return fmt.Sprintf("%d KiB", n/1024)
	}
	return fmt.Sprintf("%d B", n)
}
