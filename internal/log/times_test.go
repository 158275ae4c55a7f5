package log

import (
	"fmt"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// K4: the first record at or after a time, from any log start, in every life, against a scan.
func TestRecordsByTime(t *testing.T) {
	lifecycles(t, func(t *testing.T, r *rig, restart func()) {
		type rec struct {
			o  kafka.Offset
			ts int64
		}
		var all []rec
		for i := range 40 {
			b := record.NewBuilder(record.Plain())
			for j := range 1 + i%3 {
				ts := int64(1000 + (i*37+j*11)%200 + i*5)
				b.Append(ts, nil, fmt.Append(nil, "value ", i))
				all = append(all, rec{kafka.Offset(len(all)), ts})
			}
			must.Get(r.l.AppendAsLeader(r.now, must.Get(b.Build()), kafka.LeaderEpoch(i/10), Client))
		}
		r.flush()
		restart()
		for start := kafka.Offset(0); int(start) < len(all); start += 5 {
			must.OK(r.l.AdvanceStart(start))
			var most rec
			for _, c := range all[start:] {
				if c.ts > most.ts {
					most = c
				}
			}
			if got, ok, err := r.l.MaxTimestamp(); err != nil || !ok || got.Offset != most.o || got.TimestampMs != most.ts {
				t.Errorf("from %d: largest %+v, %v, %v, want %+v", start, got, ok, err, most)
			}
			for ts := int64(990); ts < 1420; ts += 7 {
				var want *rec
				for i, c := range all[start:] {
					if c.ts >= ts {
						want = &all[int(start)+i]
						break
					}
				}
				got, ok, err := r.l.OffsetForTimestamp(ts)
				if err != nil || ok != (want != nil) || ok && (got.Offset != want.o || got.TimestampMs != want.ts) {
					t.Fatalf("from %d: at %d: %+v, %v, %v, want %+v", start, ts, got, ok, err, want)
				}
				if ok && got.Epoch != r.l.EpochAt(got.Offset) {
					t.Fatalf("offset %d has epoch %d, the batch says %d", got.Offset, r.l.EpochAt(got.Offset), got.Epoch)
				}
			}
		}
	}, small)
}

func TestTimesOfAnEmptyLog(t *testing.T) {
	r := newRig(t)
	if _, ok, err := r.l.MaxTimestamp(); ok || err != nil {
		t.Errorf("largest of nothing: %v, %v", ok, err)
	}
	if _, ok, err := r.l.OffsetForTimestamp(0); ok || err != nil {
		t.Errorf("found in nothing: %v, %v", ok, err)
	}
	must.Get(r.l.AppendAsLeader(r.now, nobody.batch(-1, "without a time"), 0, Client))
	if _, ok, err := r.l.OffsetForTimestamp(0); ok || err != nil {
		t.Errorf("found a record without a time: %v, %v", ok, err)
	}
}

func TestLeaderEpochs(t *testing.T) {
	lifecycles(t, func(t *testing.T, r *rig, restart func()) {
		for _, step := range []struct {
			epoch kafka.LeaderEpoch
			n     int
		}{{0, 3}, {2, 4}, {5, 1}} {
			for range step.n {
				must.Get(r.l.AppendAsLeader(r.now, nobody.batch(1, "some value"), step.epoch, Client))
			}
		}
		r.flush()
		restart()
		for ask, want := range map[kafka.LeaderEpoch][2]int64{0: {0, 3}, 1: {0, 3}, 2: {2, 7}, 3: {2, 7}, 4: {2, 7}, 5: {5, 8}, 6: {-1, -1}, -1: {-1, -1}} {
			if e, end := r.l.EndOffsetForEpoch(ask); e != kafka.LeaderEpoch(want[0]) || end != kafka.Offset(want[1]) {
				t.Errorf("epoch %d: %d ends at %d, want %v", ask, e, end, want)
			}
		}
		for o, want := range map[kafka.Offset]kafka.LeaderEpoch{0: 0, 2: 0, 3: 2, 6: 2, 7: 5} {
			if got := r.l.EpochAt(o); got != want {
				t.Errorf("offset %d has epoch %d, want %d", o, got, want)
			}
		}
		must.OK(r.l.AdvanceStart(4))
		if e, end := r.l.EndOffsetForEpoch(0); e != 0 || end != 4 { // below all: the start of the first
			t.Errorf("epoch 0: %d ends at %d", e, end)
		}
	}, small)
}

// The epoch file is made again from the batches when it is lost or damaged, also below the recovery point.
func TestLostEpochFile(t *testing.T) {
	for _, how := range []string{"clean", "kill"} {
		for _, text := range []string{"", "0\n1\nx y\n", "0\n1\n"} {
			r := threes(t, 12)
			want := fmt.Sprint(r.l.Epochs().Entries())
			r.flush()
			r.checkpointed()
			if how == "clean" {
				must.OK(r.l.Close(r.now))
				end := map[kafka.TopicPartition]kafka.Offset{tp: 36}
				must.OK(r.dir.CloseClean(1, end, end))
			} else {
				r.mem = r.mem.Killed()
			}
			if text == "" {
				must.OK(r.mem.Remove(root + "/t-0/leader-epoch-checkpoint"))
			} else {
				r.overwrite("leader-epoch-checkpoint", []byte(text))
			}
			r.open()
			if got := fmt.Sprint(r.l.Epochs().Entries()); got != want {
				t.Errorf("%s, %q: epochs %v, want %v", how, text, got, want)
			}
			r.offsets(0, 36, 36, 36)
		}
	}
}

// An epoch that no flush has written and a recovery has found is on disk before the recovery point may pass it.
func TestEpochFoundByRecoveryIsKept(t *testing.T) {
	r := newRig(t)
	must.Get(r.l.AppendAsLeader(r.now, nobody.batch(1, "a"), 0, Client))
	r.flush()
	must.Get(r.l.AppendAsLeader(r.now, nobody.batch(1, "b"), 4, Client))
	r.restart("kill")
	r.checkpointed()
	r.now = r.now.Add(1000 * time.Hour)
	must.OK(r.l.roll(r.now, r.l.end))
	r.restart("kill")
	if e, end := r.l.EndOffsetForEpoch(0); e != 0 || end != 1 {
		t.Errorf("epoch 0: %d ends at %d", e, end)
	}
}
