package disk

// manyTargets is from how many targets on a volume is synced as a whole: with fewer, what other programs have written may
// cost more than it saves.
const manyTargets = 64

// Drafter is the optional upgrade of a Syncer that replaces a file: Draft writes it under another name, and Place has it take its
// name once that is durable. After a sync of the volume behind each of the two it is what Sync makes of it.
type Drafter interface {
	Draft() error
	Place() error
}

// Settle makes targets durable at the end of a process, when nobody waits but the one that stops: all at once where they are
// many and there is a volume, else, and when that failed, each of them as Flush does. The volume was opened before the targets
// were written. done runs like Flush's.
func (f *Flusher) Settle(v Volume, targets []Syncer, done func(error)) {
	if v == nil || len(targets) < manyTargets {
		f.Flush(targets, done)
		return
	}
	f.world.Go(func() {
		if f.Failed() != nil || SyncTogether(v, targets) != nil {
			f.Flush(targets, done)
			return
		}
		f.Flush(nil, done) // after whatever is under way
	})
}

// SyncTogether makes targets durable with the volume that they are on: a sync of it as a whole, and another where files take the place
// of others (Drafter). After an error each target is to be synced, and that decides.
func SyncTogether(v Volume, targets []Syncer) error {
	var drafts []Drafter
	for _, t := range targets {
		if d, ok := t.(Drafter); ok {
			drafts = append(drafts, d)
		}
	}
	for _, d := range drafts {
		if err := d.Draft(); err != nil {
			return err
		}
	}
	if err := v.Sync(); err != nil || len(drafts) == 0 {
		return err
	}
	for _, d := range drafts {
		if err := d.Place(); err != nil {
			return err
		}
	}
	return v.Sync()
}
