package coordinator

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
)

// What the image said was deleted is tried again when its tombstones could not be written, as everything that is due.
func TestTopicsDeletedIsTriedAgain(t *testing.T) {
	for _, code := range []kafka.ErrorCode{kafka.ErrNotEnoughReplicas, kafka.ErrNotEnoughReplicasAfterAppend} {
		r := newRig(t).loaded()
		r.get(commit(1)).want(t, kafka.ErrNone)
		r.tape.refuse = fault.New("tape", code, "no")
		r.c.TopicsDeleted([]group.DeletedTopic{{Name: "t"}})
		r.w.Run(time.Second)
		r.tape.refuse = nil
		r.w.Run(10 * time.Second)
		r.loaded()
		r.w.Run(time.Minute)
		if got := r.committed(); got != -1 {
			t.Errorf("%v: offset %d of a deleted topic", code, got)
		}
	}
}

// So it is when the same node leads in a newer epoch by then: the deletion is told once.
func TestTopicsDeletedIsTriedAgainInTheNextEpoch(t *testing.T) {
	r := newRig(t).loaded()
	r.get(commit(1)).want(t, kafka.ErrNone)
	r.tape.refuse = fault.New("tape", kafka.ErrNotEnoughReplicas, "no")
	r.c.TopicsDeleted([]group.DeletedTopic{{Name: "t"}})
	r.w.Run(time.Second)
	r.tape.refuse = nil
	r.tape.epoch++
	r.c.Elected(0, r.tape.epoch, tapeLog{r.tape, r.proc.Alive})
	r.w.Run(10 * time.Second)
	r.loaded()
	r.w.Run(time.Minute)
	if got := r.committed(); got != -1 {
		t.Errorf("offset %d of a deleted topic", got)
	}
}
