package log

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// Copy brings one log in step with another of the same partition, which is written meanwhile. The copy has one writer, the
// Copy; of the other it only reads. Bytes are checked on the way and not changed.
type Copy struct {
	// Source says of the last error that it came from the other log.
	Source bool

	from, to *Log
	agreed   bool   // they are the same as far as the copy goes
	cuts     uint64 // truncations of from when they were found to be
	buf      []byte
}

// NewCopy goes on with what the copy has, as far as it agrees.
func NewCopy(from, to *Log) *Copy { return &Copy{from: from, to: to} }

// Lag is how many offsets the copy is behind.
func (c *Copy) Lag() int64 { return int64(c.from.Offsets().End - c.to.Offsets().End) }

// Step copies about so many bytes, and does what truncation, retention and DeleteRecords did with the other log. caught says
// that the copy came to where the other ended at the beginning of the step. Damage in the other log is fault.Corrupt: it
// cannot be copied.
func (c *Copy) Step(now kafka.Instant, bytes int) (moved int64, caught bool, err error) {
	c.Source = false
	at, cuts := c.from.Offsets(), c.from.truncations()
	if !c.agreed || cuts != c.cuts {
		if err := c.agree(); err != nil {
			return 0, false, err
		}
		c.agreed, c.cuts = true, cuts
	}
	if c.to.blank || at.LogStart > c.to.end {
		moved, err = c.anew(now, at, bytes)
	} else if c.to.end < at.End {
		moved, err = c.more(now, c.to.end, at.End, bytes)
	}
	if err == nil && at.LogStart > c.to.start {
		err = c.follow(now, at.LogStart)
	}
	switch {
	case fault.CodeOf(err) == kafka.ErrOffsetOutOfRange:
		return moved, false, nil // retention overtook the copy; the next step begins where the log does now
	case err != nil:
		return moved, false, err
	case moved == 0 && c.to.end < at.End && c.from.Offsets().End >= at.End && c.from.truncations() == cuts:
		return 0, false, fault.Corruption("log.Copy", "there is nothing to read at %d of %s, which ends at %d", c.to.end, c.from.options.Path, at.End)
	}
	return moved, c.to.end >= at.End, nil
}

// agree cuts what the copy has and the other log has not, by their leader epochs (KIP-101): the other may have lost its
// unsynced end to a crash, or been truncated as a follower, and other records may stand there.
func (c *Copy) agree() error {
	for {
		latest := c.to.epochs.Latest()
		if latest.Epoch < 0 {
			return nil
		}
		known, end := c.from.EndOffsetForEpoch(latest.Epoch)
		if known == latest.Epoch {
			return c.to.TruncateTo(end)
		}
		keep := latest.Start
		if known >= 0 {
			keep = min(keep, end)
		}
		if err := c.to.TruncateTo(keep); err != nil {
			return err
		}
		if again := c.to.epochs.Latest(); again == latest {
			return fault.Corruption("log.Copy", "the copy %s does not let go of leader epoch %d", c.to.options.Path, latest.Epoch)
		}
	}
}

// anew begins the copy where the other log begins: with the batch that holds its log start, or empty.
func (c *Copy) anew(now kafka.Instant, at Offsets, bytes int) (int64, error) {
	begin := at.LogStart
	s, err := c.from.Read(begin, ReadOptions{MaxBytes: 1, MinOne: true, Upper: at.End})
	if err != nil {
		c.Source = true
		return 0, err
	}
	if s.Len > 0 {
		begin, err = c.baseOf(&s, begin)
	}
	s.Release()
	if err != nil {
		return 0, err
	}
	if err := c.to.TruncateFullyAndStartAt(begin); err != nil {
		return 0, err
	}
	if begin == at.End {
		return 0, nil
	}
	return c.more(now, at.LogStart, at.End, bytes)
}

// baseOf is where the first batch of a slice begins, if that is before an offset.
func (c *Copy) baseOf(s *Slice, o kafka.Offset) (kafka.Offset, error) {
	var err error
	if c.buf, err = s.AppendTo(c.buf[:0]); err != nil {
		return 0, err
	}
	b, _, err := record.Next(c.buf)
	if err != nil {
		return 0, err
	}
	return min(o, b.BaseOffset()), nil
}

// more appends what comes at an offset.
func (c *Copy) more(now kafka.Instant, from, end kafka.Offset, bytes int) (moved int64, err error) {
	s, err := c.from.Read(from, ReadOptions{MaxBytes: bytes, MinOne: true, Upper: end})
	if err == nil {
		c.buf, err = s.AppendTo(c.buf[:0])
		s.Release()
	}
	if err != nil {
		c.Source = true
		return 0, err
	}
	for rest := c.buf; len(rest) > 0; {
		var b record.Batch
		if b, rest, err = record.Next(rest); err != nil {
			return moved, err
		}
		if _, err := c.to.AppendAsFollower(now, b); err != nil {
			return moved, err
		}
		moved += int64(len(b))
	}
	return moved, nil
}

// follow moves the copy's start, and removes the segments that are below it. Age and size it does not judge: the other log
// does, and the copy follows.
func (c *Copy) follow(now kafka.Instant, start kafka.Offset) error {
	if err := c.to.AdvanceStart(min(start, c.to.end)); err != nil {
		return err
	}
	_, err := c.to.Retain(now, c.to.end)
	return err
}

// truncations counts how often the log was cut.
func (v *view) truncations() uint64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.cuts
}
