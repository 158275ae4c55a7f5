package epoch

import (
	"math"
	"slices"
	"strconv"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
)

// FileName is Kafka's name of the checkpoint in a partition's directory.
const FileName = "leader-epoch-checkpoint"

const maxFileBytes = 64 << 20

// Open reads the checkpoint of a partition directory; a missing one is an empty cache. When the file is corrupt the
// cache is empty, and the error says so: the caller rebuilds it from the batches, which carry their epochs.
func Open(fsys disk.FS, dir string) (*Cache, error) {
	c := &Cache{fs: fsys, dir: dir}
	data, err := checkpoint.Load(fsys, dir+"/"+FileName, maxFileBytes)
	if err != nil || data == nil {
		return c, err
	}
	c.entries, err = Parse(data)
	c.onDisk = slices.Clone(c.entries)
	return c, err
}

// Parse reads the text of a checkpoint.
func Parse(data []byte) ([]Entry, error) {
	lines, err := checkpoint.Lines(data, 2)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(lines))
	for _, line := range lines {
		e, eerr := strconv.ParseInt(string(line[0]), 10, 32)
		start, serr := strconv.ParseInt(string(line[1]), 10, 64)
		if eerr != nil || serr != nil || e < 0 || start < 0 {
			return nil, fault.Corruption("epoch.Parse", "malformed line %q", line)
		}
		next := Entry{kafka.LeaderEpoch(e), kafka.Offset(start)}
		if n := len(entries); n > 0 && (entries[n-1].Epoch >= next.Epoch || entries[n-1].Start >= next.Start) {
			return nil, fault.Corruption("epoch.Parse", "epoch %d at %d follows epoch %d at %d", next.Epoch, next.Start,
				entries[n-1].Epoch, entries[n-1].Start)
		}
		entries = append(entries, next)
	}
	return entries, nil
}

// Format writes the text of a checkpoint.
func Format(entries []Entry) []byte {
	out := checkpoint.Header(nil, len(entries))
	for _, e := range entries {
		out = strconv.AppendInt(out, int64(e.Epoch), 10)
		out = append(out, ' ')
		out = strconv.AppendInt(out, int64(e.Start), 10)
		out = append(out, '\n')
	}
	return out
}

// Unsaved reports whether the file lags behind the entries.
func (c *Cache) Unsaved() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lags()
}

// lags reports whether the file says something else; what was changed and changed back it says. Called with the mutex held.
func (c *Cache) lags() bool {
	if c.changed != c.saved && slices.Equal(c.entries, c.onDisk) {
		c.saved = c.changed
	}
	return c.changed != c.saved
}

// Shown returns the offset below which the file tells the epochs as they are; above all offsets when it tells them all. A recovery
// point is not to pass it: from there on recovery asks the batches, and below it the file.
func (c *Cache) Shown() kafka.Offset {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.lags() {
		return math.MaxInt64
	}
	told := Cache{entries: slices.Clone(c.onDisk)}
	if len(c.entries) > 0 {
		told.TruncateFromStart(c.entries[0].Start) // what the log lost at its start nobody asks for
	}
	for i, e := range c.entries {
		if i == len(told.entries) {
			return e.Start
		}
		if e != told.entries[i] {
			return min(e.Start, told.entries[i].Start)
		}
	}
	if len(told.entries) > len(c.entries) {
		return told.entries[len(c.entries)].Start
	}
	return math.MaxInt64
}

// Sync writes the current entries durably when the file lags. It is a disk.Syncer, and nobody's acknowledgement waits for it: a batch
// tells its epoch itself, and a recovery point waits (Shown).
func (c *Cache) Sync() error {
	_, err := c.Save()
	return err
}

// Save is Sync, and tells whether it wrote: then it has also made every name durable that was in the directory before.
func (c *Cache) Save() (wrote bool, err error) {
	c.file.Lock()
	defer c.file.Unlock()
	c.mu.Lock()
	if !c.lags() || c.dropped {
		c.mu.Unlock()
		return false, nil
	}
	changed, entries := c.changed, slices.Clone(c.entries)
	c.mu.Unlock()
	if err := checkpoint.Replace(c.fs, c.dir, FileName, Format(entries)); err != nil {
		return false, err
	}
	c.mu.Lock()
	c.saved, c.onDisk = changed, entries
	c.mu.Unlock()
	return true, nil
}

// Draft writes the current entries under another name, and Place has them take their name: Sync in two steps that make nothing durable,
// for a log that is closed beside many others (disk.Drafter). After a Place that was never synced Sync writes once more.
func (c *Cache) Draft() error {
	c.file.Lock()
	defer c.file.Unlock()
	return checkpoint.Draft(c.fs, c.dir, checkpoint.File{Name: FileName, Data: Format(c.Entries())})
}

// Place is the second step of Draft, once what that wrote is durable.
func (c *Cache) Place() error {
	c.file.Lock()
	defer c.file.Unlock()
	return checkpoint.Place(c.fs, c.dir, FileName)
}

// Drop ends the writing of the file: the directory is being deleted, and a flush that is under way must neither fail
// for it nor write into another log's directory of the same name. It returns when no write is under way.
func (c *Cache) Drop() {
	c.file.Lock()
	defer c.file.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropped = true
}
