package inspect

import (
	"reflect"
	"testing"
)

// A broker with preallocate that was killed leaves zeros behind the last record: nobody calls them damage, and nobody counts
// them.
func TestZerosThatWereAllocated(t *testing.T) {
	m, _ := unpack(t, "transactions")
	verified, listed := verify(t, m, "/data/txn-0"), list(t, m, "/data").partition(t, "txn-0")
	write(t, m, log6, append(read(t, m, log6), make([]byte, 100_000)...))
	if got := verify(t, m, "/data/txn-0"); len(got.Problems) != len(verified.Problems) || got.Records != verified.Records || got.Bytes != verified.Bytes {
		t.Errorf("verify tells %+v, without them %+v", got, verified)
	}
	if got := list(t, m, "/data").partition(t, "txn-0"); !reflect.DeepEqual(got, listed) {
		t.Errorf("ls tells %+v, without them %+v", got, listed)
	}
	sealed := "/data/txn-0/00000000000000000000.log"
	write(t, m, sealed, append(read(t, m, sealed), make([]byte, 100)...))
	if got := verify(t, m, "/data/txn-0"); len(got.Problems) == len(verified.Problems) {
		t.Error("zeros in a segment that is not the last pass")
	}
}
