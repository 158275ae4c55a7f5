package record

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/milena-io/milena/internal/must"
)

// A frame of a large window, as levels 20 to 22 of the reference library write it, is read like any other.
func TestZstdWithALargeWindow(t *testing.T) {
	plain := make([]byte, 12<<20) // more than the usual window, so that the frame names its own
	r := rand.New(rand.NewPCG(1, 1))
	for i := range plain {
		plain[i] = byte(r.IntN(4))
	}
	var frame bytes.Buffer
	w := must.Get(zstd.NewWriter(&frame, zstd.WithWindowSize(32<<20), zstd.WithSingleSegment(false), zstd.WithEncoderConcurrency(1)))
	must.Get(w.Write(plain))
	must.OK(w.Close())
	var h zstd.Header
	if must.OK(h.Decode(frame.Bytes())); h.WindowSize <= usualZstdWindow {
		t.Fatalf("the frame's window is %d bytes", h.WindowSize)
	}
	got, err := Zstd.Decompress(nil, frame.Bytes(), 16<<20)
	if err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// Nine bytes that ask for the largest window get it for as long as they are read, and nothing of it stays.
func TestZstdWindowIsNotKept(t *testing.T) {
	hostile := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0x88, 1, 0, 0}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	runtime.GC()
	before := heap()
	for range 8 {
		if got, err := Zstd.Decompress(nil, hostile, 1<<20); err != nil || len(got) != 0 {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	runtime.GC()
	if after := heap(); after > before+maxZstdWindow/2 {
		t.Errorf("%d bytes in use, %d before", after, before)
	}
}
