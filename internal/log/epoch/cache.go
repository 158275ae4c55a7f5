// Package epoch holds the leader epochs of one partition: for each epoch the offset of its first record, in memory and
// in Kafka's leader-epoch-checkpoint.
//
// log owns one cache per partition and calls it from the writer and from readers at once; the cache has its own lock.
// It never reads record bytes. Invariants: epochs and start offsets both rise strictly; the file is written by Sync
// alone, and always from the current entries, so that the flush service may run it at any time beside appends.
package epoch

import (
	"slices"
	"sort"
	"sync"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/mutant"
)

// Entry says at which offset an epoch began.
type Entry struct {
	Epoch kafka.LeaderEpoch
	Start kafka.Offset
}

// Cache is the epochs of one partition.
type Cache struct {
	fs  disk.FS
	dir string

	file sync.Mutex // held while the checkpoint is written; taken before mu

	mu      sync.Mutex
	entries []Entry
	changed uint64  // counts changes
	saved   uint64  // the count that the file shows
	onDisk  []Entry // what the file says
	dropped bool    // never written again
}

// Entries returns a copy of the entries, ascending.
func (c *Cache) Entries() []Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.entries)
}

// Latest returns the largest epoch and its start, or NoLeaderEpoch and NoOffset.
func (c *Cache) Latest() Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) == 0 {
		return Entry{kafka.NoLeaderEpoch, kafka.NoOffset}
	}
	return c.entries[len(c.entries)-1]
}

// Assign notes that an epoch begins at start. An epoch that is known, or older than the latest, changes nothing; later
// entries that start at or after the new one are dropped, as Kafka does, for an epoch without records ends where it
// began.
func (c *Cache) Assign(e kafka.LeaderEpoch, start kafka.Offset) bool {
	if e < 0 || start < 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.entries)
	if n > 0 && e <= c.entries[n-1].Epoch {
		return false
	}
	for n > 0 && c.entries[n-1].Start >= start {
		n--
	}
	c.entries = append(c.entries[:n], Entry{e, start})
	c.changed++
	return true
}

// Learn notes what a record tells that was missing with its epoch: that the epoch had begun at start. It reports whether that fits
// between the epochs around it; otherwise nothing is changed.
func (c *Cache) Learn(e kafka.LeaderEpoch, start kafka.Offset) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	above := sort.Search(len(c.entries), func(i int) bool { return c.entries[i].Start > start })
	switch {
	case e < 0 || above > 0 && c.entries[above-1].Epoch > e || above < len(c.entries) && c.entries[above].Epoch < e:
		return false
	case above > 0 && c.entries[above-1].Epoch == e:
		return true
	case above < len(c.entries) && c.entries[above].Epoch == e:
		c.entries[above].Start = start
	case above > 0 && c.entries[above-1].Start == start:
		return false
	default:
		c.entries = slices.Insert(c.entries, above, Entry{e, start})
	}
	c.changed++
	return true
}

// EndOffsetFor answers OffsetForLeaderEpoch (KIP-101, KIP-279): the largest epoch at or below e and where it ends.
// An epoch above all known ones is unknown: NoLeaderEpoch, NoOffset. One below all gets the start of the first.
func (c *Cache) EndOffsetFor(e kafka.LeaderEpoch, logEnd kafka.Offset) (kafka.LeaderEpoch, kafka.Offset) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.entries)
	if e < 0 || n == 0 || e > c.entries[n-1].Epoch {
		return kafka.NoLeaderEpoch, kafka.NoOffset
	}
	if e == c.entries[n-1].Epoch {
		return e, logEnd
	}
	above := sort.Search(n, func(i int) bool { return c.entries[i].Epoch > e })
	if above == 0 {
		return e, c.entries[0].Start
	}
	if mutant.On(mutant.EpochLookup) {
		return e, c.entries[above].Start
	}
	return c.entries[above-1].Epoch, c.entries[above].Start
}

// For returns the epoch of the record at an offset, or NoLeaderEpoch.
func (c *Cache) For(o kafka.Offset) kafka.LeaderEpoch {
	c.mu.Lock()
	defer c.mu.Unlock()
	above := sort.Search(len(c.entries), func(i int) bool { return c.entries[i].Start > o })
	if above == 0 {
		return kafka.NoLeaderEpoch
	}
	return c.entries[above-1].Epoch
}

// Snapshot returns For as it answers now.
func (c *Cache) Snapshot() func(kafka.Offset) kafka.LeaderEpoch {
	return (&Cache{entries: c.Entries()}).For
}

// TruncateFromEnd drops the epochs that begin at or after end.
func (c *Cache) TruncateFromEnd(end kafka.Offset) {
	c.mu.Lock()
	defer c.mu.Unlock()
	keep := sort.Search(len(c.entries), func(i int) bool { return c.entries[i].Start >= end })
	if keep < len(c.entries) {
		c.entries = c.entries[:keep]
		c.changed++
	}
}

// TruncateFromStart drops the epochs that end at or before start; the one that holds start begins there from now on.
func (c *Cache) TruncateFromStart(start kafka.Offset) {
	c.mu.Lock()
	defer c.mu.Unlock()
	above := sort.Search(len(c.entries), func(i int) bool { return c.entries[i].Start > start })
	if above == 0 || above == 1 && c.entries[0].Start == start {
		return
	}
	c.entries = slices.Delete(c.entries, 0, above-1)
	c.entries[0].Start = start
	c.changed++
}

// Clear forgets everything: the log starts anew at another offset.
func (c *Cache) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) > 0 {
		c.entries = c.entries[:0]
		c.changed++
	}
}
