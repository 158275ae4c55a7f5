package log

import (
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/must"
)

// A checkpoint is collected from logs that go on meanwhile: what it says of one that was truncated or deleted since would
// be believed of records that are not there, or of another log of the same name.
func TestCheckpointLeavesOutWhatMovedMeanwhile(t *testing.T) {
	for name, move := range map[string]func(r *rig){
		"truncated": func(r *rig) { must.OK(r.l.TruncateTo(3)) },
		"emptied":   func(r *rig) { must.OK(r.l.TruncateFullyAndStartAt(1)) },
		"deleted":   func(r *rig) { must.OK(r.l.Delete()) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			for range 9 {
				r.put("x")
			}
			r.flush()
			other := kafka.TopicPartition{Topic: "other"}
			collect := func() checkpoint.Offsets {
				found := checkpoint.Offsets{tp: r.l.Offsets().Durable, other: 5}
				move(r)
				return found
			}
			must.OK(r.dir.CheckpointRecoveryPoints(collect))
			if c := r.dir.Checkpointed(tp); c.RecoveryPoint > r.l.Offsets().End || c.RecoveryPoint == 9 {
				t.Errorf("the recovery point is %d", c.RecoveryPoint)
			}
			if c := r.dir.Checkpointed(other); c.RecoveryPoint != 5 {
				t.Errorf("another log's recovery point is %d", c.RecoveryPoint)
			}
		})
	}
}

// A log start that was planned of a log is not saved of the one that has its name by then.
func TestPlannedStartOfADeletedLogIsDropped(t *testing.T) {
	r := newRig(t)
	for range 9 {
		r.put("x")
	}
	r.flush()
	s := must.Get(r.l.NewStart(5))
	must.OK(r.l.Delete())
	must.OK(s.Sync()) // no failure of the disk
	if c := r.dir.Checkpointed(tp); c.LogStart != 0 {
		t.Errorf("the log start %d of a deleted log is on disk", c.LogStart)
	}
	if err := r.l.MoveStart(s); err == nil {
		t.Error("the start counts all the same")
	}
}

// A negative producer id is none, as in Kafka, and leaves no trace among the producers that a snapshot keeps.
func TestNegativeProducerIDIsNone(t *testing.T) {
	r := newRig(t, small)
	honest := sender{id: 7}
	for i := int32(0); i < 5; i++ {
		r.send(honest.at(i), "honest")
	}
	r.send(sender{id: -5}, "forged")
	for range 20 {
		r.put("a value that fills the small segments of this test")
	}
	r.flush()
	must.OK(r.l.AdvanceStart(r.l.Offsets().End - 1))
	if n := must.Get(r.l.Retain(r.now, r.l.Offsets().End)); n == 0 {
		t.Fatal("nothing was removed")
	}
	r.restart("clean")
	if a := r.send(honest.at(4), "honest"); !a.Duplicate {
		t.Errorf("the retry of an acknowledged batch is appended again: %+v", a)
	}
	if n := len(r.l.Producers()); n != 1 || r.l.Recovered.Replayed > 0 {
		t.Errorf("%d producers, %+v", n, r.l.Recovered)
	}
}

// Who still holds a deleted log reads nothing of the log that has its name now.
func TestDeletedLogIsNotReadByItsName(t *testing.T) {
	r := newRig(t)
	r.put("old")
	r.flush()
	old := r.l
	must.OK(old.Delete())
	o := r.dir.Options(tp, r.cfg, r.now)
	o.TopicID = kafka.TopicID{7}
	r.l = must.Get(Open(o))
	r.put("of another topic")
	s, err := old.Read(0, ReadOptions{MaxBytes: 1 << 20, MinOne: true, Upper: 1})
	if err != nil {
		return
	}
	defer s.Release()
	if b, err := s.AppendTo(nil); err == nil && strings.Contains(string(b), "another") {
		t.Errorf("the deleted log reads %q", b)
	}
}
