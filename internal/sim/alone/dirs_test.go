package alone

import (
	"testing"

	"github.com/milena-io/milena/internal/disk"
)

// TestDirectoriesDie gives the node three log directories, of which one dies in each of its first lives, in another way each
// time, while crashes and power cuts go on. What was acknowledged is there when all disks work again.
func TestDirectoriesDie(t *testing.T) {
	ways := []disk.Op{disk.OpSync, disk.OpWrite, disk.OpRename, disk.OpOpen, disk.OpRead}
	deaths := 0
	for s := uint64(1); s <= 6; s++ {
		o := options(s)
		o.Settings = map[string]string{"log.dirs": "data,data2,data3"}
		life := uint64(0)
		var last *disk.Faulty
		o.FS = func(fs disk.FS) disk.FS {
			life++
			if life > 6 {
				return fs
			}
			last = disk.NewFaulty(fs)
			last.Add(disk.Fault{
				Op: ways[(s+life)%uint64(len(ways))], Path: []string{"data2", "data3"}[life%2], Err: disk.ErrIO, Skip: int((s * life * 7) % 60),
				Slow: func() { deaths++ },
			})
			return last
		}
		r := Run(o)
		t.Logf("seed %d: trace %016x, %d starts, %d records acknowledged, %d read", s, r.Trace, r.Starts, r.Acked, r.Read)
		for _, p := range r.Problems {
			t.Errorf("seed %d: %s", s, p)
		}
		if r.Acked < 100 || r.Read < r.Acked || life <= 6 {
			t.Errorf("seed %d: too little happened to prove anything: %+v in %d lives", s, r, life)
		}
	}
	if deaths < 12 {
		t.Errorf("only %d calls failed", deaths)
	}
}
