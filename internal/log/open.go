package log

import (
	"slices"
	"strings"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/epoch"
	"github.com/milena-io/milena/internal/log/segment"
)

// Open opens a partition's log and recovers it unless it was closed cleanly. Where there is no directory the log is blank:
// its first record makes one.
// A log that cannot be brought up without losing what was durable is fault.Corrupt and left as it is.
func Open(o Options) (*Log, error) {
	l := &Log{
		view: newView(o.Shared), durability: &durability{}, compacted: compacted{clean: o.Cleaned}, options: o, config: o.Config,
		snapshots: snapshots{fs: o.FS, dir: o.Path}, clock: newGuardedClock(o.Now),
	}
	absent, err := l.absent()
	if err != nil {
		return nil, err
	}
	if !absent {
		if err := l.scanDir(); err != nil {
			return nil, err
		}
		if err := l.bindTopicID(); err != nil {
			return nil, err
		}
	}
	rebuildEpochs := false
	if l.epochs, err = epoch.Open(o.FS, o.Path); err != nil {
		if !fault.IsKind(err, fault.Corrupt) {
			return nil, err
		}
		rebuildEpochs = true
	}
	rebuildEpochs = rebuildEpochs || l.epochs.Latest().Epoch < 0 && l.Size() > 0 // the file was lost, or not yet written
	l.durability.epochs, l.durability.home = l.epochs, dirOf(l)
	l.epochAt = l.epochs.For
	if absent {
		err = l.openBlank()
	} else {
		err = l.recover(rebuildEpochs)
	}
	if err != nil {
		l.abandonFiles()
		return nil, err
	}
	if o.Ledger != nil {
		o.Ledger.Opened(o.Partition)
	}
	return l, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return ".", s, false
}

// makeDir makes the partition's directory when there is none.
func (l *Log) makeDir() error {
	if _, err := l.options.FS.Stat(l.options.Path); err == nil {
		return nil
	}
	if l.options.Ledger != nil {
		if err := l.options.Ledger.SaveForgotten(); err != nil {
			return err
		}
	}
	if err := l.options.FS.MkdirAll(l.options.Path); err != nil {
		return fault.Storage("log.Open", err)
	}
	return nil
}

// scanDir removes what earlier lives left unfinished, and lists segments and snapshots.
func (l *Log) scanDir() error {
	fsys, dir := l.options.FS, l.options.Path
	var err error
	if l.snapshots.changed, err = finishSwaps(fsys, dir, newWindow()); err != nil {
		return err
	}
	entries, err := fsys.List(dir)
	if err != nil {
		return fault.Storage("log.Open", err)
	}
	sizes := map[string]int64{}
	for _, e := range entries {
		sizes[e.Name] = e.Size
	}
	if err := l.dropSeals(entries); err != nil {
		return err
	}
	bases, indexes, witness := offsetsIn(entries)
	l.witness = witness
	slices.Sort(bases)
	holes := holesIn(bases, indexes)
	for _, e := range entries {
		base, suffix, ok := segment.ParseName(e.Name)
		if !ok {
			continue
		}
		switch suffix {
		case segment.SnapshotSuffix:
			l.snapshots.list = append(l.snapshots.list, base)
		case segment.IndexSuffix, segment.TimeIndexSuffix, segment.TxnIndexSuffix, segment.HistorySuffix, segment.SealSuffix:
			of := segment.LogSuffix
			if suffix == segment.HistorySuffix {
				of = segment.SnapshotSuffix
			}
			_, found := sizes[segment.Name(base, of)]
			inHole := slices.ContainsFunc(holes, func(h hole) bool { return h.from <= base && base < h.next })
			if !found && !inHole { // in a hole they are all that tells of it
				if err := fsys.Remove(dir + "/" + e.Name); err != nil {
					return fault.Storage("log.Open", err)
				}
				l.snapshots.changed = true
			}
		}
	}
	slices.Sort(l.snapshots.list)
	for i, base := range bases {
		next := base
		if i+1 < len(bases) {
			next = bases[i+1]
		}
		_, txn := sizes[segment.Name(base, segment.TxnIndexSuffix)]
		s := segment.Existing(fsys, dir, base, sizes[segment.Name(base, segment.LogSuffix)], next, txn, l.options.Now.WallMs)
		s.Keep(l.options.Shared.Handles)
		s.Tell(l.options.Owner.Damaged)
		if err := l.holeAfter(s, holes); err != nil {
			return err
		}
		l.segments = append(l.segments, s)
	}
	return nil
}

