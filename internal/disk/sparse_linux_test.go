package disk

import (
	"testing"

	"github.com/milena-io/milena/internal/must"
)

// Before the bytes of a file with holes on both sides there is no data, from the first of them on there is, and behind them
// none; what was just written and is in memory only counts.
func TestHoles(t *testing.T) {
	f := must.Get(NewOS().Open(t.TempDir()+"/f", Write|Create))
	must.OK(f.Truncate(1 << 30))
	must.Get(f.WriteAt([]byte("data"), 512<<20))
	s := f.(Sparse)
	if at := s.Data(0); at == 0 {
		t.Skip("the file system keeps no account of holes")
	} else if at > 512<<20 || at < 511<<20 {
		t.Errorf("the first data is at %d", at)
	}
	if at := s.Data(512<<20 + 2); at != 512<<20+2 {
		t.Errorf("within the data the next is at %d", at)
	}
	if at := s.Data(600 << 20); at < 1<<30 {
		t.Errorf("behind it there is data at %d", at)
	}
	must.OK(f.Close())
}
