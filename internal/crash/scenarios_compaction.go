package crash

import (
	"github.com/milena-io/milena/internal/log"
)

// compacted is a configuration whose segments hold two or three batches, and whose compacted segments twice as many.
func compacted() log.Config {
	c := small()
	c.Accept.Compacted, c.Keep.Delete = true, false
	c.Roll.SegmentBytes = 340
	c.Clean.DirtyRatio, c.Clean.DeleteRetentionMs, c.Clean.SegmentBytes = 0.01, 1000, 640
	return c
}

// dirty writes what a compaction has to decide on: keys that are overwritten, tombstones, transactions of either outcome and
// one that stays open, an idempotent producer whose records all go.
func dirty(l *Log) error {
	plain, idempotent, commits, aborts := noSender, Sender{ID: 7}, Sender{ID: 8, Txn: true}, Sender{ID: 9, Txn: true}
	put := func(from Sender, all ...keyed) func() error {
		return func() error { l.host.story.Now.WallMs += 7; return l.Put(from, all...) }
	}
	v := func(key, value string) keyed { return keyed{key, []byte(value)} }
	return steps(
		put(plain, v("a", "old"), v("b", "old"), v("c", "stays")),
		put(idempotent, v("a", "older"), v("d", "old")),
		put(commits, v("b", "committed"), v("e", "old")),
		put(aborts, v("c", "aborted"), v("f", "aborted")),
		func() error { return l.End(commits, true) },
		put(plain, keyed{key: "d"}, v("a", "new")),
		func() error { return l.End(aborts, false) },
		func() error { l.epoch++; return put(plain, v("g", "old"), v("h", "stays"))() },
		put(commits, v("e", "aborted, too")),
		func() error { return l.End(commits, false) },
		put(plain, v("g", "new"), keyed{key: "a"}),
		put(plain, v("e", "new"), v("b", "new")),
		put(plain, v("i", "fills"), v("j", "fills")),
		put(plain, v("i", "fills"), v("j", "fills")),
		l.Flush,
	)
}

// tellCompaction is two compactions, the second of which finds tombstones and markers that are due, records between and
// after them, and a truncation to below where the log is clean.
func tellCompaction(s *Story) error {
	h, l, err := begin(s, compacted(), 0)
	if err != nil {
		return err
	}
	return steps(
		func() error { return dirty(l) },
		h.Checkpoint,
		l.Compact,
		func() error { return fill(l, 1) },
		h.later0,
		func() error { s.Now.WallMs += 5000; return dirty(l) },
		func() error { return l.Put(Sender{ID: 10, Txn: true}, keyed{"a", []byte("open")}) },
		func() error { return fill(l, 2) },
		l.Compact,
		h.Checkpoint,
		func() error { return l.Truncate(l.log.Offsets().End - 14) },
		h.later0,
		func() error { return fill(l, 1) },
	)
}

// tellCompactionSwap is a start that finds a swap half done.
func tellCompactionSwap(s *Story) error {
	h, l, err := begin(s, compacted(), 0)
	if err != nil {
		return err
	}
	return steps(
		func() error { return dirty(l) },
		h.Checkpoint,
		l.Compact,
		l.CrashInSwap,
		func() error { return fill(l, 1) },
	)
}
