package log

import (
	"fmt"
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/epoch"
	"github.com/milena-io/milena/internal/must"
)

// threes is a log of batches of three records in several segments, epochs changing every four batches.
func threes(t *testing.T, n int) *rig {
	r := newRig(t, small)
	s := sender{id: 5}
	for i := range n {
		b := s.at(int32(3*i)).batch(r.now.WallMs+int64(i), fmt.Sprintf("a%02d", i), fmt.Sprintf("b%02d", i), fmt.Sprintf("c%02d", i))
		must.Get(r.l.AppendAsLeader(r.now, b, kafka.LeaderEpoch(i/4), Client))
	}
	return r
}

func TestTruncateEverywhere(t *testing.T) {
	whole := threes(t, 12).bytes(0)
	for to := kafka.Offset(0); to <= 37; to++ {
		for _, how := range []string{"", "kill", "power", "clean"} {
			r := threes(t, 12)
			r.flush()
			r.checkpointed()
			if to%2 == 0 {
				r.restart("clean")
			}
			if err := r.l.TruncateTo(to); err != nil {
				t.Fatal(err)
			}
			end := min(to/3*3, 36)
			check := func() {
				t.Helper()
				r.offsets(0, end, end, end)
				equalBytes(t, "after truncation", r.bytes(0), whole[:len(whole)*int(end)/36])
				wantEpochs := (int(end) + 11) / 12
				if e := r.l.Epochs().Entries(); len(e) != wantEpochs {
					t.Fatalf("cut at %d, %s: epochs %v", to, how, e)
				}
				if p := r.l.Producers(); end > 0 && (len(p) != 1 || p[0].LastSequence() != int32(end)-1) || end == 0 && len(p) != 0 {
					t.Fatalf("cut at %d, %s: producers %+v", to, how, p)
				}
			}
			check()
			if how != "" {
				r.restart(how)
				check()
			}
			b := nobody.batch(r.now.WallMs, "other")
			must.Get(r.l.AppendAsLeader(r.now, b, 9, Client))
			if e, _ := r.l.EndOffsetForEpoch(9); e != 9 {
				t.Fatalf("cut at %d: epoch %d", to, e)
			}
			r.flush()
			r.restart("power")
			r.offsets(0, end+1, end+1, end+1)
			if got := r.values(end); !slices.Equal(got, []string{fmt.Sprintf("%d=other", end)}) {
				t.Fatalf("cut at %d, %s: read %v", to, how, got)
			}
		}
	}
}

func TestTruncateFully(t *testing.T) {
	for _, at := range []kafka.Offset{0, 7, 36, 1000} {
		for _, how := range []string{"kill", "power", "clean"} {
			r := threes(t, 12)
			r.flush()
			r.checkpointed()
			must.OK(r.l.TruncateFullyAndStartAt(at))
			r.offsets(at, at, at, at)
			r.restart(how)
			r.offsets(at, at, at, at)
			if len(r.l.Producers()) != 0 || len(r.l.Epochs().Entries()) != 0 {
				t.Errorf("producers %v, epochs %v", r.l.Producers(), r.l.Epochs().Entries())
			}
			r.put("x")
			r.flush()
			r.restart("power")
			if got := r.values(at); !slices.Equal(got, []string{fmt.Sprintf("%d=x", at)}) {
				t.Errorf("read %v", got)
			}
		}
	}
}

func TestTruncateBelowTheLogStart(t *testing.T) {
	r := threes(t, 12)
	r.flush()
	must.OK(r.l.AdvanceStart(20))
	must.OK(r.l.TruncateTo(15))
	r.offsets(15, 15, 15, 15)
	r.restart("kill")
	r.offsets(15, 15, 15, 15)
	must.OK(r.l.AdvanceStart(15))
	must.Get(r.l.Retain(r.now, 15))
	first := r.l.segments[0].Base()
	if first == 0 {
		t.Fatal("no segment went")
	}
	must.OK(r.l.TruncateTo(first - 1))
	r.offsets(first-1, first-1, first-1, first-1)
}

// A crash after any call of a truncation leaves a log that opens, with a prefix of what there was that has all that stays.
func TestCrashInATruncation(t *testing.T) {
	for _, c := range []struct {
		op    func(l *Log) error
		stays kafka.Offset
	}{
		{func(l *Log) error { return l.TruncateTo(7) }, 6},
		{func(l *Log) error { return l.TruncateTo(0) }, 0},
		{func(l *Log) error { return l.TruncateFullyAndStartAt(50) }, 0},
		{func(l *Log) error { return l.TruncateFullyAndStartAt(2) }, 0},
	} {
		for skip := 0; ; skip++ {
			var faulty *disk.Faulty
			r := threes(t, 12)
			whole := r.bytes(0)
			r.flush()
			r.checkpointed()
			r.around = func(f disk.FS) disk.FS { faulty = disk.NewFaulty(f); return faulty }
			r.restart("kill")
			faulty.Add(disk.Fault{Skip: skip, Err: disk.ErrIO})
			done := c.op(r.l) == nil
			r.around = nil
			r.restart("power")
			o := r.l.Offsets()
			if o.End < c.stays {
				t.Fatalf("call %d: the log ends at %d", skip, o.End)
			}
			if got := r.bytes(o.LogStart); o.LogStart == 0 {
				equalBytes(t, "after the crash", got, whole[:len(got)])
			} else if o.LogStart != o.End {
				t.Fatalf("call %d: %+v", skip, o)
			}
			r.put("goes on")
			r.flush()
			r.restart("power")
			if done {
				break
			}
		}
	}
}

// A follower whose log diverged begins anew at its leader's log start, with records of an older epoch than those it had. What the file
// of the epochs tells until the next flush is of the log that is gone.
func TestALogBegunAnewHasItsOwnEpochs(t *testing.T) {
	for _, how := range []string{"kill", "power", "clean"} {
		r := threes(t, 12)
		r.flush()
		r.checkpointed()
		must.OK(r.l.TruncateFullyAndStartAt(50))
		b := nobody.batch(r.now.WallMs, "of the leader")
		b.SetBaseOffset(50)
		b.SetLeaderEpoch(1)
		must.Get(r.l.AppendAsFollower(r.now, b))
		r.flush()
		r.restart(how)
		r.offsets(50, 51, 51, 51)
		if e := r.l.Epochs().Entries(); !slices.Equal(e, []epoch.Entry{{Epoch: 1, Start: 50}}) {
			t.Errorf("%s: epochs %v", how, e)
		}
	}
}
