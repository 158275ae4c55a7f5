package node

import (
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// A node that is starting says whether it lives, and lets everything else wait; then all of it is answered in the order in which it came,
// also what comes while that happens.
func TestOnThePorchOnlyTheLivingAreAskedFor(t *testing.T) {
	var p porch
	var got []int32
	dispatch := func(r *wire.Request) {
		got = append(got, r.CorrelationID)
		if r.CorrelationID == 1 {
			p.take(&wire.Request{Key: kafka.KeyProduce, CorrelationID: 5}, func(r *wire.Request) { t.Error("it passed those that wait") })
		}
	}
	for i, key := range []kafka.APIKey{kafka.KeyProduce, kafka.KeyProduce, kafka.KeyApiVersions, kafka.KeyNodeMessages, kafka.KeyMetadata} {
		p.take(&wire.Request{Key: key, CorrelationID: int32(i)}, dispatch)
	}
	if !slices.Equal(got, []int32{2, 3}) {
		t.Fatalf("before it serves it answered %v", got)
	}
	p.clear(func(r *wire.Request) { dispatch(r) })
	if !slices.Equal(got, []int32{2, 3, 0, 1, 4, 5}) {
		t.Fatalf("answered in the order %v", got)
	}
	p.take(&wire.Request{Key: kafka.KeyProduce, CorrelationID: 6}, dispatch)
	if got[len(got)-1] != 6 {
		t.Fatal("it still waits")
	}
}
