package log

import (
	"fmt"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// TestWhatAFailedSyncLeftIsNotDurableByBeingRead: a sync fails, the process ends, and the next one finds everything in memory. What
// it calls durable then is there after a power cut. So is what was durable before, and the log's own small files.
func TestWhatAFailedSyncLeftIsNotDurableByBeingRead(t *testing.T) {
	for _, saved := range []bool{false, true} {
		for _, settled := range []bool{false, true} {
			for _, before := range []int{0, 1, 9} {
				t.Run(fmt.Sprintf("saved=%v/settled=%v/%d", saved, settled, before), func(t *testing.T) {
					failedSync(t, saved, settled, before)
				})
			}
		}
	}
}

func failedSync(t *testing.T, saved, settled bool, before int) {
	var faulty *disk.Faulty
	r := newRig(t, small)
	r.around = func(inner disk.FS) disk.FS { faulty = disk.NewFaulty(inner); return faulty }
	r.restart("clean")
	pid := sender{id: 7}
	write := func(from, to int) {
		for i := from; i < to; i++ {
			must.Get(r.l.AppendAsLeader(r.now, pid.at(int32(i)).batch(r.now.WallMs, "some value"), 3, Client))
		}
	}
	write(0, before)
	r.flush()
	if saved {
		r.checkpointed()
	}
	write(before, before+9) // over segments
	faulty.Add(disk.Fault{Op: disk.OpSync, Err: disk.ErrIO})
	targets, _ := r.l.Dirty()
	failed := 0
	for _, y := range targets {
		if y.Sync() != nil {
			failed++
		}
	}
	if failed < 4 { // the segments', at least
		t.Fatalf("%d of %d syncs failed", failed, len(targets))
	}
	r.l.Abandon()
	r.mem = r.mem.Killed()
	r.openDir()
	if settled {
		SyncVolume(r.dir)
	}
	must.OK(r.tryOpen())
	found, durable := r.l.Offsets().End, r.l.Offsets().Durable
	if found != kafka.Offset(before+9) || durable != found {
		t.Fatalf("found up to %d, durable up to %d", found, durable)
	}
	r.checkpointed()
	r.restart("power")
	if end := r.l.Offsets().End; end != durable {
		t.Errorf("%d was durable, and after a power cut the log ends at %d", durable, end)
	}
	if n := len(r.values(0)); n != before+9 {
		t.Errorf("%d records are there", n)
	}
	if p := r.l.Producers(); len(p) != 1 || p[0].LastSequence() != int32(before+8) {
		t.Errorf("producers: %+v", p)
	}
	if id, known, err := r.dir.TopicID(PartitionDir{Name: tp.String(), Partition: tp}); err != nil || !known || id != topicID {
		t.Errorf("topic id %v, %v, %v", id, known, err)
	}
}
