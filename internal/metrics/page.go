package metrics

import (
	"strconv"
	"strings"
	"time"
)

// page is one page of Prometheus's text format while it is written. Families come one after another, each with its HELP
// and TYPE lines, as the format wants it.
type page struct {
	b       []byte
	dialect dialect
	name    string // of the family that samples belong to
}

// kind is a family's type in the words of the format.
type kind string

const (
	counter kind = "counter"
	gauge   kind = "gauge"
	summary kind = "summary"
	histo   kind = "histogram"
)

// family begins a family of series.
func (p *page) family(name string, k kind, help string) {
	p.name = p.dialect.rename(name)
	p.b = append(p.b, "# HELP "...)
	p.b = append(p.b, p.name...)
	p.b = append(p.b, ' ')
	p.b = append(p.b, help...)
	p.b = append(p.b, "\n# TYPE "...)
	p.b = append(p.b, p.name...)
	p.b = append(p.b, ' ')
	p.b = append(p.b, k...)
	p.b = append(p.b, '\n')
}

// int writes a sample of the family; labels are what label returned, or nothing.
func (p *page) int(labels string, value int64) {
	p.head("", labels)
	p.b = strconv.AppendInt(p.b, value, 10)
	p.b = append(p.b, '\n')
}

// uint writes a sample of a counter.
func (p *page) uint(labels string, value uint64) {
	p.head("", labels)
	p.b = strconv.AppendUint(p.b, value, 10)
	p.b = append(p.b, '\n')
}

// float writes a sample.
func (p *page) float(labels string, value float64) { p.part("", labels, value) }

// part writes a sample of a summary or histogram: its _sum, _count or _bucket.
func (p *page) part(suffix, labels string, value float64) {
	p.head(suffix, labels)
	p.b = strconv.AppendFloat(p.b, value, 'g', -1, 64)
	p.b = append(p.b, '\n')
}

func (p *page) head(suffix, labels string) {
	p.b = append(p.b, p.name...)
	p.b = append(p.b, suffix...)
	if labels != "" {
		p.b = append(p.b, '{')
		p.b = append(p.b, labels...)
		p.b = append(p.b, '}')
	}
	p.b = append(p.b, ' ')
}

// alone writes a family of one series without labels.
func (p *page) alone(name string, k kind, help string, value int64) {
	p.family(name, k, help)
	p.int("", value)
}

// label renders pairs of label names and values.
func label(pairs ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(pairs[i])
		b.WriteString(`="`)
		_, _ = escaper.WriteString(&b, pairs[i+1])
		b.WriteByte('"')
	}
	return b.String()
}

// escaper is the format's rule for label values.
var escaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// and joins rendered labels.
func and(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return a + "," + b
}

// millis is a duration as Kafka's boards read it.
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// dialect is which of the names in use a page speaks.
type dialect string

// The dialects: Strimzi's rules for the JMX exporter, those of Confluent's monitoring stacks, and Strimzi's metrics
// reporter.
const (
	strimzi   dialect = "strimzi"
	confluent dialect = "confluent"
	reporter  dialect = "reporter"
)

// rename turns a name of Strimzi's into the dialect's. They differ in how a meter's count, an idle percentage and a group
// of Kafka's own metrics are spelled.
func (d dialect) rename(name string) string {
	if d == strimzi || !strings.HasPrefix(name, "kafka_") {
		return name
	}
	if d == reporter {
		name = strings.Replace(name, "kafka_server_raftmetrics_", "kafka_server_raft_metrics_", 1)
	}
	stem, ok := strings.CutSuffix(name, "_percent")
	switch {
	case ok && d == reporter && strings.Contains(name, "requesthandler"):
		return stem + "percent_total"
	case ok && d == confluent && strings.Contains(name, "requesthandler"):
		return stem + "percent_oneminuterate"
	case ok:
		return stem + "percent"
	}
	stem, ok = strings.CutSuffix(name, "_total")
	switch {
	case !ok || !meters(name):
		return name
	case d == reporter:
		return stem + "persec_total"
	}
	return stem + "persec"
}

// meters reports whether a counter is one of Kafka's Yammer meters, whose names end in PerSec.
func meters(name string) bool {
	return strings.HasPrefix(name, "kafka_server_brokertopicmetrics_") || strings.HasPrefix(name, "kafka_server_replicamanager_") || strings.HasPrefix(name, "kafka_controller_controllerstats_")
}
