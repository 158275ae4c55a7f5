package cli

import (
	"strings"
	"testing"
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
