package metrics

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
)

// TestDocumentListsThePage holds docs/metrics.md and the page in step: the same series, each with the same labels.
func TestDocumentListsThePage(t *testing.T) {
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	_, tables, found := strings.Cut(string(text), "## Series")
	if !found {
		t.Fatal("the document has no series")
	}
	documented := map[string][]string{}
	row := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([^|]*) \\| [^|]+ \\|$")
	quoted := regexp.MustCompile("`([a-zA-Z_]+)`")
	for _, m := range row.FindAllStringSubmatch(strings.ReplaceAll(tables, "| |", "|  |"), -1) {
		if documented[m[1]] != nil {
			t.Errorf("%s is documented twice", m[1])
		}
		labels := []string{}
		for _, l := range quoted.FindAllStringSubmatch(m[2], -1) {
			labels = append(labels, l[1])
		}
		documented[m[1]] = labels
	}
	m, c := newMetrics(10)
	m.Watch(full())
	m.Opened(peer)
	m.Refused(peer, "frame")
	m.Closed(peer, "client")
	m.Done(request(c, kafka.KeyProduce, 1, 2, 3, 4), 1, 1)
	page := scrape(t, m, "")
	if page["process_cpu_seconds_total"] == nil {
		t.Log("no /proc here: the series of the process are taken from the document")
		for _, name := range slices.Collect(maps.Keys(documented)) {
			if strings.Contains(name, "linux_disk") || strings.HasSuffix(name, "idle_percent") {
				delete(documented, name)
			}
		}
	}
	for name, f := range page {
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			continue
		}
		want, ok := documented[name]
		if !ok {
			t.Errorf("%s is on the page and not in docs/metrics.md", name)
			continue
		}
		if got := labelsOf(f); !slices.Equal(got, want) {
			t.Errorf("%s has the labels %v on the page and %v in docs/metrics.md", name, got, want)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("%s is in docs/metrics.md and not on the page", name)
	}
}

// labelsOf lists the labels of a family's richest sample, without a histogram's le.
func labelsOf(f *pageFamily) []string {
	names := regexp.MustCompile(`([a-zA-Z_]+)="`)
	out := []string{}
	for s := range f.samples {
		var labels []string
		for _, m := range names.FindAllStringSubmatch(s, -1) {
			if m[1] != "le" {
				labels = append(labels, m[1])
			}
		}
		if len(labels) > len(out) {
			out = labels
		}
	}
	return out
}
