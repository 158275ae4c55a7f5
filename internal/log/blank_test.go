package log

import (
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/must"
)

// directories counts what stands in the log directory for partitions.
func (r *rig) directories() (n int) {
	r.t.Helper()
	return len(must.Get(r.dir.Partitions()))
}

func TestALogThatNobodyWroteHasNoFiles(t *testing.T) {
	r := newRig(t)
	var rec *disk.Recording
	r.around = func(fsys disk.FS) disk.FS { rec = disk.NewRecording(fsys); return rec }
	for _, how := range []string{"clean", "kill", "power"} {
		r.restart(how)
		rec.Reset()
		o := r.l.Offsets()
		if o.End != 0 || o.LogStart != 0 || o.Durable != 0 || r.l.Size() != 0 {
			t.Errorf("%+v", o)
		}
		s, err := r.l.Read(0, ReadOptions{MaxBytes: 100, MinOne: true, Upper: 0})
		if err != nil || s.Len != 0 {
			t.Errorf("%+v, %v", s, err)
		}
		_, err = r.l.Read(1, ReadOptions{MaxBytes: 100})
		r.code(err, kafka.ErrOffsetOutOfRange)
		if _, ok, err := r.l.OffsetForTimestamp(0); ok || err != nil {
			t.Errorf("a timestamp: %v, %v", ok, err)
		}
		if _, ok, err := r.l.MaxTimestamp(); ok || err != nil {
			t.Errorf("the largest timestamp: %v, %v", ok, err)
		}
		if aborted, err := r.l.AbortedTransactions(0, 0); len(aborted) > 0 || err != nil {
			t.Errorf("aborted transactions: %v, %v", aborted, err)
		}
		if e, end := r.l.EndOffsetForEpoch(0); e != kafka.NoLeaderEpoch || end != kafka.NoOffset {
			t.Errorf("epoch 0: %d, %d", e, end)
		}
		if n, err := r.l.Retain(r.now, 0); n != 0 || err != nil {
			t.Errorf("retention: %d, %v", n, err)
		}
		must.OK(r.l.MaybeRoll(r.now))
		must.OK(r.l.TruncateTo(0))
		must.OK(r.l.AdvanceStart(0))
		r.code(r.l.AdvanceStart(1), kafka.ErrOffsetOutOfRange)
		r.flush()
		if calls := rec.Calls(disk.OpWrite, disk.OpSync, disk.OpMkdirAll, disk.OpSyncDir, disk.OpRename); len(calls) > 0 {
			t.Errorf("%s: touched the disk:\n%s", how, disk.Script(calls))
		}
		if n := r.directories(); n != 0 {
			t.Errorf("%d directories", n)
		}
	}
}

func TestABlankLogBeginsWithItsFirstRecord(t *testing.T) {
	r := newRig(t)
	r.restart("clean")
	r.put("a")
	r.flush()
	r.restart("power")
	if o := r.l.Offsets(); o.End != 1 || r.directories() != 1 {
		t.Errorf("%+v", o)
	}
}

func TestABlankLogIsMovedAndDeleted(t *testing.T) {
	r := newRig(t)
	must.OK(r.l.TruncateFullyAndStartAt(7))
	r.put("a")
	r.flush()
	r.restart("power")
	if o := r.l.Offsets(); o.LogStart != 7 || o.End != 8 {
		t.Errorf("%+v", o)
	}
	must.OK(r.l.Delete())
	must.OK(r.tryOpen())
	must.OK(r.l.Delete())
	must.OK(r.tryOpen())
	if o := r.l.Offsets(); o.LogStart != 0 || o.End != 0 || r.directories() != 0 {
		t.Errorf("another log of the name begins at %+v", o)
	}
}

// A directory that is gone although records in it were durable is no blank log.
func TestALostDirectoryIsNotBlank(t *testing.T) {
	r := newRig(t)
	r.put("a")
	r.flush()
	must.OK(r.dir.SaveRecoveryPoints(checkpoint.Offsets{tp: 1}))
	must.OK(r.mem.RemoveAll(root + "/t-0"))
	r.mem = r.mem.Killed()
	r.openDir()
	if err := r.tryOpen(); err == nil {
		t.Errorf("opened at %+v", r.l.Offsets())
	}
}
