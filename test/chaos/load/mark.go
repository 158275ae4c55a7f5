package load

import "fmt"

// Mark is what was acknowledged at a moment.
type Mark struct {
	total  int64
	acks   []int64
	guests []int64
}

// Mark takes it.
func (l *Load) Mark() (m Mark) {
	m.total, m.acks = l.counts()
	for _, g := range l.o.Guests {
		total, _ := g.counts()
		m.guests = append(m.guests, total)
	}
	return m
}

// Open begins to measure anew, for everybody: a fault comes now.
func (l *Load) Open() {
	l.Clock.Open()
	for _, g := range l.o.Guests {
		g.Clock.Open()
	}
}

// Since says what is still missing until so many were acknowledged since a moment in all, so many by each partition, and any of each
// guest's; "" for nothing.
func (l *Load) Since(m Mark, all, each int64) (missing string) {
	total, by := l.since(m.total, m.acks)
	for i, g := range l.o.Guests {
		if n, _ := g.counts(); n == m.guests[i] {
			missing = fmt.Sprintf("nothing of %s is acknowledged", g.Name)
		}
	}
	if total < all {
		missing = fmt.Sprintf("%d records are acknowledged, not %d", total, all)
	}
	for p, n := range by {
		if n < each {
			missing = fmt.Sprintf("%d records of partition %d are acknowledged", n, p)
		}
	}
	return missing
}
