package node

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// A topic is made again in the directory that its predecessor's replica was moving to, and is still being called back from: what it deletes stays deleted.
func TestATopicMadeAgainWhereItsPredecessorWent(t *testing.T) {
	r := newDirsRig(t)
	r.create("t", 1)
	r.many("t", 0, 0, 50)
	r.rest()
	r.throttle("2000")
	r.moves("t", 0, "d/b")
	r.w.Run(500 * time.Millisecond)
	r.drop("t")
	r.alterDir("t", 0, "d/b") // where the new one is to be made
	r.create("t", 1)
	r.rest()
	r.spread("t", "one", 0)
	r.spread("t", "two", 0)
	r.deleteTo("t", 0, 1)
	r.w.Run(2 * time.Minute)
	wantCode(t, r.read("t", 0, 0).ErrorCode, kafka.ErrOffsetOutOfRange)
	r.kill()
	wantCode(t, r.read("t", 0, 0).ErrorCode, kafka.ErrOffsetOutOfRange)
}

// The same, when the copy has a recovery point, as after a clean stop: the new log opens.
func TestATopicMadeAgainWhereItsPredecessorHasARecoveryPoint(t *testing.T) {
	r := newDirsRig(t)
	r.create("t", 1)
	r.many("t", 0, 0, 100)
	r.rest()
	r.throttle("100000")
	r.moves("t", 0, "d/b")
	r.w.Run(3 * time.Second)
	r.restart()
	r.throttle("2000")
	r.w.Run(3 * time.Second)
	r.drop("t")
	r.alterDir("t", 0, "d/b")
	r.create("t", 1)
	r.rest()
	res := r.write("t", 0, plain("one"))
	if res.ErrorCode != 0 {
		t.Errorf("the new topic takes nothing: %v", kafka.ErrorCode(res.ErrorCode))
	}
}

// The same, when records were deleted of the predecessor: the new topic begins at 0.
func TestATopicMadeAgainBeginsAtZero(t *testing.T) {
	r := newDirsRig(t)
	r.create("t", 1, "segment.bytes", "1048576")
	r.many("t", 0, 0, 100)
	r.rest()
	r.deleteTo("t", 0, 40)
	r.throttle("2000")
	r.moves("t", 0, "d/b")
	r.w.Run(3 * time.Second)
	r.drop("t")
	r.alterDir("t", 0, "d/b")
	r.create("t", 1)
	r.rest()
	res := r.write("t", 0, plain("one"))
	if res.BaseOffset != 0 {
		t.Errorf("the first record is at %d", res.BaseOffset)
	}
}
