package replica

import (
	"testing"

	"github.com/milena-io/milena/internal/partition"
)

// What most replicas have is right; in doubt it is what the leader has, and who is alone has nobody to differ from.
func TestVerdict(t *testing.T) {
	a, b, c := partition.Digest{Next: 5, Bytes: 9, Sum: 1}, partition.Digest{Next: 5, Bytes: 9, Sum: 2}, partition.Digest{Next: 5, Bytes: 9, Sum: 3}
	for i, v := range []struct {
		mine   partition.Digest
		theirs []partition.Digest // a leader elsewhere comes first
		leads  bool
		right  partition.Digest
	}{
		{a, nil, false, a},
		{a, []partition.Digest{a, a}, false, a},
		{a, []partition.Digest{b, b}, false, b},
		{a, []partition.Digest{b, b}, true, b},
		{a, []partition.Digest{b, a}, false, a},
		{a, []partition.Digest{b}, false, b},
		{a, []partition.Digest{b}, true, a},
		{a, []partition.Digest{b, c}, false, b},
		{a, []partition.Digest{b, c}, true, a},
		{a, []partition.Digest{a, b}, false, a},
	} {
		if right, ok := verdict(v.mine, v.theirs, v.leads); right != v.right || ok != (v.right == v.mine) {
			t.Errorf("%d: %+v, %v", i, right, ok)
		}
	}
}
