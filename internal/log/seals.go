package log

import (
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/log/segment"
)

// unseal holds segment i, which recovery is about to walk, against its seal if all of it was durable. Otherwise the seal goes: it
// may speak of records that a crash took. That is durable with the names, before anything is appended.
func (l *Log) unseal(i int) error {
	s := l.segments[i]
	if i == len(l.segments)-1 || l.segments[i+1].Base() > l.options.RecoveryPoint {
		return s.Unseal()
	}
	k, err := s.Look(l.mu.RLocker(), newWindow())
	if err != nil {
		return err
	}
	defer k.Release()
	return k.Unsealed(l.known)
}

// dropSeals forgets what the segments of a log were when somebody else has compacted it since. It is durable before this process
// compacts, so that the old seals never stand beside a checkpoint that is ours again.
func (l *Log) dropSeals(entries []disk.Entry) error {
	if l.options.Ledger == nil || !l.options.Ledger.Checkpointed(l.options.Partition).Reworked {
		return nil
	}
	dropped := false
	for _, e := range entries {
		if _, suffix, ok := segment.ParseName(e.Name); !ok || suffix != segment.SealSuffix {
			continue
		}
		if err := l.options.FS.Remove(l.options.Path + "/" + e.Name); err != nil {
			return fault.Storage("log.Open", err)
		}
		dropped = true
	}
	if !dropped {
		return nil
	}
	return dirOf(l).Sync()
}
