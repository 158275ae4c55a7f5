package upkeep

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/storage"
)

// checkpoint writes the high watermarks, or the recovery points, of the logs that are open.
func (u *Upkeep) checkpoint(recovery bool) error {
	for _, v := range u.o.Storage.Serving() {
		save := v.Dir.CheckpointHighWatermarks
		if recovery {
			save = v.Dir.CheckpointRecoveryPoints
		}
		err := save(func() checkpoint.Offsets { return u.points(v, recovery) })
		switch {
		case err == nil || fault.IsKind(err, fault.Full) || v.Offline() != nil:
		case fault.IsKind(err, fault.Disk):
			u.o.Storage.Lose(v, err)
		default:
			return err
		}
	}
	return nil
}

// points collects what is to be checkpointed of the logs of a directory.
func (u *Upkeep) points(v *storage.Volume, recovery bool) checkpoint.Offsets {
	out := checkpoint.Offsets{}
	for _, p := range u.o.Replicas.All() {
		if u.o.Storage.Of(p) != v {
			continue
		}
		s := p.Standing()
		if mutant.On(mutant.RecoveryPointAhead) {
			s.Durable = s.End
		}
		switch {
		case !s.Open:
		case recovery:
			out[p.Name()] = s.Durable
		default:
			out[p.Name()] = s.High
		}
	}
	for _, c := range u.o.Storage.Copies(v) {
		if recovery && c.Durable > 0 {
			out[c.Name] = c.Durable
		}
	}
	return out
}
