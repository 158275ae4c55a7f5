package disk

// manyTargets is from how many targets on a volume is synced as a whole: with fewer, what other programs have written may
// cost more than it saves.
const manyTargets = 64

// Settle makes targets durable at the end of a process, when nobody waits but the one that stops: all at once where they are
// many and there is a volume, else, and when that failed, each of them as Flush does. The volume was opened before the targets
// were written. done runs like Flush's.
func (f *Flusher) Settle(v Volume, targets []Syncer, done func(error)) {
	if v == nil || len(targets) < manyTargets {
		f.Flush(targets, done)
		return
	}
	f.world.Go(func() {
		if f.Failed() != nil || v.Sync() != nil {
			f.Flush(targets, done)
			return
		}
		f.Flush(nil, done) // after whatever is under way
	})
}
