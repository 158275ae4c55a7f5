package producer

import (
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

func TestSnapshotAndHistoryBringEverythingBack(t *testing.T) {
	s := sample()
	snapshot := s.AppendSnapshot(nil)
	got := must.Get(ParseSnapshot(snapshot))
	must.OK(got.Remember(s.AppendHistory(nil, SnapshotChecksum(snapshot)), SnapshotChecksum(snapshot)))
	want := s.Entries()
	want[2].SeenMs = 0 // nobody asks when a producer without a batch was heard of
	if !slices.EqualFunc(got.Entries(), want, func(a, b Entry) bool { return a == b }) {
		t.Errorf("got %+v, want %+v", got.Entries(), want)
	}
	if got.FirstOpen(99) != 5 {
		t.Errorf("first open %d", got.FirstOpen(99))
	}
	if n := len(snapshot); n != 10+3*46 {
		t.Errorf("%d bytes", n)
	}
}

// A history that belongs to another snapshot, or an entry of another batch, adds nothing.
func TestForeignHistoryAddsNothing(t *testing.T) {
	s := sample()
	snapshot := s.AppendSnapshot(nil)
	got := must.Get(ParseSnapshot(snapshot))
	must.OK(got.Remember(s.AppendHistory(nil, 1), SnapshotChecksum(snapshot)))
	s.Apply(batchOf(1, 2, 14, 70, 2, false), 1)
	must.OK(got.Remember(s.AppendHistory(nil, SnapshotChecksum(snapshot)), SnapshotChecksum(snapshot)))
	if n := len(got.Entries()[0].Batches()); n != 1 {
		t.Errorf("%d batches", n)
	}
}

func TestDamagedFilesAreCorrupt(t *testing.T) {
	s := sample()
	snapshot := s.AppendSnapshot(nil)
	history := s.AppendHistory(nil, SnapshotChecksum(snapshot))
	for i := range 8 * len(snapshot) {
		bad := slices.Clone(snapshot)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := ParseSnapshot(bad); !fault.IsKind(err, fault.Corrupt) {
			t.Fatalf("bit %d of the snapshot: %v", i, err)
		}
	}
	for i := range 8 * len(history) {
		bad := slices.Clone(history)
		bad[i/8] ^= 1 << (i % 8)
		if err := must.Get(ParseSnapshot(snapshot)).Remember(bad, SnapshotChecksum(snapshot)); !fault.IsKind(err, fault.Corrupt) {
			t.Fatalf("bit %d of the history: %v", i, err)
		}
	}
	for n := range history {
		if err := must.Get(ParseSnapshot(snapshot)).Remember(history[:n], SnapshotChecksum(snapshot)); !fault.IsKind(err, fault.Corrupt) {
			t.Fatalf("%d bytes of the history: %v", n, err)
		}
	}
}

// Sequences wrap inside a batch and between batches.
func TestFirstSequenceOverTheWrap(t *testing.T) {
	for last, want := range map[int32]int32{0: 2147483646, 1: 2147483647, 2: 0, 5: 3, -1: -1} {
		if got := (Batch{LastSequence: last, OffsetDelta: 2}).FirstSequence(); got != want {
			t.Errorf("a batch that ends with %d begins with %d, want %d", last, got, want)
		}
	}
}

func TestDecidedTransactionsAreForgottenOncePassed(t *testing.T) {
	s := New()
	for i := range kafka.Offset(100) {
		s.Apply(batchOf(1, 0, int32(i), 2*i, 1, true), 0)
		s.ApplyMarker(batchOf(1, 0, -1, 2*i+1, 1, true), Marker{}, 0)
		if got, want := s.LastStable(2*i+1), 2*i; got != want {
			t.Fatalf("under %d: %d, want %d", 2*i+1, got, want)
		}
		s.Passed(2*i + 2)
	}
	if len(s.decided) != 0 || len(s.open) != 0 {
		t.Errorf("%d decided, %d open", len(s.decided), len(s.open))
	}
}
