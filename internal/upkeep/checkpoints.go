package upkeep

import (
	"maps"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/storage"
)

// epochsAtOnce is of how many logs of a directory the leader epochs are saved before one checkpoint. When a node fails, as many logs as it
// led begin an epoch at once, and who writes to them is not to wait for all their files.
const epochsAtOnce = 64

// saveEpochs saves the leader epochs for which recovery points wait, of some logs: the next checkpoint goes on.
func (u *Upkeep) saveEpochs(v *storage.Volume) error {
	left := epochsAtOnce
	for _, p := range u.in(v) {
		saved, err := partition.SaveEpochs(p)
		if err != nil {
			return err
		}
		if saved {
			left--
		}
		if left == 0 {
			break
		}
	}
	return nil
}

// checkpoint writes the high watermarks, or the recovery points, of the logs of a directory that are open.
func (u *Upkeep) checkpoint(v *storage.Volume, recovery bool) error {
	save := v.Dir.CheckpointHighWatermarks
	var err error
	if recovery {
		save, err = v.Dir.CheckpointRecoveryPoints, u.saveEpochs(v)
	}
	if err == nil {
		err = save(func() checkpoint.Offsets { return u.points(v, recovery) })
	}
	switch {
	case err == nil || fault.IsKind(err, fault.Full) || v.Offline() != nil:
	case fault.IsKind(err, fault.Disk):
		u.o.Storage.Lose(v, err)
	default:
		return err
	}
	return nil
}

// points collects what is to be checkpointed of the logs of a directory.
func (u *Upkeep) points(v *storage.Volume, recovery bool) checkpoint.Offsets {
	out := checkpoint.Offsets{}
	for _, p := range u.in(v) {
		s := p.Standing()
		if mutant.On(mutant.RecoveryPointAhead) {
			s.Recovery = s.End
		}
		switch {
		case !s.Open:
		case recovery:
			out[p.Name()] = s.Recovery
		default:
			out[p.Name()] = s.High
		}
	}
	if recovery {
		maps.Copy(out, v.Recoveries())
	}
	return out
}