// offsetsIn reads the offsets in the names of logs and of indexes, and the highest of any file that was there before the log
// behind it. Seals are no witnesses: a program that does not know them leaves them behind.
func offsetsIn(entries []disk.Entry) (bases, indexes []kafka.Offset, witness kafka.Offset) {
	for _, e := range entries {
		base, suffix, ok := segment.ParseName(e.Name)
		if !ok || suffix == segment.SealSuffix {
			continue
		}
		switch suffix {
		case segment.LogSuffix:
			bases = append(bases, base)
			continue
		case segment.IndexSuffix, segment.TimeIndexSuffix:
			indexes = append(indexes, base)
		}
		witness = max(witness, base)
	}
	return bases, indexes, witness
}

// finishSwaps removes files of deletions and of compactions that did not finish, and finishes the replacement of
// segments by compacted ones that were complete: sources inside the range of the new logs go, then the new logs take their
// names, then the files beside them (the order of Kafka's LogLoader, and of swap). It reports whether it changed anything.
func finishSwaps(fsys disk.FS, dir string, window []byte) (changed bool, err error) {
	entries, err := fsys.List(dir)
	if err != nil {
		return false, fault.Storage("log.Open", err)
	}
	var rubbish, swaps []string
	unfinished := kafka.Offset(-1) // lowest offset of a .cleaned file
	for _, e := range entries {
		base, suffix, ok := segment.ParseName(e.Name)
		switch {
		case strings.HasSuffix(e.Name, segment.DeletedSuffix) || strings.HasSuffix(e.Name, ".tmp"):
			rubbish = append(rubbish, e.Name)
		case ok && strings.HasSuffix(suffix, segment.CleanedSuffix):
			rubbish = append(rubbish, e.Name)
			if unfinished < 0 || base < unfinished {
				unfinished = base
			}
		case ok && strings.HasSuffix(suffix, segment.SwapSuffix):
			swaps = append(swaps, e.Name)
		}
	}
	// An output with a file that is yet .cleaned has not taken any source's place, nor has one after it that came of the same
	// split. What tells that goes last.
	var void []string
	swaps = slices.DeleteFunc(swaps, func(name string) bool {
		base, _, _ := segment.ParseName(name)
		if unfinished >= 0 && base >= unfinished {
			void = append(void, name)
			return true
		}
		return false
	})
	if err := removeAll(fsys, dir, void); err != nil {
		return false, err
	}
	if len(void) > 0 {
		if err := fsys.SyncDir(dir); err != nil {
			return false, fault.Storage("log.Open", err)
		}
	}
	if err := removeAll(fsys, dir, rubbish); err != nil {
		return false, err
	}
	if len(swaps) == 0 {
		return len(void)+len(rubbish) > 0, nil
	}
	return true, replaceSources(fsys, dir, entries, swaps, window)
}

func removeAll(fsys disk.FS, dir string, names []string) error {
	for _, name := range names {
		if err := fsys.Remove(dir + "/" + name); err != nil {
			return fault.Storage("log.Open", err)
		}
	}
	return nil
}

func replaceSources(fsys disk.FS, dir string, entries []disk.Entry, swaps []string, window []byte) error {
	isLog := func(name string) bool { return strings.HasSuffix(name, segment.LogSuffix+segment.SwapSuffix) }
	low, high := kafka.Offset(-1), kafka.Offset(-1)
	for _, name := range swaps {
		if !isLog(name) {
			continue
		}
		base, _, _ := segment.ParseName(name)
		next, err := segment.EndOfFile(fsys, dir+"/"+name, base, window)
		if err != nil {
			return err
		}
		if low < 0 || base < low {
			low = base
		}
		high = max(high, next-1)
	}
	for _, e := range entries {
		base, suffix, ok := segment.ParseName(e.Name)
		if !ok || strings.Count(suffix, ".") > 1 || suffix == segment.SnapshotSuffix || suffix == segment.HistorySuffix {
			continue
		}
		if low >= 0 && base >= low && base <= high {
			if err := fsys.Remove(dir + "/" + e.Name); err != nil {
				return fault.Storage("log.Open", err)
			}
		}
	}
	if err := fsys.SyncDir(dir); err != nil { // a source that comes back beside its replacement would overlap it
		return fault.Storage("log.Open", err)
	}
	for _, logs := range []bool{true, false} {
		for _, name := range swaps {
			if isLog(name) != logs {
				continue
			}
			if err := fsys.Rename(dir+"/"+name, dir+"/"+strings.TrimSuffix(name, segment.SwapSuffix)); err != nil {
				return fault.Storage("log.Open", err)
			}
		}
		if logs {
			if err := fsys.SyncDir(dir); err != nil {
				return fault.Storage("log.Open", err)
			}
		}
	}
	return nil // the names of the others may be lost again: then the next start gives them
}

// abandonFiles closes what an Open that failed has opened.
func (l *Log) abandonFiles() {
	l.abandon()
	for _, s := range l.segments {
		s.Close()
	}
}
