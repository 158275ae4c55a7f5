package metrics

import "time"

// memory is what earlier pages leave to later ones, for figures of the last minutes.
type memory struct {
	apis    map[string]*recentAPI
	cpu     drift // seconds of CPU
	appends drift // records of the metadata log

	elections, commits [2]drift // their latencies, and how many there were

	bytes int // of the last page
}

// recentAPI remembers the histograms of one API.
type recentAPI struct{ total, queue, local, remote, respond recent }

// recent remembers what a histogram was, for the quantiles of the last minutes: Kafka's decay in about five minutes.
type recent struct {
	base, next *counts
	nextAt     time.Duration
}

const recentSpan = 5 * time.Minute

// since returns the counts of the last five to ten minutes, of longer when nobody has looked for longer.
func (r *recent) since(now time.Duration, c *counts) *counts {
	d := c.since(r.base)
	if r.next == nil || now-r.nextAt >= recentSpan {
		r.base, r.next, r.nextAt = r.next, c, now
	}
	return d
}

// drift tells how fast a figure grows: over the last half to whole minute, or since the page before the last when pages
// are rarer.
type drift struct {
	began            bool
	base, next       float64
	baseAt, nextWhen time.Duration
}

const driftSpan = 30 * time.Second

// rate takes the figure as it is now and returns its growth a second, zero the first time.
func (d *drift) rate(now time.Duration, v float64) float64 {
	if !d.began {
		d.began, d.base, d.next, d.baseAt, d.nextWhen = true, v, v, now, now
		return 0
	}
	var rate float64
	if now > d.baseAt {
		rate = max(0, v-d.base) / (now - d.baseAt).Seconds()
	}
	if now-d.nextWhen >= driftSpan {
		d.base, d.baseAt, d.next, d.nextWhen = d.next, d.nextWhen, v, now
	}
	return rate
}
