package partition

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/replica"
)

// TestAFailedFlushAcknowledgesNothing (S5): what waited for it is refused, and nothing of it is durable or committed.
func TestAFailedFlushAcknowledgesNothing(t *testing.T) {
	r := newRig(t, disk.NewMem(), replica.Synced, 1, self)
	faulty := disk.NewFaulty(r.fs)
	cfg := Config{Log: log.DefaultConfig(), MinISR: 1, Durability: replica.Synced}
	r.p = New(r.env, name, &cfg, 0, func(log.Config) (*log.Log, error) {
		return log.Open(log.Options{FS: faulty, Path: "d/t-1", Partition: name, Config: cfg.Log, Now: r.w.Now()})
	})
	r.lead(1, self)
	kept := r.append(-1, "a")
	r.w.Run(time.Second)
	if kept.Err != nil {
		t.Fatal(kept.Err)
	}
	faulty.Add(disk.Fault{Op: disk.OpSync, Err: disk.ErrIO})
	lost := r.append(-1, "b")
	r.w.Run(time.Second)
	code(t, lost.Err, kafka.ErrKafkaStorageError)
	if s := r.p.Standing(); len(r.failed) != 1 || s.Durable > 1 || s.High > 1 {
		t.Fatalf("after a flush that failed: %+v, and the owner has heard %v", s, r.failed)
	}
}
