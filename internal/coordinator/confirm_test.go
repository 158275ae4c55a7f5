package coordinator

import (
	"errors"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/classic"
)

func fetchAll() *group.FetchOffsets { return &group.FetchOffsets{Group: "g", All: true} }

// asking is a rig with an offset of 7, whose tape confirms nothing by itself.
func asking(t *testing.T) *rig {
	r := newRig(t).loaded()
	r.get(commit(7)).want(t, kafka.ErrNone)
	r.tape.asks = true
	return r
}

// confirm answers the one question that is under way.
func (r *rig) confirm(err error) {
	r.t.Helper()
	if len(r.tape.asked) != 1 {
		r.t.Fatalf("%d questions are under way", len(r.tape.asked))
	}
	done := r.tape.asked[0]
	r.tape.asked = nil
	done(err)
}

// G3: what is committed is told only once nobody can have committed anything else; one question is for all who came before it.
func TestCommittedOffsetsAreConfirmed(t *testing.T) {
	r := asking(t)
	first := r.do(fetchAll())
	second, third := r.do(fetchAll()), r.do(fetchAll())
	r.w.Run(time.Minute)
	if first.times+second.times+third.times != 0 {
		t.Fatal("answered without being confirmed")
	}
	r.confirm(nil)
	if first.want(t, kafka.ErrNone); first.reply.(group.FetchReply).Offsets[0].Offset != 7 {
		t.Errorf("%+v", first.reply)
	}
	if second.times+third.times != 0 {
		t.Fatal("who came after the question was asked is answered by it")
	}
	r.confirm(nil)
	second.want(t, kafka.ErrNone)
	third.want(t, kafka.ErrNone)
	r.get(&group.Describe{Group: "g"}).want(t, kafka.ErrNone) // everything else needs none
	r.do(commit(8))
	r.w.Run(time.Second)
	if len(r.tape.asked) != 0 {
		t.Error("a commit is confirmed by being committed")
	}
}

// G2: a member that comes back hears of a stable group's generation without anything being written.
func TestGenerationsAreConfirmed(t *testing.T) {
	r := newRig(t).loaded()
	generation := r.stable("m")
	r.tape.asks = true
	back := joining("")
	back.MemberID = "m"
	for _, ask := range []group.Command{back, &classic.Sync{Group: "g", MemberID: "m", Generation: generation}} {
		a := r.do(ask)
		if r.w.Run(time.Second); a.times != 0 {
			t.Fatalf("%T is answered without being confirmed", ask)
		}
		r.confirm(fault.New("test", kafka.ErrFencedLeaderEpoch, "somebody else leads"))
		a.want(t, kafka.ErrNotCoordinator)
	}
}

func TestACoordinatorThatWasSucceededTellsNothing(t *testing.T) {
	for _, code := range []kafka.ErrorCode{kafka.ErrFencedLeaderEpoch, kafka.ErrNotLeaderOrFollower} {
		r := asking(t)
		first, second := r.do(fetchAll()), r.do(fetchAll())
		r.confirm(fault.New("test", code, "somebody else leads"))
		first.want(t, kafka.ErrNotCoordinator)
		second.want(t, kafka.ErrNotCoordinator)
	}
	r := asking(t)
	a := r.do(fetchAll())
	r.c.Resigned(0, r.tape.epoch+1)
	a.want(t, kafka.ErrNotCoordinator)
	r.confirm(nil) // too late
	a.want(t, kafka.ErrNotCoordinator)
}

// Where nobody can tell, a fetch waits as long as a commit would, and others are asked again.
func TestAQuestionThatNobodyAnswersIsAskedAgain(t *testing.T) {
	r := asking(t)
	a := r.do(fetchAll())
	for range 3 {
		r.confirm(errors.New("no answer"))
		if r.w.Run(confirmPause); a.times != 0 {
			t.Fatal("answered")
		}
	}
	r.confirm(nil)
	a.want(t, kafka.ErrNone)
	a = r.do(fetchAll())
	for range int(r.c.env.CommitTimeout/confirmPause) + 1 {
		if a.times == 0 {
			r.confirm(errors.New("no answer"))
			r.w.Run(confirmPause)
		}
	}
	a.want(t, kafka.ErrCoordinatorNotAvailable)
	if len(r.tape.asked) != 0 {
		t.Error("asked for nobody")
	}
}
