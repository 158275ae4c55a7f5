package partition

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/replica"
)

// Apache Kafka's leader writes its epoch into the log's cache when it begins; ours with its first append. Nobody must be
// able to tell the difference.
func TestEpochsWithoutRecordsEndWhereTheLogEnds(t *testing.T) {
	r := newRig(t, disk.NewMem(), replica.Synced, 1, self)
	ends := func(when string, want map[kafka.LeaderEpoch]EpochEnd) {
		t.Helper()
		for asked, end := range want {
			if got, err := r.p.EpochEnd(asked, kafka.NoLeaderEpoch); err != nil || got != end {
				t.Errorf("%s: epoch %d ends as %+v, %v; want %+v", when, asked, got, err, end)
			}
		}
	}
	unknown := EpochEnd{kafka.NoLeaderEpoch, kafka.NoOffset}
	ends("an empty log", map[kafka.LeaderEpoch]EpochEnd{-1: unknown, 0: {0, 0}, 1: {1, 0}, 2: unknown})
	r.append(-1, "a", "b")
	r.w.Run(time.Second)
	ends("two records of epoch 1", map[kafka.LeaderEpoch]EpochEnd{0: {0, 0}, 1: {1, 2}, 2: unknown})
	r.lead(4, self)
	ends("epoch 4 begins", map[kafka.LeaderEpoch]EpochEnd{0: {0, 0}, 1: {1, 2}, 2: {1, 2}, 3: {1, 2}, 4: {4, 2}, 5: unknown})
	r.append(-1, "c")
	r.w.Run(time.Second)
	ends("a record of epoch 4", map[kafka.LeaderEpoch]EpochEnd{1: {1, 2}, 3: {1, 2}, 4: {4, 3}, 5: unknown})
}

// A consumer that learned position and epoch from ListOffsets names both in its next fetch.
func TestTheEpochOfAPositionIsAcceptedInAFetch(t *testing.T) {
	r := newRig(t, disk.NewMem(), replica.Synced, 1, self)
	follow := func(what string, timestampMs int64) {
		t.Helper()
		at, err := r.p.OffsetAt(timestampMs, false, kafka.NoLeaderEpoch)
		if err != nil || at.Epoch < 0 {
			t.Fatalf("%s: %+v, %v", what, at, err)
		}
		got, err := r.p.Read(Read{From: at.Offset, MaxBytes: 100, CurrentEpoch: kafka.NoLeaderEpoch, LastEpoch: at.Epoch})
		if err != nil || got.Diverging != nil {
			t.Errorf("%s: a fetch at %+v answers %+v, %v", what, at, got.Diverging, err)
		}
		got.Slice.Release()
	}
	follow("earliest of an empty log", Earliest)
	follow("latest of an empty log", Latest)
	r.append(-1, "a")
	r.w.Run(time.Second)
	r.lead(2, self)
	follow("latest before the epoch's first record", Latest)
	if _, err := r.deleteRecords(1); err != nil {
		t.Fatal(err)
	}
	follow("earliest where everything was deleted", Earliest)
	if at, _ := r.p.OffsetAt(Earliest, false, kafka.NoLeaderEpoch); at.Epoch != 2 {
		t.Errorf("the next record will be of epoch 2: %+v", at)
	}
}

func TestAFetchFromAnEpochThatWentAnotherWayDiverges(t *testing.T) {
	r := newRig(t, disk.NewMem(), replica.Synced, 1, self)
	r.append(-1, "a", "b")
	r.w.Run(time.Second)
	r.lead(3, self)
	for _, c := range []struct {
		from  kafka.Offset
		epoch kafka.LeaderEpoch
		want  EpochEnd
	}{
		{2, 2, EpochEnd{1, 2}}, // epoch 2 is unknown here: the largest below it ends at 2
		{5, 1, EpochEnd{1, 2}}, // epoch 1 ended before
	} {
		got, err := r.p.Read(Read{From: c.from, MaxBytes: 100, CurrentEpoch: kafka.NoLeaderEpoch, LastEpoch: c.epoch})
		if err != nil || got.Diverging == nil || *got.Diverging != c.want {
			t.Errorf("a fetch from %d after epoch %d: %+v, %v; want %+v", c.from, c.epoch, got.Diverging, err, c.want)
		}
	}
	_, err := r.p.Read(Read{From: 2, MaxBytes: 100, CurrentEpoch: kafka.NoLeaderEpoch, LastEpoch: 9})
	code(t, err, kafka.ErrOffsetOutOfRange)
}

// Before the log start nothing is compared, as in Apache Kafka.
func TestAFetchBeforeTheLogStartIsOutOfRange(t *testing.T) {
	r := newRig(t, disk.NewMem(), replica.Synced, 1, self)
	r.append(-1, "a", "b")
	r.w.Run(time.Second)
	r.lead(3, self)
	if _, err := r.deleteRecords(2); err != nil {
		t.Fatal(err)
	}
	_, err := r.p.Read(Read{From: 1, MaxBytes: 100, CurrentEpoch: kafka.NoLeaderEpoch, LastEpoch: 2})
	code(t, err, kafka.ErrOffsetOutOfRange)
}

// As in Apache Kafka a partition with fewer replicas than min.insync.replicas takes acks=all when all of them are in sync.
func TestMinISRIsNeverMoreThanTheReplicas(t *testing.T) {
	r := newRig(t, disk.NewMem(), replica.Synced, 2, self)
	a := r.append(-1, "a")
	r.w.Run(time.Second)
	if a.Err != nil || r.read(0).High != 1 {
		t.Fatalf("%+v", a)
	}
}
