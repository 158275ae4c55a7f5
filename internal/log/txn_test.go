package log

import (
	"fmt"
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/must"
)

func txn(id kafka.ProducerID) sender { return sender{id: id, txn: true} }

// lifecycles runs a test as it stands and after every kind of restart.
func lifecycles(t *testing.T, f func(t *testing.T, r *rig, restart func()), change ...func(*Config)) {
	for _, how := range []string{"", "kill", "clean", "roll", "power"} {
		t.Run(how, func(t *testing.T) {
			r := newRig(t, change...)
			f(t, r, func() {
				if how == "power" {
					r.flush()
				}
				if how != "" {
					r.restart(how)
				}
			})
		})
	}
}

func TestLastStableOffset(t *testing.T) {
	lifecycles(t, func(t *testing.T, r *rig, restart func()) {
		stable := func(high, want kafka.Offset) {
			t.Helper()
			restart()
			if got := r.l.LastStable(high); got != want {
				t.Errorf("last stable offset under %d is %d, want %d", high, got, want)
			}
		}
		r.put("0")
		a, b := txn(1), txn(2)
		r.send(a.at(0), "1")
		r.put("2")
		r.send(b.at(0), "3")
		stable(4, 1)
		stable(1, 1)
		stable(0, 0)
		r.end(a, true) // 4
		stable(5, 3)
		if got := r.l.Offsets().FirstUnstable; got != 3 {
			t.Errorf("first unstable offset %d", got)
		}
		r.end(b, false) // 5
		stable(6, 6)
		r.end(b, true) // a marker without a transaction
		stable(7, 7)
	})
}

// While the marker is above the high watermark the transaction is not decided.
func TestLastStableOffsetWaitsForTheMarker(t *testing.T) {
	r := newRig(t)
	r.put("0")
	r.send(txn(1).at(0), "1")
	r.put("2")
	r.end(txn(1), true) // 3
	for high, want := range map[kafka.Offset]kafka.Offset{0: 0, 1: 1, 2: 1, 3: 1} {
		if got := r.l.LastStable(high); got != want {
			t.Errorf("under %d: %d, want %d", high, got, want)
		}
	}
	if got := r.l.LastStable(4); got != 4 {
		t.Errorf("once it has passed: %d", got)
	}
	r.put("4") // forgets what is decided
	if got := r.l.LastStable(5); got != 5 {
		t.Errorf("later: %d", got)
	}
}

// T5: the aborted list is complete for every range, in every life, also with its indexes damaged.
func TestAbortedTransactions(t *testing.T) {
	lifecycles(t, func(t *testing.T, r *rig, restart func()) {
		type span struct {
			id          kafka.ProducerID
			first, last kafka.Offset
		}
		var want []span
		open := map[kafka.ProducerID]kafka.Offset{}
		seq := map[kafka.ProducerID]int32{}
		for i := range 60 {
			id := kafka.ProducerID(i*7%4 + 1)
			first, isOpen := open[id]
			switch {
			case isOpen && i%3 == 0:
				commit := i%2 == 0
				a := r.end(txn(id), commit)
				if !commit {
					want = append(want, span{id, first, a.Base})
				}
				delete(open, id)
			default:
				a := r.send(txn(id).at(seq[id]), fmt.Sprint("value ", i))
				seq[id]++
				if !isOpen {
					open[id] = a.Base
				}
			}
		}
		restart()
		check := func() {
			t.Helper()
			end := r.l.Offsets().End
			for from := kafka.Offset(0); from < end; from++ {
				for upper := from + 1; upper <= end; upper += 3 {
					var expect []span
					for _, a := range want {
						if a.last >= from && a.first < upper {
							expect = append(expect, a)
						}
					}
					slices.SortFunc(expect, func(a, b span) int { return int(a.first - b.first) })
					got, err := r.l.AbortedTransactions(from, upper)
					must.OK(err)
					// A transaction that begins in the range and aborts after it may be left out only if it is unstable there.
					have := map[span]bool{}
					for i, a := range got {
						have[span{a.Producer, a.First, a.Last}] = true
						if i > 0 && a.First < got[i-1].First {
							t.Fatalf("not ascending: %+v", got)
						}
					}
					for _, a := range expect {
						if !have[a] && a.last < upper {
							t.Fatalf("[%d, %d): %+v is missing in %+v", from, upper, a, got)
						}
					}
					for _, a := range got {
						if !slices.Contains(expect, span{a.Producer, a.First, a.Last}) {
							t.Fatalf("[%d, %d): %+v is too much", from, upper, a)
						}
					}
				}
			}
		}
		check()
		before := r.l.Offsets()
		r.restart("clean")
		if got := r.l.Offsets(); got.FirstUnstable != before.FirstUnstable {
			t.Errorf("first unstable offset %d, was %d", got.FirstUnstable, before.FirstUnstable)
		}
		check()
		must.OK(r.l.Close(r.now))
		end := map[kafka.TopicPartition]kafka.Offset{tp: before.End}
		must.OK(r.dir.CloseClean(1, end, end))
		for _, name := range r.files() {
			if _, suffix, ok := segment.ParseName(name); ok && suffix == segment.TxnIndexSuffix {
				data := r.file(name)
				data[len(data)/2] ^= 0xff
				r.overwrite(name, data[:len(data)-3])
			}
		}
		r.open()
		check()
		r.put("and appends go on")
		check()
	}, small)
}

func TestClientsTransactionsAreRefused(t *testing.T) {
	r := newRig(t)
	_, err := r.try(txn(1), Client, "x")
	r.code(err, kafka.ErrInvalidTxnState)
	r.send(txn(1), "x")
	_, err = r.try(sender{id: 1, seq: 1}, Client, "outside of the transaction")
	r.code(err, kafka.ErrInvalidTxnState)
	if a, err := r.try(txn(1).at(1), Client, "inside"); err != nil || a.Base != 1 {
		t.Errorf("%+v, %v", a, err)
	}
	r.end(txn(1), true)
	_, err = r.try(txn(1).at(2), Client, "after it")
	r.code(err, kafka.ErrInvalidTxnState)
}

// A coordinator that was replaced cannot end a transaction any more, and an old producer's marker neither.
func TestZombieMarkersAreRefused(t *testing.T) {
	lifecycles(t, func(t *testing.T, r *rig, restart func()) {
		s := sender{id: 1, epoch: 3, txn: true}
		r.send(s.at(0), "a")
		r.end(s, true) // coordinator epoch 1
		r.send(s.at(1), "b")
		restart()
		_, err := r.l.AppendAsLeader(r.now, markerBatch(s, false, 0, r.now.WallMs), 0, Coordinator)
		r.code(err, kafka.ErrTransactionCoordinatorFenced)
		_, err = r.l.AppendAsLeader(r.now, markerBatch(sender{id: 1, epoch: 2}, false, 2, r.now.WallMs), 0, Coordinator)
		r.code(err, kafka.ErrInvalidProducerEpoch)
		r.end(s, false)
		// transaction.version 2: the marker carries the next epoch, and the producer goes on with it from sequence 0
		s.epoch = 4
		r.end(s, true)
		restart()
		_, err = r.try(sender{id: 1, epoch: 3, seq: 2, txn: true}, Coordinator, "old epoch")
		r.code(err, kafka.ErrInvalidProducerEpoch)
		r.send(s.at(0), "c")
	})
}
