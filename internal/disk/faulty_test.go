package disk

import (
	"errors"
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/must"
)

func TestRecordingWritesDownEveryCall(t *testing.T) {
	r := NewRecording(NewMem())
	must.OK(r.MkdirAll("d"))
	f := must.Get(r.Open("d/f.tmp", Write|Create))
	must.Get(f.WriteAt([]byte("hello"), 3))
	must.OK(f.Sync())
	must.OK(f.Truncate(6))
	_, _ = f.ReadAt(make([]byte, 4), 2)
	must.Get(f.Size())
	must.OK(f.Close())
	must.OK(r.Rename("d/f.tmp", "d/f"))
	must.OK(r.SyncDir("d"))
	must.Get(r.List("d"))
	must.Get(r.Stat("d/f"))
	must.OK(must.Get(r.Lock("d/l")).Close())
	must.OK(r.Remove("d/f"))
	must.OK(r.RemoveAll("d"))
	_, _, _ = r.Usage("/")
	want := `mkdirall d
open d/f.tmp
write d/f.tmp 3+5
sync d/f.tmp
truncate d/f.tmp 6
read d/f.tmp 2+4
size d/f.tmp
close d/f.tmp
rename d/f.tmp d/f
syncdir d
list d
stat d/f
lock d/l
remove d/f
removeall d
usage /
`
	if got := Script(r.Calls()); got != want {
		t.Errorf("got:\n%s", got)
	}
	if n := len(r.Calls(OpSync, OpSyncDir)); n != 2 || r.BytesRead() != 4 {
		t.Errorf("%d syncs, %d bytes read", n, r.BytesRead())
	}
	r.Reset()
	if len(r.Calls()) != 0 {
		t.Error("not forgotten")
	}
}

func TestFaultsHitTheCallsTheyName(t *testing.T) {
	f := NewFaulty(NewMem())
	must.OK(f.MkdirAll("d"))
	f.Add(Fault{Op: OpSync, Path: "a", Skip: 1, Times: 2, Err: ErrIO})
	a, b := must.Get(f.Open("d/a", Write|Create)), must.Get(f.Open("d/b", Write|Create))
	var got []bool
	for range 5 {
		err := a.Sync()
		if err != nil && !errors.Is(err, ErrIO) {
			t.Fatal(err)
		}
		got = append(got, err != nil)
		must.OK(b.Sync())
	}
	if !slices.Equal(got, []bool{false, true, true, false, false}) {
		t.Errorf("failed %v", got)
	}
	f.Add(Fault{Op: OpWrite, Err: ErrNoSpace, Keep: 3})
	if n, err := a.WriteAt([]byte("hello"), 0); n != 3 || !errors.Is(err, ErrNoSpace) {
		t.Errorf("a short write: %d, %v", n, err)
	}
	f.Heal()
	if got := get(t, f, "d/a"); got != "hel" {
		t.Errorf("%q reached the file", got)
	}
	slow := 0
	f.Add(Fault{Op: OpRead, Slow: func() { slow++ }})
	if got := get(t, f, "d/a"); got != "hel" || slow != 1 {
		t.Errorf("%q, slow %d times", got, slow)
	}
	f.Heal()
	f.Add(Fault{Err: ErrIO}) // everything, from now on
	for op, err := range map[Op]error{
		OpRename: f.Rename("d/a", "d/c"), OpRemove: f.Remove("d/a"), OpRemoveAll: f.RemoveAll("d"), OpMkdirAll: f.MkdirAll("e"),
		OpSyncDir: f.SyncDir("d"), OpTruncate: a.Truncate(0), OpSync: a.Sync(),
	} {
		if !errors.Is(err, ErrIO) {
			t.Errorf("%s: %v", op, err)
		}
	}
	_, e1 := f.Open("d/a", 0)
	_, e2 := f.List("d")
	_, e3 := f.Stat("d")
	_, e4 := f.Lock("d/l")
	_, _, e5 := f.Usage("d")
	_, e6 := a.ReadAt(make([]byte, 1), 0)
	_, e7 := a.WriteAt(make([]byte, 1), 0)
	_, e8 := a.Size()
	for i, err := range []error{e1, e2, e3, e4, e5, e6, e7, e8, a.Close()} {
		if !errors.Is(err, ErrIO) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	f.Heal()
	if got := names(t, f, "d"); !slices.Equal(got, []string{"a", "b"}) || get(t, f, "d/a") != "hel" {
		t.Errorf("a call that failed had an effect: %v", got)
	}
	if err := a.Sync(); err == nil {
		t.Error("a close that failed did not close")
	}
}
