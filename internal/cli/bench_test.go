package cli

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBenchCountsLatencies holds that percentiles come with how many they are of: a fetch brings many records.
func TestBenchCountsLatencies(t *testing.T) {
	c := newCluster(t)
	c.create("b")
	p := decode[benchProduceDoc](t, c.ok("bench", "produce", "b", "-n", "500", "-s", "100", "-o", "json"), "bench.produce")
	if p.Total.Records != 500 || p.Total.Latencies != 500 || len(p.Producers) != 1 {
		t.Errorf("%+v", p)
	}
	d := decode[benchConsumeDoc](t, c.ok("bench", "consume", "b", "-o", "json"), "bench.consume")
	if d.Total.Records != 500 || d.Total.Latencies < 1 || d.Total.Latencies >= 500 {
		t.Errorf("%+v", d)
	}
	out := c.ok("bench", "consume", "b")
	if lines := strings.Split(out, "\n"); len(lines) != 3 || !strings.Contains(lines[0], " FETCHES ") || len(strings.Fields(lines[0])) != len(strings.Fields(lines[1])) {
		t.Errorf("%q", out)
	}
}

// TestBenchEndsWithTheTime holds that a duration ends what a number does otherwise.
func TestBenchEndsWithTheTime(t *testing.T) {
	c := newCluster(t)
	c.create("b")
	p := decode[benchProduceDoc](t, c.ok("bench", "produce", "b", "--duration", "300ms", "--rate", "1000", "-o", "json"), "bench.produce")
	if p.Settings.Number != 0 || p.Total.Records != 300 {
		t.Errorf("%+v", p)
	}
	d := decode[benchConsumeDoc](t, c.ok("bench", "consume", "b", "--duration", "200ms", "-o", "json"), "bench.consume")
	if d.Total.Records != p.Total.Records || len(d.Flows) != 1 || d.Flows[0].Name != "consume" {
		t.Errorf("%+v", d)
	}
}

// TestBenchWarmUpIsNotCounted writes at a rate of which a part is due before counting begins.
func TestBenchWarmUpIsNotCounted(t *testing.T) {
	c := newCluster(t)
	c.create("b")
	p := decode[benchProduceDoc](t, c.ok("bench", "produce", "b", "--warmup", "500ms", "--duration", "500ms", "--rate", "1k", "-o", "json"), "bench.produce")
	written := decode[benchConsumeDoc](t, c.ok("bench", "consume", "b", "-o", "json"), "bench.consume").Total.Records
	if p.WarmupSeconds != 0.5 || p.Total.Records != 500 || written != 1000 {
		t.Errorf("%d records are counted, %d are there", p.Total.Records, written)
	}
}

// TestBenchE2E holds that every record that was due is measured on its whole way, and that the result can be read back.
func TestBenchE2E(t *testing.T) {
	c := newCluster(t, "num.partitions", "3")
	dir := t.TempDir()
	file, picture := filepath.Join(dir, "a.json"), filepath.Join(dir, "a.html")
	d := decode[benchMixedDoc](t, c.ok("bench", "e2e", "b", "--rate", "500", "--duration", "1s", "--consumers", "2", "--save", file, "--plot", picture, "-o", "json"), "bench.e2e")
	if len(d.Flows) != 2 || d.Flows[0].Name != "produce" || d.Flows[1].Name != "end-to-end" {
		t.Fatalf("%+v", d)
	}
	sent, came := d.Flows[0].Total, d.Flows[1].Total
	if sent.Records != 500 || came.Records != 2*sent.Records || came.Latencies != came.Records || came.Errors != 0 || came.LatencyMs.P9999 <= 0 {
		t.Errorf("sent %+v came %+v", sent, came)
	}
	inSeries := 0.0
	before := 0.0
	for _, p := range d.Flows[1].Time {
		inSeries += p.RecordsPerSecond * (p.Seconds - before)
		before = p.Seconds
	}
	if int64(inSeries+0.5) != came.Records {
		t.Errorf("the series adds up to %.1f records of %d", inSeries, came.Records)
	}
	s, err := loadSaved(file)
	if err != nil || s.Command != "bench.e2e" || s.Flows[1].Total != came {
		t.Errorf("%+v, %v", s, err)
	}
	page, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, "the page", string(page), "latency by percentile", "throughput", "<polyline", "end-to-end", "</html>")
	if strings.Contains(string(page), "NaN") || strings.Contains(string(page), "src=") || strings.Contains(string(page), "href=") {
		t.Error("the page has numbers that are none, or needs something else")
	}
}

func TestBenchMixed(t *testing.T) {
	c := newCluster(t)
	c.create("b")
	r := c.run("bench", "mixed", "b", "--lagging", "1", "--duration", "1s")
	if r.exit != exitFailed || !strings.Contains(r.err, "that is nothing") {
		t.Errorf("%+v", r)
	}
	c.ok("bench", "produce", "b", "-n", "2000", "-s", "100", "-q")
	d := decode[benchMixedDoc](t, c.ok("bench", "mixed", "b", "--rate", "300", "-s", "200", "--lagging", "1", "--duration", "1s", "-o", "json"), "bench.mixed")
	if len(d.Flows) != 3 || d.Flows[2].Name != "lagging" {
		t.Fatalf("%+v", d)
	}
	sent, came, old := d.Flows[0].Total, d.Flows[1].Total, d.Flows[2].Total
	if sent.Records != 300 || came.Records != sent.Records || came.Bytes != 200*came.Records {
		t.Errorf("sent %+v came %+v", sent, came)
	}
	if old.Records <= 2000 || old.Bytes != 100*old.Records || old.Latencies < 2 {
		t.Errorf("the lagging consumer reads the 2000 records once: %+v", old)
	}
	contains(t, "the table", c.ok("bench", "mixed", "b", "--rate", "100", "--duration", "1s"), "FLOW", "P99.99", "end-to-end")
}

