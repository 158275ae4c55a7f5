package metrics

import (
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// pageFamily is one family of a page that was read.
type pageFamily struct {
	kind, help string
	samples    map[string]float64 // by name and labels, as written
	order      []string
}

var (
	metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$`)
	oneLabel   = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(?:,|$)`)
)

// readPage reads a page more strictly than Prometheus does: each family once, its lines together, TYPE before samples,
// every series once, histograms that add up. Only families of the Go runtime and the process may lack HELP.
func readPage(t testing.TB, text string) map[string]*pageFamily {
	t.Helper()
	if !utf8.ValidString(text) || !strings.HasSuffix(text, "\n") {
		t.Fatal("a page is UTF-8 and ends with its last line")
	}
	families := map[string]*pageFamily{}
	var current *pageFamily
	var name, helped, help string
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		switch {
		case strings.HasPrefix(line, "# HELP "):
			helped, help, _ = strings.Cut(strings.TrimPrefix(line, "# HELP "), " ")
			if help == "" || strings.Contains(strings.ReplaceAll(help, `\n`, ""), `\`) {
				t.Fatalf("line %d: HELP says %q", i+1, help)
			}
		case strings.HasPrefix(line, "# TYPE "):
			var kind string
			name, kind, _ = strings.Cut(strings.TrimPrefix(line, "# TYPE "), " ")
			if !metricName.MatchString(name) || families[name] != nil {
				t.Fatalf("line %d: family %q is no name or comes twice", i+1, name)
			}
			if !slices.Contains([]string{"counter", "gauge", "summary", "histogram"}, kind) {
				t.Fatalf("line %d: no type %q", i+1, kind)
			}
			foreign := strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_")
			if helped != name && !foreign {
				t.Fatalf("line %d: %s has no HELP", i+1, name)
			}
			current = &pageFamily{kind: kind, help: help, samples: map[string]float64{}}
			families[name] = current
		default:
			readSample(t, i+1, line, name, current)
		}
	}
	for name, f := range families {
		if f.kind == "histogram" {
			checkHistogram(t, name, f)
		}
	}
	return families
}

func readSample(t testing.TB, at int, line, family string, f *pageFamily) {
	t.Helper()
	m := sampleLine.FindStringSubmatch(line)
	if m == nil || f == nil {
		t.Fatalf("line %d is no sample: %q", at, line)
	}
	suffix := strings.TrimPrefix(m[1], family)
	allowed := map[string][]string{"histogram": {"_bucket", "_sum", "_count"}, "summary": {"", "_sum", "_count"}}[f.kind]
	if m[1] != family+suffix || suffix != "" && !slices.Contains(allowed, suffix) || f.kind == "histogram" && suffix == "" {
		t.Fatalf("line %d: %q is no series of %s %s", at, m[1], f.kind, family)
	}
	var names []string
	for rest := m[2]; rest != ""; {
		rest = strings.TrimPrefix(rest, " ")
		l := oneLabel.FindStringSubmatch(rest)
		if l == nil || slices.Contains(names, l[1]) {
			t.Fatalf("line %d: labels %q", at, m[2])
		}
		names = append(names, l[1])
		rest = rest[len(l[0]):]
	}
	v, err := strconv.ParseFloat(m[3], 64)
	if err != nil {
		t.Fatalf("line %d: value %q", at, m[3])
	}
	series := strings.TrimSuffix(line, " "+m[3])
	if _, twice := f.samples[series]; twice {
		t.Fatalf("line %d: %s comes twice", at, series)
	}
	if f.kind == "counter" && v < 0 {
		t.Fatalf("line %d: a counter is %v", at, v)
	}
	f.samples[series] = v
	f.order = append(f.order, series)
}

// checkHistogram holds that buckets rise to the count.
func checkHistogram(t testing.TB, name string, f *pageFamily) {
	t.Helper()
	last, lastLe, labels := 0.0, -1.0, ""
	for _, s := range f.order {
		rest, ok := strings.CutPrefix(s, name+"_bucket{")
		if !ok {
			continue
		}
		at := strings.LastIndex(rest, `le="`)
		le, err := strconv.ParseFloat(strings.TrimSuffix(rest[at+4:], `"}`), 64)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		if rest[:at] != labels {
			last, lastLe, labels = 0, -1, rest[:at]
		}
		if f.samples[s] < last || le <= lastLe {
			t.Fatalf("%s: buckets of %s don't rise", s, name)
		}
		last, lastLe = f.samples[s], le
		if strings.HasSuffix(s, `le="+Inf"}`) {
			count := name + "_count"
			if l := strings.TrimSuffix(labels, ","); l != "" {
				count += "{" + l + "}"
			}
			if n, ok := f.samples[count]; !ok || n != last {
				t.Fatalf("%s is %v and its last bucket %v", count, n, last)
			}
		}
	}
}

// value returns a sample that must be there.
func value(t testing.TB, page map[string]*pageFamily, series string) float64 {
	t.Helper()
	name, _, _ := strings.Cut(series, "{")
	f := page[name]
	for _, suffix := range []string{"_sum", "_count", "_bucket"} {
		if stem, ok := strings.CutSuffix(name, suffix); ok && f == nil {
			f = page[stem]
		}
	}
	if f != nil {
		if v, ok := f.samples[series]; ok {
			return v
		}
	}
	t.Errorf("there is no %s", series)
	return -1
}

func TestStrictReaderRefuses(t *testing.T) {
	good := "# HELP a text\n# TYPE a gauge\na{x=\"1\"} 1\n"
	readPage(t, good)
	for _, bad := range []string{
		"a 1\n", "# TYPE a gauge\na 1\n", good + good, good + "a{x=\"1\"} 2\n", good + "b 1\n", good + "a{x=\"\"\"} 1\n",
		good + "a{x=\"1\",x=\"2\"} 1\n", good + "a one\n", strings.TrimSuffix(good, "\n"), good + "a{x=\"\xff\"} 1\n",
		"# HELP h t\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_count 1\n",
	} {
		if !refused(func(tb testing.TB) { readPage(tb, bad) }) {
			t.Errorf("%q was taken for a page", bad)
		}
	}
}

// refused reports whether a check fails its test.
func refused(check func(testing.TB)) bool {
	inner := &failing{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		check(inner)
	}()
	<-done
	return inner.failed
}

// failing is a testing.TB that only notes that it failed.
type failing struct {
	testing.TB
	failed bool
}

func (f *failing) Helper() {}
func (f *failing) Fatalf(string, ...any) {
	f.failed = true
	runtime.Goexit()
}
func (f *failing) Fatal(...any) { f.Fatalf("") }
