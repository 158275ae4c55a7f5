package log

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/must"
)

// Point 8 of the places where clones go wrong, and T6: the last five batches are recognised in every life of the log.
func TestRetriesAreRecognisedAcrossRestarts(t *testing.T) {
	for _, how := range []string{"", "kill", "clean", "roll", "power", "clean then kill", "roll then clean"} {
		t.Run(how, func(t *testing.T) {
			r := newRig(t)
			a, b := sender{id: 7, epoch: 3}, sender{id: 9, epoch: 0}
			var sent []Appended
			for i := range int32(8) {
				sent = append(sent, r.send(a.at(2*i), "x", "y"))
				r.send(b.at(i), "z")
			}
			r.flush()
			switch how {
			case "":
			case "clean then kill":
				r.restart("clean")
				r.restart("kill")
			case "roll then clean":
				r.restart("roll")
				r.put("in the next segment")
				r.restart("clean")
			default:
				r.restart(how)
			}
			end := r.l.Offsets().End
			for i := range int32(8) {
				got, err := r.try(a.at(2*i), Client, "x", "y")
				if i < 3 { // forgotten: the sixth from the end and older
					r.code(err, kafka.ErrOutOfOrderSequenceNumber)
					continue
				}
				want := sent[i]
				if err != nil || !got.Duplicate || got.Base != want.Base || got.Last != want.Last || got.TimestampMs != r.now.WallMs+1 {
					t.Errorf("retry %d: %+v, %v, want %+v", i, got, err, want)
				}
			}
			if got := r.l.Offsets().End; got != end {
				t.Errorf("retries moved the end from %d to %d", end, got)
			}
			_, err := r.try(a.at(17), Client, "gap")
			r.code(err, kafka.ErrOutOfOrderSequenceNumber)
			_, err = r.try(a.at(14), Client, "other length than the original's")
			r.code(err, kafka.ErrOutOfOrderSequenceNumber)
			r.send(a.at(16), "next")
			if !r.send(b.at(7), "z").Duplicate {
				t.Error("the other producer's last batch was forgotten")
			}
		})
	}
}

func TestSequenceWraps(t *testing.T) {
	for _, how := range []string{"", "kill", "clean", "roll"} {
		r := newRig(t)
		s := sender{id: 1, epoch: 0, seq: math.MaxInt32 - 1}
		first := r.send(s, "a", "b", "c") // 2147483646, 2147483647, 0
		if how != "" {
			r.restart(how)
		}
		again := r.send(s, "a", "b", "c")
		if !again.Duplicate || again.Base != first.Base || again.Last != first.Last {
			t.Errorf("%s: retry over the wrap: %+v", how, again)
		}
		r.send(s.at(1), "d")
		_, err := r.try(s.at(math.MaxInt32), Client, "e")
		r.code(err, kafka.ErrOutOfOrderSequenceNumber)
		if p := r.l.Producers(); len(p) != 1 || p[0].LastSequence() != 1 {
			t.Errorf("%s: producers %+v", how, p)
		}
		r = newRig(t)
		r.send(s.at(math.MaxInt32), "a")
		if how != "" {
			r.restart(how)
		}
		r.send(s.at(0), "b") // the one after the largest
	}
}

func TestEpochBump(t *testing.T) {
	for _, how := range []string{"", "kill", "clean", "roll"} {
		r := newRig(t)
		s := sender{id: 1, epoch: 4}
		r.send(s.at(0), "a")
		r.send(s.at(1), "b")
		if how != "" {
			r.restart(how)
		}
		bumped := sender{id: 1, epoch: 5}
		_, err := r.try(bumped.at(2), Client, "an epoch begins with sequence 0")
		r.code(err, kafka.ErrOutOfOrderSequenceNumber)
		_, err = r.try(sender{id: 1, epoch: 3}, Client, "x")
		r.code(err, kafka.ErrInvalidProducerEpoch)
		r.send(bumped.at(0), "c")
		if how != "" {
			r.restart(how)
		}
		_, err = r.try(s.at(1), Client, "b")
		r.code(err, kafka.ErrInvalidProducerEpoch)
		if !r.send(bumped.at(0), "c").Duplicate {
			t.Errorf("%s: retry in the new epoch not recognised", how)
		}
	}
}

// KIP-360: of a producer that nothing is known of, any sequence begins.
func TestUnknownProducerBeginsAnywhere(t *testing.T) {
	r := newRig(t)
	r.send(sender{id: 5, epoch: 2, seq: 1234}, "a")
	_, err := r.try(sender{id: 5, epoch: 2, seq: 1236}, Client, "b")
	r.code(err, kafka.ErrOutOfOrderSequenceNumber)
	r.send(sender{id: 5, epoch: 2, seq: 1235}, "b")
}

