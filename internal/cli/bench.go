package cli

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) benchCommand() *cobra.Command {
	return a.group("bench", "Measure a cluster: throughput and latency",
		a.benchProduce(), a.benchConsume(), a.benchMixed(), a.benchE2E(), a.benchCompare())
}

// rateDoc is what one worker, or all together, did.
type rateDoc struct {
	Records          int64      `json:"records"`
	Errors           int64      `json:"errors"`
	Bytes            int64      `json:"bytes"` // of keys and values
	Seconds          float64    `json:"seconds"`
	RecordsPerSecond float64    `json:"records_per_second"`
	BytesPerSecond   float64    `json:"bytes_per_second"`
	LatencyMs        latencyDoc `json:"latency_ms"`
	Latencies        int64      `json:"latencies"` // how many latency_ms is of: records acknowledged, or fetches answered
}

// meter counts what one worker does. The worker and its client's callbacks write it, the progress line reads it.
type meter struct {
	from    time.Time // what began before, while the trial warms up, is not counted; set before the worker starts
	records atomic.Int64
	errors  atomic.Int64
	bytes   atomic.Int64
	latency histogram

	mu    sync.Mutex
	first error // the first error, to be explained
}

// did counts one thing that began at a moment, or was due then, and is over now.
func (m *meter) did(began time.Time, records, bytes int64) {
	if began.Before(m.from) {
		return
	}
	m.latency.add(time.Since(began))
	m.count(began, records, bytes)
}

// count counts records without a latency.
func (m *meter) count(at time.Time, records, bytes int64) {
	if at.Before(m.from) {
		return
	}
	m.records.Add(records)
	m.bytes.Add(bytes)
}

func (m *meter) failed(err error) {
	m.errors.Add(1)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.first == nil {
		m.first = err
	}
}

func (m *meter) doc(took time.Duration) rateDoc {
	m.latency.mu.Lock()
	defer m.latency.mu.Unlock()
	seconds := max(took.Seconds(), 1e-9)
	d := rateDoc{Records: m.records.Load(), Errors: m.errors.Load(), Bytes: m.bytes.Load(), Seconds: seconds, LatencyMs: m.latency.summary(), Latencies: m.latency.n}
	d.RecordsPerSecond, d.BytesPerSecond = float64(d.Records)/seconds, float64(d.Bytes)/seconds
	return d
}

// sum is all meters as one.
func sum(meters []*meter) *meter {
	total := &meter{}
	for _, m := range meters {
		total.records.Add(m.records.Load())
		total.errors.Add(m.errors.Load())
		total.bytes.Add(m.bytes.Load())
		total.latency.merge(&m.latency)
		m.mu.Lock()
		if total.first == nil {
			total.first = m.first
		}
		m.mu.Unlock()
	}
	return total
}

// latency prints milliseconds for people.
func latency(ms float64) string {
	switch {
	case ms < 1:
		return strconv.FormatFloat(ms*1000, 'f', 0, 64) + "µs"
	case ms < 100:
		return strconv.FormatFloat(ms, 'f', 1, 64) + "ms"
	}
	return strconv.FormatFloat(ms, 'f', 0, 64) + "ms"
}

// printRates prints a row for each worker when there are several, and one for all. counted heads the column of how many
// latencies were measured; without it they are as many as records.
func (a *app) printRates(worker, what, counted string, each []rateDoc, total rateDoc) error {
	row := func(name string, d rateDoc) []string {
		l := d.LatencyMs
		cells := []string{
			name, strconv.FormatInt(d.Records, 10), strconv.FormatFloat(d.RecordsPerSecond, 'f', 0, 64), strconv.FormatFloat(d.BytesPerSecond/(1<<20), 'f', 1, 64),
		}
		if counted != "" {
			cells = append(cells, strconv.FormatInt(d.Latencies, 10))
		}
		return append(cells, latency(l.P50), latency(l.P90), latency(l.P99), latency(l.P999), latency(l.P9999), latency(l.Max), strconv.FormatInt(d.Errors, 10))
	}
	var rows [][]string
	if len(each) > 1 {
		for i, d := range each {
			rows = append(rows, row(strconv.Itoa(i+1), d))
		}
	}
	rows = append(rows, row("total", total))
	header := []string{worker, " RECORDS", " REC/S", " MIB/S"}
	if counted != "" {
		header = append(header, " "+counted)
	}
	if err := a.table(append(header, " P50", " P90", " P99", " P99.9", " P99.99", " MAX", " ERRORS"), rows); err != nil {
		return err
	}
	a.note("latency is %s; %s", what, duration(time.Duration(total.Seconds*float64(time.Second)).Round(time.Millisecond)))
	return nil
}
