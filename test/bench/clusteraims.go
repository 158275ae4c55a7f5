package main

import (
	"fmt"
	"math"
	"strings"
)

// clusterAims are the rows of the table with three nodes.
func clusterAims() []aim {
	return []aim{
		{"leader killed with -9 that led 1,000 partitions and did not control: until the last is writable again", "≤ 0.5 s and ≤ 0.05 × Kafka", within("leader-kill", "most ms", 500, 0.05)},
		{"active controller killed with 10,000 partitions: until metadata changes again", "≤ 0.5 s and ≤ 0.2 × Kafka", within("controller-kill", "most ms", 500, 0.2)},
		{"both at once: the victim led 1,000 partitions and was the active controller", "≤ 1 s", within("both-kill", "most ms", 1000, math.Inf(1))},
		{"a sole replica killed with -9 and started again, until it acknowledges", "≤ 0.1 s", within("sole-restart", "most ms", 100, math.Inf(1))},
		{"clean shutdown of a node that leads 1,000 partitions: the longest that a write took", "≤ 50 ms", within("shutdown", "most ms", 50, math.Inf(1))},
		{"the same in page-cache mode", "", func(s *store) (string, bool, string) {
			all := s.of("shutdown", "milena-cache", "most ms")
			return fmt.Sprintf("%.3g s", s.median("shutdown", "milena-cache", "most ms")/1e3), true, rangeOf(all)
		}},
		{"acks=all, three replicas: throughput, page-cache mode both", "≥ 1.2 × Kafka", atLeast("replicated", "milena-cache", "MB/s", "MB/s", 1.2)},
		{"the same, ours fsynced on each replica", "≥ 0.8 × Kafka", atLeast("replicated", "milena", "MB/s", "MB/s", 0.8)},
		{"p99 at half of what Kafka takes, page-cache mode both", "≤ 0.6 × Kafka", atMost("replicated", "milena-cache", "p99 ms", "ms", limit{"kafka", 0.6})},
		{"the same, ours fsynced", "", shown(atMost("replicated", "milena", "p99 ms", "ms", limit{"kafka", math.Inf(1)}))},
		{"CPU per GB of all nodes, page-cache mode both", "≤ 0.6 × Kafka", atMost("replicated", "milena-cache", "CPU-s/GB", "CPU-s/GB", limit{"kafka", 0.6})},
		{"the same, ours fsynced", "", shown(atMost("replicated", "milena", "CPU-s/GB", "CPU-s/GB", limit{"kafka", math.Inf(1)}))},
		{"create 10,000 partitions of three replicas in five requests", "≤ 0.2 × Kafka", atMost("create", "milena", "five requests ms", "ms", limit{"kafka", 0.2})},
		{"the same until every node shows them with all replicas in sync", "", shown(atMost("create", "milena", "five requests shown ms", "ms", limit{"kafka", math.Inf(1)}))},
		{"create 10,000 partitions in one request, which Kafka refuses; Kafka in five", "≤ 0.2 × Kafka", func(s *store) (string, bool, string) {
			ours := s.median("create", "milena", "one request ms")
			theirs := s.median("create", "kafka", "five requests ms")
			r := ours / theirs
			return fmt.Sprintf("%.2f × kafka", r), r <= 0.2, fmt.Sprintf("milena %.3g, kafka %.3g ms", ours, theirs)
		}},
		{"create 1,000 topics one by one, each", "≤ 0.2 × Kafka", atMost("create", "milena", "one by one each ms", "ms", limit{"kafka", 0.2})},
		{"a replica catches up after a restart; to be near the limit of disk or loopback, which is not measured", "", func(s *store) (string, bool, string) {
			cache := s.median("catch-up", "milena-cache", "MB/s")
			synced := s.median("catch-up", "milena", "MB/s")
			theirs := s.median("catch-up", "kafka", "MB/s")
			return fmt.Sprintf("%.0f MB/s, fsynced %.0f MB/s", cache, synced), true, fmt.Sprintf("kafka %.0f MB/s", theirs)
		}},
		{"p99 of live traffic meanwhile over before, fsynced", "", func(s *store) (string, bool, string) {
			before := s.median("catch-up", "milena", "before p99 ms")
			then := s.median("catch-up", "milena", "meanwhile p99 ms")
			kb := s.median("catch-up", "kafka", "before p99 ms")
			kt := s.median("catch-up", "kafka", "meanwhile p99 ms")
			return fmt.Sprintf("%.3g ms over %.3g ms", then, before), true, fmt.Sprintf("kafka %.3g over %.3g ms", kt, kb)
		}},
	}
}

