package cli

import (
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strings"
)

func checkPlot(path string) error {
	if ext := filepath.Ext(path); path == "" || ext == ".html" || ext == ".svg" {
		return nil
	}
	return usage("--plot %s: a name that ends with .html or .svg", path)
}

// plot draws measurements into a file that needs nothing else: percentiles of latency, and rates and latency over time.
func (a *app) plot(path string, runs []saved) error {
	charts := chartsOf(runs)
	var b strings.Builder
	if filepath.Ext(path) == ".svg" {
		y := 0
		var inner strings.Builder
		for _, c := range charts {
			inner.WriteString(c.svg(y))
			y += chartHeight
		}
		fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d"><rect width="100%%" height="100%%" fill="white"/>%s</svg>`+"\n",
			chartWidth, y, chartWidth, y, inner.String())
	} else {
		plotPage(&b, runs, charts)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		return failed("NOT_SAVED", "the plot could not be written: %v", err)
	}
	a.note("drawn in %s", path)
	return nil
}

func plotPage(b *strings.Builder, runs []saved, charts []chart) {
	b.WriteString(`<!doctype html><html lang="en"><meta charset="utf-8"><title>milena bench</title>
<style>body{font:14px system-ui,sans-serif;margin:2em;max-width:960px}table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid #ddd}td:first-child,th:first-child,td:nth-child(2),th:nth-child(2){text-align:left}</style>
<h1>milena bench</h1>
<table><tr><th>run</th><th>flow</th><th>records/s</th><th>MiB/s</th><th>p50 ms</th><th>p99 ms</th><th>p99.9 ms</th><th>p99.99 ms</th><th>max ms</th><th>errors</th></tr>
`)
	for _, r := range runs {
		for _, f := range r.Flows {
			l := f.Total.LatencyMs
			fmt.Fprintf(b, "<tr><td>%s</td><td>%s</td><td>%.0f</td><td>%.1f</td><td>%.3f</td><td>%.3f</td><td>%.3f</td><td>%.3f</td><td>%.3f</td><td>%d</td></tr>\n",
				html.EscapeString(r.name), html.EscapeString(f.Name), f.Total.RecordsPerSecond, f.Total.BytesPerSecond/(1<<20), l.P50, l.P99, l.P999, l.P9999, l.Max, f.Total.Errors)
		}
	}
	b.WriteString("</table>\n")
	for _, c := range charts {
		fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">%s</svg>`+"\n", chartWidth, chartHeight, chartWidth, chartHeight, c.svg(0))
	}
	for _, r := range runs {
		fmt.Fprintf(b, "<h2>%s</h2><p>%s of topic %s, began %s, measured by milena %s on %s with %d CPUs, %g s of warm-up.</p><pre>%s</pre>\n", html.EscapeString(r.name),
			html.EscapeString(r.Command), html.EscapeString(r.Topic), html.EscapeString(r.Began), html.EscapeString(r.Client), html.EscapeString(r.Platform), r.CPUs,
			r.WarmupSeconds, html.EscapeString(string(r.Settings)))
		for _, f := range r.Flows {
			fmt.Fprintf(b, "<p>%s: latency is %s, of %d.</p>\n", html.EscapeString(f.Name), html.EscapeString(f.What), f.Total.Latencies)
		}
	}
	b.WriteString("</html>\n")
}

// chartsOf makes the charts of measurements, a line for each flow of each.
func chartsOf(runs []saved) []chart {
	curve := chart{title: "latency by percentile", xLabel: "percentile", yLabel: "ms", x: nines, y: logarithmic}
	rate := chart{title: "throughput", xLabel: "seconds", yLabel: "MiB/s"}
	tail := chart{title: "p99 of each moment", xLabel: "seconds", yLabel: "ms", y: logarithmic}
	for _, r := range runs {
		for _, f := range r.Flows {
			name := f.Name
			if len(runs) > 1 {
				name = r.name + " " + f.Name
			}
			c, t, p := chartLine{name: name}, chartLine{name: name}, chartLine{name: name}
			for _, point := range f.Curve {
				c.points = append(c.points, [2]float64{point.Percentile, point.Ms})
			}
			for _, point := range f.Time {
				t.points = append(t.points, [2]float64{point.Seconds, point.BytesPerSecond / (1 << 20)})
				if point.P99 > 0 {
					p.points = append(p.points, [2]float64{point.Seconds, point.P99})
				}
			}
			curve.lines, rate.lines, tail.lines = append(curve.lines, c), append(rate.lines, t), append(tail.lines, p)
		}
	}
	return []chart{curve, rate, tail}
}
