package storage

import (
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/partition"
)

// Closing is a clean stop of the log directories: every replica's log is closed, and the directories are still to be sealed.
type Closing struct {
	s     *Storage
	epoch kafka.BrokerEpoch
	last  *log.Log // of the metadata, which is closed after all others; nil where there is none
	ends  map[*Volume]*ends
}

// ends is how the logs of one directory ended.
type ends struct {
	recovery, high checkpoint.Offsets
	whole          disk.Volume   // nil where there is no such thing
	targets        []disk.Syncer // that make what the logs wrote durable
	err            error
}

// Close closes every replica's log and hands on what is left to do when the last one is closed. What a directory holds that
// has failed is left as it is. The logs of a directory are closed a few at a time, and what they write is synced together
// (ADR 0014).
func (s *Storage) Close(done func(*Closing)) {
	s.closing.Store(true)
	c := &Closing{s: s, ends: map[*Volume]*ends{}}
	for _, v := range s.All() {
		e := &ends{recovery: checkpoint.Offsets{}, high: checkpoint.Offsets{}}
		if v.Offline() == nil {
			e.whole = disk.OpenVolume(s.FS, v.Path)
		}
		c.ends[v] = e
	}
	all := slices.DeleteFunc(s.o.Replicas.All(), func(p *partition.Partition) bool { return s.Of(p).Offline() != nil })
	if len(all) == 0 {
		done(c)
		return
	}
	var mu sync.Mutex
	left := len(all)
	for _, p := range all {
		p.Stop(func(end partition.Closed) {
			mu.Lock()
			into := c.ends[s.Of(p)] // asked now: a move may have ended since
			switch {
			case end.Err != nil:
				into.err = errors.Join(into.err, end.Err)
			case end.Opened:
				into.recovery[p.Name()], into.high[p.Name()] = end.Recovery, end.High
				into.targets = append(into.targets, end.Targets...)
			}
			left--
			last := left == 0
			mu.Unlock()
			if last {
				c.copies()
				done(c)
			}
		})
	}
}

// copies adds what became of the copies of replicas that were on their way to another directory.
func (c *Closing) copies() {
	for v, e := range c.ends {
		at, err := c.s.moving.closed(v)
		maps.Copy(e.recovery, at)
		e.err = errors.Join(e.err, err)
	}
}

// Seal closes the metadata log, once nothing is being flushed any more, and marks each directory as cleanly closed in which
// every log is. done is told why not all are.
func (c *Closing) Seal(epoch kafka.BrokerEpoch, metadata *log.Log, done func(error)) {
	c.epoch, c.last = epoch, metadata
	c.s.Space.release()
	c.next(c.s.All(), nil, done)
}

// next seals one directory after the other.
func (c *Closing) next(left []*Volume, failed error, done func(error)) {
	if len(left) == 0 {
		done(failed)
		return
	}
	v := left[0]
	e := c.ends[v]
	next := func(err error) {
		if e.whole != nil {
			_ = e.whole.Close() // it was only read
		}
		c.next(left[1:], errors.Join(failed, err), done)
	}
	if v.Offline() != nil {
		next(nil)
		return
	}
	if v == c.s.Metadata && c.last != nil {
		// The last flush of it is over when the flush service is idle.
		v.Flusher.Flush(nil, func(error) {
			c.closeMetadata(e)
			c.settle(v, e, next)
		})
		return
	}
	c.settle(v, e, next)
}

// closeMetadata closes the metadata log.
func (c *Closing) closeMetadata(e *ends) {
	targets, err := log.Finish(c.last)
	e.targets, e.err = append(e.targets, targets...), errors.Join(e.err, err)
	o := c.last.Offsets()
	e.recovery[MetadataPartition], e.high[MetadataPartition] = o.End, o.End
}

// settle syncs what the logs of a directory wrote when they were closed, and then seals it.
func (c *Closing) settle(v *Volume, e *ends, done func(error)) {
	if e.err != nil {
		e.targets = nil // it will not count as closed cleanly
	}
	v.Flusher.Settle(e.whole, e.targets, func(err error) {
		e.err = errors.Join(e.err, err)
		done(c.seal(v, e))
	})
}

// seal marks a directory as cleanly closed, when every log in it is.
func (c *Closing) seal(v *Volume, e *ends) error {
	err := e.err
	if err == nil {
		err = v.Dir.CloseClean(c.epoch, e.recovery, e.high)
	}
	if err != nil {
		v.release()
	}
	return err
}
