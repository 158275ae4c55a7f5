package clean

import (
	"slices"

	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// copyNext takes the next batch of the group through the filter, or ends the group.
func (c *Cleaning) copyNext() error {
	first, end := c.groups[c.group], c.groups[c.group+1]
	if len(c.Groups) == c.group {
		if err := c.beginGroup(first, end); err != nil {
			return err
		}
	}
	pos := c.walker.Pos()
	if c.redo != nil && pos >= c.redo.until {
		return c.endRedo()
	}
	b, err := c.batch()
	switch {
	case err != nil:
		return err
	case b == nil && c.source+1 < end:
		c.open(c.source+1, 0)
		return nil
	case b == nil:
		return c.endGroup(first, end)
	case c.redo != nil:
		return c.write(append(c.out.buf, b...))
	}
	from := len(c.out.buf)
	buf, left, err := c.filter.apply(c.out.buf, b, c.lastOfGroup(end))
	if err != nil {
		return err
	}
	c.count(b, left, len(buf)-from)
	if !c.Groups[c.group].Untouched {
		return c.write(buf)
	}
	if left.Same {
		return nil // and c.out.buf is as it was
	}
	if err := c.out.begin(c.job.Sources[first].Base); err != nil {
		return err
	}
	c.Groups[c.group].Untouched = false
	c.redo = &redo{until: pos, resume: c.walker.Pos(), then: slices.Clone(buf[from:])}
	c.open(first, 0)
	return nil
}

// beginGroup begins an output. Of a single source it waits for the first batch that does not survive as it is: if none
// comes, there is nothing to write.
func (c *Cleaning) beginGroup(first, end int) error {
	g := Group{Untouched: end == first+1}
	for _, s := range c.job.Sources[first:end] {
		g.Sources = append(g.Sources, s.Base)
		g.Before += s.Bytes
	}
	c.Groups = append(c.Groups, g)
	c.open(first, 0)
	c.ended = nil
	if g.Untouched {
		return nil
	}
	return c.out.begin(c.job.Sources[first].Base)
}

// write notes what was appended to the output's buffer.
func (c *Cleaning) write(buf []byte) error {
	from := len(c.out.buf)
	c.out.buf = buf
	c.moved += int64(len(buf) - from)
	return c.out.take(from)
}

// endRedo goes on behind the batch from which on the group differs from its source.
func (c *Cleaning) endRedo() error {
	r := c.redo
	c.redo = nil
	s := &c.job.Sources[c.source]
	must.Hold(c.walker.Pos() == r.until, "%s: no batch at %d", s.File.Name(), r.until)
	next := c.next
	c.open(c.source, r.resume)
	c.next = next
	return c.write(append(c.out.buf, r.then...))
}

// lastOfGroup reports whether the batch that was just read is the last of the group.
func (c *Cleaning) lastOfGroup(end int) bool {
	if c.walker.Pos() < c.job.Sources[c.source].Bytes {
		return false
	}
	for _, s := range c.job.Sources[c.source+1 : end] {
		if s.Bytes > 0 {
			return false
		}
	}
	return true
}

func (c *Cleaning) endGroup(first, end int) error {
	g := &c.Groups[c.group]
	c.group++
	if g.Untouched {
		g.After = g.Before
		return nil
	}
	sources := c.job.Sources[first:end]
	c.out.written.Aborted = c.ended
	for _, s := range sources {
		c.out.written.CreatedMs = max(c.out.written.CreatedMs, s.CreatedMs)
	}
	if err := c.out.finish(); err != nil {
		return err
	}
	g.After = c.out.written.Size
	if c.job.Replace == nil {
		return nil
	}
	written := c.out.written
	if err := c.job.Replace(sources, &written); err != nil {
		return err
	}
	c.out.index = nil // nothing is left to discard
	return nil
}

func (c *Cleaning) count(b record.Batch, left record.Sifted, bytes int) {
	g, s := &c.Groups[c.group], &c.Stats
	s.BytesRead += int64(len(b))
	s.RecordsRead += left.Read
	s.BytesLeft += int64(bytes)
	s.RecordsLeft += left.Kept
	s.Keyless = c.filter.keyless
	g.RecordsBefore += left.Read
	g.RecordsAfter += left.Kept
	g.TombstonesLeft += left.Tombstones
}
