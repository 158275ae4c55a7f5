package clean

import (
	"errors"

	"github.com/milena-io/milena/internal/record"
)

// errFull ends the walk over a batch when the map takes no more keys.
var errFull = errors.New("the map is full")

// mapNext takes the next batch of the dirty part into the map. Where Kafka stops before the first batch that does not fit
// whole, and would read a batch of more keys than its map holds again and again, this stops after the last record that fit.
func (c *Cleaning) mapNext() error {
	if c.source == len(c.job.Sources) {
		c.startCopying()
		return nil
	}
	b, err := c.batch()
	if err != nil {
		return err
	}
	if b == nil {
		c.open(c.source+1, 0)
		// What is missing up to the next segment is no gap to come back to.
		c.keys.upTo = c.job.Dirt.Until
		if c.source < len(c.job.Sources) {
			c.keys.upTo = max(c.keys.upTo, c.job.Sources[c.source].Base)
		}
		return nil
	}
	c.Stats.MapBytes += int64(len(b))
	c.Stats.MapRecords += int(b.Count())
	idle, err := c.txns.read(b)
	if err != nil {
		return err
	}
	if !b.IsControl() && !idle {
		err := b.Each(record.Limits{}, c.mapRecord)
		if errors.Is(err, errFull) {
			c.startCopying()
			return nil
		}
		if err != nil {
			return err
		}
	}
	c.keys.upTo = max(c.keys.upTo, b.NextOffset())
	return nil
}

func (c *Cleaning) mapRecord(r *record.Record) error {
	if r.Offset < c.job.Dirt.First {
		return nil
	}
	if r.Key != nil && !c.keys.Put(r.Key, r.Offset) {
		return errFull
	}
	c.keys.upTo = max(c.keys.upTo, r.Offset+1)
	return nil
}