// within makes a row of a time of ours that must not be above a bound, nor above a share of Apache Kafka's.
func within(part, name string, ms, times float64) func(*store) (string, bool, string) {
	return func(s *store) (string, bool, string) {
		ours := s.of(part, "milena", name)
		got := s.median(part, "milena", name)
		r := got / s.median(part, "kafka", name)
		good := got <= ms && (math.IsInf(times, 1) || r <= times)
		text := fmt.Sprintf("%.3g s", got/1e3)
		if !math.IsNaN(r) {
			text += fmt.Sprintf(", %.3f × kafka", r)
		}
		return text, good, fmt.Sprintf("milena %s, kafka %s", rangeOf(ours), rangeOf(s.of(part, "kafka", name)))
	}
}

// rangeOf is the median of times, ms, with the least and the most.
func rangeOf(sorted []float64) string {
	m, ok := middle(sorted)
	if !ok {
		return "not measured"
	}
	return fmt.Sprintf("%.3g s (%.3g–%.3g, %d rounds)", m/1e3, sorted[0]/1e3, sorted[len(sorted)-1]/1e3, len(sorted))
}

// atLeast makes a row of a ratio over Apache Kafka that must not be below a limit.
func atLeast(part, ours, name, unit string, times float64) func(*store) (string, bool, string) {
	return func(s *store) (string, bool, string) {
		r, from := of2(s, part, ours, "kafka", name, unit)
		return fmt.Sprintf("%.2f × kafka", r), r >= times, from
	}
}

// shown is a row without an aim.
func shown(f func(*store) (string, bool, string)) func(*store) (string, bool, string) {
	return func(s *store) (string, bool, string) {
		text, _, from := f(s)
		return text, true, from
	}
}

// measuredClusters reports whether there is anything of the parts with three nodes.
func measuredClusters(s *store) bool {
	for _, p := range parts(false) {
		for _, name := range p.also {
			if p.of == clusterParts && s.rounds(p.name, name) > 0 {
				return true
			}
		}
	}
	return false
}

// clusterSection prints the table with three nodes, what clients see beside the prober, and how it was measured.
func clusterSection(s *store) string {
	if !measuredClusters(s) {
		return ""
	}
	var b strings.Builder
	b.WriteString("## Three nodes\n\n" + table(s, clusterAims()) + `
Medians, with the least and the most of the rounds. Each round starts three fresh nodes of one contestant, each broker and controller, on all cores, the
prober and the load on the last one; nothing else runs. Both have Kafka's defaults for sessions and elections; three replicas, ` + "`min.insync.replicas=2`" + `.
` + "`milena`" + ` acknowledges what is on stable storage of each member of the ISR, ` + "`milena-cache` and `kafka`" + ` what is in the page cache. The prober
(` + "`test/bench/prober`" + `) writes to all 1,000 partitions over eight connections to each node, every 500 ms in peace, and every 5 ms what was
refused, going where the answers say the leader is; from the kill on every partition is due at once. Metadata changes again when the first of the
topics is created that eight connections ask for. The throughput is of 1 KiB records in batches of 64 KiB in six partitions, 15 connections with five requests
under way; the CPU is that of all three nodes. The three nodes share a file system: one that stops cleanly syncs it as a whole (ADR 0014), and what the
others sync meanwhile waits for that; in page-cache mode nobody waits.

`)
	b.WriteString(seenTable(s) + millionTable(s))
	return b.String()
}

// seenTable is what other people's clients see, with the defaults of their libraries.
func seenTable(s *store) string {
	var b strings.Builder
	b.WriteString("The longest that a record waited which a client wrote every 5 ms, with the defaults of its library:\n\n" +
		"| | contestant | the raw prober | Java | librdkafka | records failed |\n|---|---|---|---|---|---|\n")
	for _, row := range []struct{ part, words string }{{"leader-kill", "leader killed"}, {"both-kill", "leader and controller killed"}, {"shutdown", "clean shutdown"}} {
		for _, name := range []string{"kafka", "milena"} {
			java, ok := middle(s.of(row.part, name, "java ms"))
			if !ok {
				continue
			}
			at := func(figure string) float64 {
				v, _ := middle(s.of(row.part, name, figure))
				return v
			}
			fmt.Fprintf(&b, "| %s | %s | %.2f s | %.2f s | %.2f s | %.0f |\n", row.words, name, at("most ms")/1e3, java/1e3, at("librdkafka ms")/1e3,
				at("java failed")+at("librdkafka failed"))
		}
	}
	return b.String() + "\n"
}
