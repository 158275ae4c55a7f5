package main

import (
	"fmt"
	"math"
	"strings"
)

// aim is a row of the table: what we want, and what was measured.
type aim struct {
	figure string
	want   string
	// got tells the ratio or figure, whether it is good enough, and what it is made of.
	got func(s *store) (text string, good bool, from string)
}

// of2 is ours over theirs with the medians it is made of.
func of2(s *store, part, ours, theirs, name, unit string) (r float64, from string) {
	a := s.median(part, ours, name)
	b := s.median(part, theirs, name)
	return a / b, fmt.Sprintf("%s %.3g, %s %.3g %s", ours, a, theirs, b, unit)
}

// atMost makes a row of ratios that must not be above their limits: one against each of the others.
func atMost(part, ours, name, unit string, limits ...limit) func(*store) (string, bool, string) {
	return func(s *store) (string, bool, string) {
		var texts, froms []string
		good := true
		for _, l := range limits {
			r, from := of2(s, part, ours, l.of, name, unit)
			texts, froms = append(texts, fmt.Sprintf("%.2f × %s", r, l.of)), append(froms, from)
			good = good && r <= l.times
		}
		return strings.Join(texts, ", "), good, strings.Join(froms, "; ")
	}
}

// limit is a multiple of another contestant's figure.
type limit struct {
	of    string
	times float64
}

func aims() []aim {
	return []aim{
		{"broker CPU per GB, produce 1 KiB records in 64 KiB batches, page-cache mode both", "≤ 0.45 × Kafka and ≤ 1.4 × a bare loop",
			atMost("produce", "milena-cache", "CPU-s/GB", "CPU-s/GB", limit{"kafka", 0.45}, limit{bareLoop, 1.4})},
		{"broker CPU per GB, fetch of 64 KiB sections", "≤ max(0.6 × Kafka, 1.15 × a bare sendfile loop)", fetchAim("64 KiB")},
		{"broker CPU per GB, fetch of 1 MiB sections", "≤ max(0.6 × Kafka, 1.15 × a bare sendfile loop)", fetchAim("1 MiB")},
		{"produce throughput, ours fsynced against Kafka's page cache, 16 producers", "≥ 1.0 × Kafka", func(s *store) (string, bool, string) {
			r, from := of2(s, "durable", "milena", "kafka", "MB/s", "MB/s")
			return fmt.Sprintf("%.2f × kafka", r), r >= 1, from
		}},
		{"p99.9 produce latency at half of Kafka's peak, page-cache mode both", "≤ 0.5 × Kafka",
			atMost("tails", "milena-cache", "p99.9 ms", "ms", limit{"kafka", 0.5})},
		{"p99 of a lone fsynced producer", "≤ 1.3 × a bare write+fdatasync loop", atMost("lone", "milena", "p99 ms", "ms", limit{bareLoop, 1.3})},
		{"the same over a loop that is sent what it writes and answers", "", func(s *store) (string, bool, string) {
			ours := s.median("lone", "milena", "p99 ms")
			theirs := s.median("lone", bareLoop, "with a socket p99 ms")
			return fmt.Sprintf("%.2f × bare", ours/theirs), true, fmt.Sprintf("milena %.3g, bare %.3g ms", ours, theirs)
		}},
		{"1,000 partitions round-robin, fsynced, against 1 partition, batches of 16 KiB", "≥ 0.5 ×", wideAim(16)},
		{"the same with batches of 1 KiB", "≥ 0.5 ×", wideAim(1)},
		{"10 tail consumers of one topic, CPU per GB delivered", "≤ 0.5 × Kafka",
			atMost("followers", "milena-cache", "CPU-s/GB", "CPU-s/GB", limit{"kafka", 0.5})},
		{"RSS under the produce load", "≤ 1/8 × Kafka", atMost("produce", "milena-cache", "peak rss bytes", "bytes", limit{"kafka", 1.0 / 8})},
		{"RSS idle", "≤ 30 MB", func(s *store) (string, bool, string) {
			b := s.median("produce/rest", "milena-cache", "rss bytes")
			return fmt.Sprintf("%.1f MB", b/1e6), b <= 30e6, ""
		}},
		{"start to first acknowledgement, fresh", "≥ 20 × faster", faster("starts", "fresh ms")},
		{"start to first acknowledgement, after kill -9", "≥ 20 × faster", faster("starts", "after kill ms")},
		{"unclean restart with 10,000 segments until every partition answers", "< 10 s", func(s *store) (string, bool, string) {
			ours := s.median("segments", "milena", "all ms")
			theirs := s.median("segments", "kafka", "all ms")
			return fmt.Sprintf("%.2f s", ours/1e3), ours < 10_000, fmt.Sprintf("kafka %.2f s", theirs/1e3)
		}},
	}
}

func fetchAim(section string) func(*store) (string, bool, string) {
	return func(s *store) (string, bool, string) {
		name := section + " CPU-s/GB"
		kafka, a := of2(s, "fetch", "milena-cache", "kafka", name, "CPU-s/GB")
		bare, b := of2(s, "fetch", "milena-cache", bareLoop, name, "CPU-s/GB")
		return fmt.Sprintf("%.2f × kafka, %.2f × bare", kafka, bare), kafka <= 0.6 || bare <= 1.15, a + "; " + b
	}
}

func wideAim(records int) func(*store) (string, bool, string) {
	return func(s *store) (string, bool, string) {
		many := s.median("wide", "milena", fmt.Sprintf("1000×%d MB/s", records))
		one := s.median("wide", "milena", fmt.Sprintf("1×%d MB/s", records))
		r := many / one
		return fmt.Sprintf("%.2f ×", r), r >= 0.5, fmt.Sprintf("%.1f against %.1f MB/s", many, one)
	}
}

func faster(part, name string) func(*store) (string, bool, string) {
	return func(s *store) (string, bool, string) {
		r, from := of2(s, part, "milena", "kafka", name, "ms")
		return fmt.Sprintf("%.0f × faster", 1/r), 1/r >= 20, from
	}
}

// aimTable prints the aims beside what was measured.
func aimTable(s *store) string { return table(s, aims()) }

func table(s *store, rows []aim) string {
	var b strings.Builder
	b.WriteString("| figure | aim | measured | | medians |\n|---|---|---|---|---|\n")
	for _, a := range rows {
		text, good, from := a.got(s)
		met := "missed"
		switch {
		case strings.Contains(text, fmt.Sprint(math.NaN())):
			text, met, from = "not measured", "", ""
		case a.want == "":
			met = ""
		case good:
			met = "met"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", a.figure, a.want, text, met, from)
	}
	return b.String()
}