// stalled is a wait before which a record was due and after which it was done.
const stalled = 50 * time.Millisecond

// TestNoCoordinatedOmission holds that a writer that was held up measures records from when they were due.
func TestNoCoordinatedOmission(t *testing.T) {
	m := &meter{}
	m.did(time.Now().Add(-stalled), 1, 10)
	if got := m.latency.quantile(0.5); got < stalled {
		t.Errorf("a record that was due %s ago took %s", stalled, got)
	}
	m.from = time.Now()
	m.did(m.from.Add(-time.Second), 1, 10)
	if m.records.Load() != 1 || m.latency.n != 1 {
		t.Error("a record of the warm-up is counted")
	}
	s := newStamps()
	due := time.Now().Add(-stalled)
	value := []byte("0123456789abcdef and more")
	marked := s.mark(value, due)
	if got, ok := s.due(marked); !ok || !got.Equal(due) || len(marked) != len(value) || string(marked[stampBytes:]) != " and more" {
		t.Errorf("%v %v %q", got, ok, marked)
	}
	if _, ok := newStamps().due(marked); ok {
		t.Error("a record of another run is taken for one of this")
	}
}

func TestBenchCompare(t *testing.T) {
	dir := t.TempDir()
	save := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const form = `{"_command":"bench.e2e","_version":1,"topic":"b","settings":{"produce":{"rate":%R,"acks":"all"}},"began":"2026-01-01T00:00:00.000Z","client":"x","platform":"linux/amd64","cpus":2,
"flows":[{"name":"produce","latency_of":"x","total":{"records_per_second":%R,"bytes_per_second":1048576,"latency_ms":{"p50":1,"p99":%P,"p99_9":4,"p99_99":0,"max":9}},
"latency_curve":[{"percentile":50,"ms":1},{"percentile":99,"ms":3},{"percentile":100,"ms":9}],"series":[{"seconds":1,"bytes_per_second":5},{"seconds":2,"bytes_per_second":7,"p99_ms":2}]}]}`
	a := save("a.json", strings.NewReplacer("%R", "100", "%P", "2").Replace(form))
	b := save("b<.json", strings.NewReplacer("%R", "150", "%P", "1").Replace(form))
	picture := filepath.Join(dir, "both.svg")
	r := run(t, "", "bench", "compare", a, b, "--plot", picture, "-o", "json")
	d := decode[compareDoc](t, r.out, "bench.compare")
	if r.exit != exitOK || len(d.Runs) != 2 || d.Runs[1].Flows[0].Ratio == nil {
		t.Fatalf("%+v", r)
	}
	if q := *d.Runs[1].Flows[0].Ratio; q.RecordsPerSecond != 1.5 || q.P99 != 0.5 || q.P9999 != 0 {
		t.Errorf("%+v", q)
	}
	if len(d.Differences) != 1 || d.Differences[0] != "b<: produce.rate is 150, in a 100" {
		t.Errorf("%q", d.Differences)
	}
	text := run(t, "", "bench", "compare", a, b)
	contains(t, "the table", text.out, "150 ×1.50", "1.0ms ×0.50")
	contains(t, "the note", text.err, "measured differently: b<: produce.rate")
	wellFormed(t, picture)
	for name, path := range map[string]string{"not json": save("c", "x"), "not a measurement": save("d", `{"_command":"topic.list","_version":1}`), "no file": filepath.Join(dir, "e")} {
		if r := run(t, "", "bench", "compare", path); r.exit != exitFailed || r.out != "" || r.err == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if r := run(t, "", "bench", "compare", a, "--plot", "x.gif"); r.exit != exitUsage {
		t.Errorf("%+v", r)
	}
}

func wellFormed(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for d := xml.NewDecoder(strings.NewReader(string(data))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "polyline" {
			lines++
		}
	}
	if lines != 6 || strings.Contains(string(data), "NaN") {
		t.Errorf("%d lines drawn", lines)
	}
}

func TestSeriesThins(t *testing.T) {
	from := time.Now()
	s := series{from: from}
	total := &meter{}
	for i := range 5000 {
		total = sum([]*meter{total})
		total.records.Add(int64(i % 7))
		s.add(from.Add(time.Duration(i+1)*time.Second), total)
	}
	n, before := 0.0, 0.0
	for _, p := range s.points {
		n += p.RecordsPerSecond * (p.Seconds - before)
		before = p.Seconds
	}
	if counted := int64(n + 0.5); len(s.points) >= maxSeries || counted != s.last.records.Load() {
		t.Errorf("%d points, %d of %d records", len(s.points), counted, s.last.records.Load())
	}
}

// FuzzSaved: what a file holds fails or can be compared and drawn.
func FuzzSaved(f *testing.F) {
	f.Add([]byte(`{"_command":"bench.e2e","_version":1,"settings":{"a":[1,{"b":2}]},"flows":[{"name":"x","latency_curve":[{"percentile":1e300,"ms":-1}],"series":[{"seconds":1}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseSaved(data, "x")
		if err != nil {
			return
		}
		compareRuns([]saved{s, s}, []string{"a", "b"})
		for _, c := range chartsOf([]saved{s}) {
			if c.svg(0) == "" {
				t.Fatal("nothing is drawn")
			}
		}
	})
}
