package cli

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// Sizes of a chart, in pixels.
const (
	chartWidth  = 900
	chartHeight = 360
	chartLeft   = 70
	chartRight  = 20
	chartTop    = 40
	chartBottom = 80
)

// scale is how values are spread over an axis.
type scale int

const (
	linear scale = iota
	logarithmic
	nines // percentiles, each nine as wide as the one before
)

// of is where a value lies on the axis, in the scale's own unit.
func (s scale) of(v float64) float64 {
	switch s {
	case logarithmic:
		return math.Log10(max(v, 1e-3))
	case nines:
		return -math.Log10(max(1-v/100, 1e-7))
	}
	return v
}

// chart is lines over two axes.
type chart struct {
	title, xLabel, yLabel string
	x, y                  scale
	lines                 []chartLine
}

type chartLine struct {
	name   string
	points [][2]float64
}

// lineColour is the colour of the i-th line; neighbours differ also for eyes that don't tell red from green.
func lineColour(i int) string {
	return []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999"}[i%8]
}

// tick is a labelled place on an axis.
type tick struct {
	at   float64 // in the scale's unit
	text string
}

// axis is the range of one axis, and its ticks.
type axis struct {
	from, to float64
	ticks    []tick
}

func axisOf(s scale, values []float64) axis {
	if s == nines {
		top := 1.0
		for _, v := range values {
			if v < 100 {
				top = max(top, s.of(v))
			}
		}
		a := axis{from: s.of(50), to: top}
		for _, p := range []float64{50, 90, 99, 99.9, 99.99, 99.999, 99.9999} {
			if s.of(p) <= top+1e-9 {
				a.ticks = append(a.ticks, tick{s.of(p), strconv.FormatFloat(p, 'f', -1, 64)})
			}
		}
		return a
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		low, high = min(low, s.of(v)), max(high, s.of(v))
	}
	if math.IsInf(low, 1) {
		low, high = 0, 1
	}
	a := axis{}
	if s == logarithmic {
		a.from, a.to = math.Floor(low), math.Max(math.Ceil(high), math.Floor(low)+1)
		for d := a.from; d <= a.to; d++ {
			a.ticks = append(a.ticks, tick{d, strconv.FormatFloat(math.Pow(10, d), 'g', 4, 64)})
		}
		return a
	}
	step := roundStep(max(high, 1e-9) / 5)
	a.to = math.Ceil(max(high, 1e-9)/step) * step
	for i := 0; float64(i)*step <= a.to*1.0001; i++ {
		a.ticks = append(a.ticks, tick{float64(i) * step, strconv.FormatFloat(float64(i)*step, 'g', 6, 64)})
	}
	return a
}

// roundStep is the smallest of 1, 2 and 5 times a power of ten that isn't below v.
func roundStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v {
			return m * power
		}
	}
	return 10 * power
}

// svg draws the chart at a height of a larger picture.
func (c *chart) svg(top int) string {
	var xs, ys []float64
	for _, l := range c.lines {
		for _, p := range l.points {
			xs, ys = append(xs, p[0]), append(ys, p[1])
		}
	}
	x, y := axisOf(c.x, xs), axisOf(c.y, ys)
	px := func(v float64) float64 {
		return chartLeft + (v-x.from)/(x.to-x.from)*(chartWidth-chartLeft-chartRight)
	}
	py := func(v float64) float64 {
		return chartHeight - chartBottom - (v-y.from)/(y.to-y.from)*(chartHeight-chartTop-chartBottom)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<g transform="translate(0,%d)" font-family="sans-serif" font-size="12">`, top)
	fmt.Fprintf(&b, `<text x="%d" y="20" font-size="15" font-weight="bold">%s</text>`, chartLeft, html.EscapeString(c.title))
	fmt.Fprintf(&b, `<text x="4" y="%d">%s</text><text x="%d" y="%d" text-anchor="end">%s</text>`, chartTop-8, html.EscapeString(c.yLabel),
		chartWidth-chartRight, chartHeight-chartBottom+34, html.EscapeString(c.xLabel))
	for _, t := range y.ticks {
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`,
			chartLeft, chartWidth-chartRight, py(t.at), py(t.at), chartLeft-6, py(t.at)+4, t.text)
	}
	for _, t := range x.ticks {
		fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`,
			px(t.at), px(t.at), chartTop, chartHeight-chartBottom, px(t.at), chartHeight-chartBottom+18, t.text)
	}
	for i, l := range c.lines {
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="1.6" points="`, lineColour(i))
		for _, p := range l.points {
			fmt.Fprintf(&b, "%.1f,%.1f ", px(min(c.x.of(p[0]), x.to)), py(c.y.of(p[1])))
		}
		fmt.Fprintf(&b, `"/><rect x="%d" y="%d" width="14" height="4" fill="%s"/><text x="%d" y="%d">%s</text>`,
			chartLeft+i%4*205, chartHeight-30+i/4*16, lineColour(i), chartLeft+18+i%4*205, chartHeight-24+i/4*16, html.EscapeString(l.name))
	}
	b.WriteString("</g>")
	return b.String()
}