func TestProducersExpire(t *testing.T) {
	for _, how := range []string{"", "clean", "kill"} {
		r := newRig(t, func(c *Config) { c.ProducerExpirationMs = 1000; c.Keep.RetentionMs = -1 })
		idle, busy, open := sender{id: 1}, sender{id: 2}, sender{id: 3, txn: true}
		r.send(idle, "a")
		r.send(open, "b")
		r.now = r.now.Add(999 * time.Millisecond)
		r.send(busy, "c")
		must.Get(r.l.Retain(r.now, r.l.end))
		if n := len(r.l.Producers()); n != 3 {
			t.Fatalf("%d producers before the time is over", n)
		}
		r.now = r.now.Add(2 * time.Millisecond)
		if how != "" {
			r.restart(how)
		} else {
			must.Get(r.l.Retain(r.now, r.l.end))
		}
		var ids []kafka.ProducerID
		for _, p := range r.l.Producers() {
			ids = append(ids, p.ID)
		}
		want := "[2 3]"
		if how == "kill" { // a replay hears of everybody again
			want = "[1 2 3]"
		}
		if got := fmt.Sprint(ids); got != want {
			t.Errorf("%s: producers %v, want %v", how, got, want)
		}
	}
}

// A snapshot without its history, as Kafka leaves it, still recognises the last batch; with a damaged snapshot the one
// before it and a longer replay recognise all five.
func TestDamagedSnapshots(t *testing.T) {
	setup := func(t *testing.T) (*rig, sender) {
		r := newRig(t, small)
		s := sender{id: 7}
		for i := range int32(12) {
			r.send(s.at(i), "some value")
		}
		r.restart("clean")
		must.OK(r.l.Close(r.now)) // opened and closed again: nothing changes
		end := map[kafka.TopicPartition]kafka.Offset{tp: 12}
		must.OK(r.dir.CloseClean(1, end, end))
		return r, s
	}
	r, s := setup(t)
	must.OK(r.mem.Remove(root + "/t-0/" + segment.Name(12, segment.HistorySuffix)))
	r.open()
	_, err := r.try(s.at(10), Client, "some value")
	r.code(err, kafka.ErrOutOfOrderSequenceNumber)
	if !r.send(s.at(11), "some value").Duplicate {
		t.Error("the snapshot's own batch was forgotten")
	}
	for _, suffix := range []string{segment.SnapshotSuffix, segment.HistorySuffix} {
		for cut := range 40 {
			r, s := setup(t)
			name := segment.Name(12, suffix)
			data := r.file(name)
			data[cut] ^= 0x10
			r.overwrite(name, data)
			r.open()
			if !r.send(s.at(11), "some value").Duplicate {
				t.Errorf("%s, byte %d: the last batch was forgotten", suffix, cut)
			}
			if again, err := r.try(s.at(8), Client, "some value"); suffix == segment.SnapshotSuffix && (err != nil || !again.Duplicate) {
				t.Errorf("%s, byte %d: %+v, %v", suffix, cut, again, err)
			}
			r.send(s.at(12), "next")
		}
	}
}

// What was written of a future that a crash took back says nothing of another one.
func TestSnapshotOfALostFutureIsNotBelieved(t *testing.T) {
	r := newRig(t)
	s := sender{id: 7}
	r.send(s.at(0), "a")
	r.flush()
	r.checkpointed()
	lost := r.mem.PowerCut()
	for i := range int32(4) {
		r.send(s.at(i+1), "lost")
	}
	must.OK(r.l.roll(r.now, r.l.end)) // leaves a snapshot at 5
	snapshot, history := r.file(segment.Name(5, segment.SnapshotSuffix)), r.file(segment.Name(5, segment.HistorySuffix))
	r.mem = lost
	r.open()
	other := sender{id: 8}
	for i := range int32(4) {
		r.send(other.at(i), "kept")
	}
	r.overwrite(segment.Name(5, segment.SnapshotSuffix), snapshot) // the device had it all the time
	r.overwrite(segment.Name(5, segment.HistorySuffix), history)
	r.restart("kill")
	r.restart("clean")
	if p := r.l.Producers(); len(p) != 2 || p[0].LastSequence() != 0 || p[1].LastSequence() != 3 {
		t.Errorf("producers %+v", p)
	}
	if !r.send(other.at(3), "kept").Duplicate {
		t.Error("a retry was not recognised")
	}
}
