package segment

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// opens is a file system that counts what is open, and what was opened in all.
type opens struct {
	disk.FS
	mu        sync.Mutex
	now, ever int
}

func (o *opens) Open(path string, flags disk.Flag) (disk.File, error) {
	f, err := o.FS.Open(path, flags)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now++
	o.ever++
	return &openFile{f, o}, nil
}

type openFile struct {
	disk.File
	o *opens
}

func (f *openFile) Close() error {
	f.o.mu.Lock()
	defer f.o.mu.Unlock()
	f.o.now--
	return f.File.Close()
}

// idleOnes makes n segments of one batch and no user.
func idleOnes(t *testing.T, n int, k *Handles) (*opens, []*Segment) {
	t.Helper()
	o := &opens{FS: disk.NewMem()}
	must.OK(o.MkdirAll(dir))
	var out []*Segment
	for i := range n {
		s := must.Get(Create(o.FS, dir, kafka.Offset(i), 1000, 0))
		b := batchAt(kafka.Offset(i), 1, 1, 10)
		must.OK(s.Write(b))
		s.Publish(b, wide)
		s.Close()
		s = Existing(o, dir, kafka.Offset(i), int64(len(b)), kafka.Offset(i+1), false, 0)
		s.Keep(k)
		out = append(out, s)
	}
	return o, out
}

// TestHandlesKeepTheLastUsed: a file that was used stays open, the one used longest ago goes when there are too many, and
// nobody loses a file that he uses.
func TestHandlesKeepTheLastUsed(t *testing.T) {
	k := NewHandles(2)
	o, s := idleOnes(t, 4, k)
	use := func(i int) { must.Get(s[i].file.acquire(s[i])); s[i].file.Release() }
	for range 3 {
		use(0)
		use(1)
	}
	if o.ever != 2 || o.now != 2 || k.Idle() != 2 {
		t.Fatalf("%d opened, %d are open, %d idle", o.ever, o.now, k.Idle())
	}
	held := must.Get(s[0].file.acquire(s[0])) // pinned: it is not among the idle ones
	use(2)
	use(3)
	if o.now != 2 || s[0].file.file != held || s[1].file.file != nil {
		t.Fatalf("%d are open", o.now)
	}
	if _, err := held.ReadAt(make([]byte, 10), 0); err != nil {
		t.Fatalf("a file in use: %v", err)
	}
	s[0].file.Release()
	if o.now != 2 || s[2].file.file != nil {
		t.Fatalf("%d are open after the release", o.now)
	}
	use(1)
	if o.ever != 5 {
		t.Fatalf("opened %d times", o.ever)
	}
}

// TestHandlesGiveUpWhatIsDeleted: a segment that is deleted or retired keeps no file open but its readers'.
func TestHandlesGiveUpWhatIsDeleted(t *testing.T) {
	k := NewHandles(10)
	o, s := idleOnes(t, 3, k)
	for _, each := range s {
		must.Get(each.file.acquire(each))
		each.file.Release()
	}
	remove := must.Get(s[0].Delete())
	must.OK(remove())
	s[1].Retire()
	reader := must.Get(s[2].file.acquire(s[2]))
	s[2].Retire()
	if o.now != 1 || k.Idle() != 0 {
		t.Fatalf("%d are open, %d idle", o.now, k.Idle())
	}
	if _, err := reader.ReadAt(make([]byte, 10), 0); err != nil {
		t.Fatal(err)
	}
	s[2].file.Release()
	if _, err := s[2].file.acquire(s[2]); o.now != 0 || !errors.Is(err, disk.ErrNotExist) {
		t.Fatalf("%d are open, and a retired one opens again: %v", o.now, err)
	}
}

// TestHandlesAreCrowded: files in use count against what may be open, whoever uses them and however often, and idle ones make
// room for them; who asks first is told when there is no more.
func TestHandlesAreCrowded(t *testing.T) {
	k := NewHandles(3)
	o, s := idleOnes(t, 5, k)
	for _, each := range s {
		must.Get(each.file.acquire(each))
		each.file.Release()
	}
	if used, most := k.InUse(); used != 0 || most != 3 || o.now != 3 || k.Crowded(1) {
		t.Fatalf("%d of %d are in use, %d open", used, most, o.now)
	}
	for i, want := range []struct{ half, whole bool }{{true, false}, {true, false}, {true, true}} {
		must.Get(s[i].file.acquire(s[i]))
		must.Get(s[i].file.acquire(s[i])) // a second user needs no second descriptor
		if k.Crowded(2) != want.half || k.Crowded(1) != want.whole || o.now != 3 {
			t.Fatalf("with %d in use: %v, %v, %d open", i+1, k.Crowded(2), k.Crowded(1), o.now)
		}
	}
	must.Get(s[4].file.acquire(s[4])) // who cannot wait is not kept from it
	if used, _ := k.InUse(); used != 4 || o.now != 4 || k.Idle() != 0 {
		t.Fatalf("%d in use, %d open, %d idle", used, o.now, k.Idle())
	}
	for _, each := range []int{0, 0, 1, 1, 2, 2, 4} {
		s[each].file.Release()
	}
	if used, _ := k.InUse(); used != 0 || k.Crowded(2) || o.now != 3 {
		t.Fatalf("%d in use, %d open in the end", used, o.now)
	}
}

// TestHandlesUnderLoad: many readers of many files never hold a closed one, and leave no more open than allowed.
func TestHandlesUnderLoad(t *testing.T) {
	k := NewHandles(3)
	o, s := idleOnes(t, 20, k)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(g)))
			buf := make([]byte, 20)
			for range 2000 {
				each := s[rng.IntN(len(s))]
				f, err := each.file.acquire(each)
				if err == nil {
					_, err = f.ReadAt(buf, 0)
					each.file.Release()
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if used, _ := k.InUse(); o.now != 3 || k.Idle() != 3 || used != 0 {
		t.Fatalf("%d are open, %d idle, %d in use", o.now, k.Idle(), used)
	}
}
