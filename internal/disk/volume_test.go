package disk

import (
	"errors"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/world"
)

func TestAVolumeMakesEverythingDurable(t *testing.T) {
	m := NewMem()
	must.OK(m.MkdirAll("a/b"))
	put(t, m, "a/b/f", "bytes")
	if got := m.PowerCut(); must.Get(got.List("/")) == nil || len(must.Get(got.List("/"))) != 0 {
		t.Fatal("it was durable before")
	}
	v := OpenVolume(NewSpace(world.NewVirtual(1), NewRecording(m)), "a")
	must.OK(v.Sync())
	must.OK(v.Close())
	if got := get(t, m.PowerCut(), "a/b/f"); got != "bytes" {
		t.Errorf("after a power cut it has %q", got)
	}
}

func TestTheVolumeOfTheOperatingSystem(t *testing.T) {
	dir := t.TempDir()
	v := OpenVolume(NewOS(), dir)
	if v == nil {
		t.Skip("this system syncs no volume as a whole, or doesn't tell when that failed")
	}
	put(t, NewOS(), dir+"/f", "bytes")
	must.OK(v.Sync())
	must.OK(v.Close())
	f := must.Get(NewOS().Open(dir+"/f", Write))
	must.OK(Written(f))
	must.OK(f.Close())
}

// noVolume is a volume that fails.
type noVolume struct{ syncs int }

func (v *noVolume) Sync() error  { v.syncs++; return errors.New("somebody's file") }
func (v *noVolume) Close() error { return nil }

func TestSettle(t *testing.T) {
	for _, c := range []struct {
		name    string
		targets int
		broken  bool
		each    int
		whole   int
	}{{"few", manyTargets - 1, false, manyTargets - 1, 0}, {"many", manyTargets, false, 0, 1}, {"a failure", manyTargets, true, manyTargets, 0}} {
		w, m, each := world.NewVirtual(1), NewMem(), 0
		var targets []Syncer
		for range c.targets {
			targets = append(targets, &syncs{tell: func(string) { each++ }})
		}
		j, bad := m.Record(), &noVolume{}
		v := OpenVolume(m, "/")
		if c.broken {
			v = bad
		}
		done := 0
		NewFlusher(w, "d").Settle(v, targets, func(err error) {
			must.OK(err)
			done++
		})
		w.Run(time.Second)
		if done != 1 || each != c.each || j.Len() != c.whole || c.broken && bad.syncs != 1 {
			t.Errorf("%s: done %d times, %d syncs of files and %d of the volume", c.name, done, each, j.Len())
		}
	}
}
