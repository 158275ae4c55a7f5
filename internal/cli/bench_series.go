package cli

import "time"

// seriesStep is how often a measurement looks at itself; a long one keeps fewer points.
const seriesStep = 200 * time.Millisecond

// maxSeries is how many points of one flow are kept: enough for a picture, whatever the measurement's length.
const maxSeries = 600

// seriesPoint is what happened since the point before.
type seriesPoint struct {
	Seconds          float64 `json:"seconds"` // since counting began, at the point's end
	RecordsPerSecond float64 `json:"records_per_second"`
	BytesPerSecond   float64 `json:"bytes_per_second"`
	P50              float64 `json:"p50_ms"` // of the latencies measured in it, 0 for none
	P99              float64 `json:"p99_ms"`
	Max              float64 `json:"max_ms"`
}

// series is what a flow did over time.
type series struct {
	from   time.Time
	points []seriesPoint
	every  int // looks that make one point
	looks  int
	at     time.Time // of the last point
	last   *meter    // what all workers had done by then
}

// add takes a look at what all workers have done by now.
func (s *series) add(now time.Time, total *meter) {
	if !now.After(s.from) {
		return
	}
	if s.last == nil {
		s.last, s.at, s.every, s.points = &meter{}, s.from, 1, []seriesPoint{}
	}
	s.looks++
	if s.looks < s.every {
		return
	}
	s.looks = 0
	took := max(now.Sub(s.at).Seconds(), 1e-6)
	d := total.latency.since(&s.last.latency)
	s.points = append(s.points, seriesPoint{
		Seconds:          now.Sub(s.from).Seconds(),
		RecordsPerSecond: float64(total.records.Load()-s.last.records.Load()) / took,
		BytesPerSecond:   float64(total.bytes.Load()-s.last.bytes.Load()) / took,
		P50:              milliseconds(d.quantile(0.5)), P99: milliseconds(d.quantile(0.99)), Max: milliseconds(d.max),
	})
	s.at, s.last = now, total
	if len(s.points) >= maxSeries {
		s.thin()
	}
}

// thin makes one point of two, and from now on of twice as many looks.
func (s *series) thin() {
	before := 0.0
	kept := s.points[:0]
	for i := 0; i+1 < len(s.points); i += 2 {
		a, b := s.points[i], s.points[i+1]
		ta, tb := a.Seconds-before, b.Seconds-a.Seconds
		before = b.Seconds
		share := ta / max(ta+tb, 1e-9)
		kept = append(kept, seriesPoint{
			Seconds:          b.Seconds,
			RecordsPerSecond: a.RecordsPerSecond*share + b.RecordsPerSecond*(1-share),
			BytesPerSecond:   a.BytesPerSecond*share + b.BytesPerSecond*(1-share),
			P50:              max(a.P50, b.P50), P99: max(a.P99, b.P99), Max: max(a.Max, b.Max), // the worse one: a stall stays visible
		})
	}
	s.points, s.every = kept, s.every*2
}
