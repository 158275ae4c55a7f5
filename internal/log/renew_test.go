package log

import (
	"fmt"
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
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

// TestACutWhoseSyncFailedStaysCut: the old end of a log that was truncated, or the rest of what was allocated for a segment that
// was sealed, is behind nothing that a later process makes durable.
func TestACutWhoseSyncFailedStaysCut(t *testing.T) {
	for _, settled := range []bool{false, true} {
		for _, cut := range []string{"truncated", "sealed"} {
			t.Run(fmt.Sprintf("%s/settled=%v", cut, settled), func(t *testing.T) { failedCut(t, cut, settled) })
		}
	}
}

func failedCut(t *testing.T, cut string, settled bool) {
	var faulty *disk.Faulty
	r := newRig(t, small, func(c *Config) { c.Roll.Preallocate = true })
	r.around = func(inner disk.FS) disk.FS { faulty = disk.NewFaulty(inner); return faulty }
	r.restart("clean")
	write := func(n int, value string) {
		for range n {
			must.Get(r.l.AppendAsLeader(r.now, sender{id: kafka.NoProducerID}.at(0).batch(r.now.WallMs, value), 3, Client))
		}
	}
	write(4, "some value")
	r.flush()
	failed := 0
	if cut == "truncated" {
		faulty.Add(disk.Fault{Op: disk.OpSync, Err: disk.ErrIO})
		if r.l.TruncateTo(1) != nil {
			failed++
		}
	} else {
		write(9, "some value")
		faulty.Add(disk.Fault{Op: disk.OpSync, Err: disk.ErrIO})
		targets, _ := r.l.Dirty()
		for _, y := range targets {
			if y.Sync() != nil {
				failed++
			}
		}
	}
	if failed == 0 {
		t.Fatal("no sync failed")
	}
	r.l.Abandon()
	r.mem = r.mem.Killed()
	r.openDir()
	if settled {
		SyncVolume(r.dir)
	}
	must.OK(r.tryOpen())
	write(1, "other val.")
	r.flush()
	want, sizes := r.values(0), sealedSizes(r)
	r.checkpointed()
	r.restart("power")
	if have := r.values(0); !slices.Equal(have, want) {
		t.Errorf("after the power cut %q, before it %q", have, want)
	}
	if have := sealedSizes(r); !slices.Equal(have, sizes) {
		t.Errorf("after the power cut the sealed files have %d bytes, before it %d", have, sizes)
	}
}

func sealedSizes(r *rig) (all []int64) {
	for _, s := range r.l.segments[:len(r.l.segments)-1] {
		all = append(all, must.Get(r.mem.Stat(s.Path(segment.LogSuffix))).Size)
	}
	return all
}
