package clean

import (
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// What becomes of one batch, by the rules of KIP-534: a tombstone gets its horizon when it is compacted first and goes after
// it, but never from beyond what the map has seen, for the values before it are still there.
func TestTombstonesGoAfterTheirHorizon(t *testing.T) {
	keys := NewKeyMap(1<<20, 0.9, 100)
	keys.Put([]byte("k"), 5)
	at := func(nowMs int64, upTo kafka.Offset) *filter {
		keys.upTo = upTo
		return newFilter(keys, newTransactions(nil, nil), nil, nowMs, 1000)
	}
	first, sifted, err := at(2000, 10).apply(nil, batch(5, "k", ""), false)
	if err != nil || sifted.Kept != 1 || sifted.Same {
		t.Fatalf("compacted first: %+v, %v", sifted, err)
	}
	b := must.Get(record.Parse(first))
	must.OK(b.CheckCRC())
	if horizon, has := b.DeleteHorizon(); !has || horizon != 3000 {
		t.Fatalf("the horizon is %d, %v", horizon, has)
	}
	must.OK(b.Each(record.Limits{}, func(r *record.Record) error {
		if r.TimestampMs != 1005 || r.Offset != 5 || string(r.Key) != "k" || r.Value != nil {
			t.Errorf("the record is %+v now", r)
		}
		return nil
	}))
	if again, sifted, _ := at(2999, 10).apply(nil, b, false); !sifted.Same || len(again) != len(b) {
		t.Errorf("before its horizon: %+v", sifted)
	}
	if gone, _, _ := at(3000, 10).apply(nil, b, false); len(gone) != 0 {
		t.Error("it stays after its horizon")
	}
	if _, sifted, _ := at(3000, 5).apply(nil, b, false); !sifted.Same {
		t.Error("it goes though the values before it are not mapped")
	}
	if header, sifted, _ := at(3000, 10).apply(nil, b, true); sifted.Kept != 0 || len(header) != record.HeaderSize ||
		must.Get(record.Parse(header)).LastOffset() != 5 {
		t.Errorf("the last batch of an output: %+v, %d bytes", sifted, len(header))
	}
}
