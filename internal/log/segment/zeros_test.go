package segment

import (
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/must"
)

// hollow is a file of which only some bytes from a position on are no hole.
type hollow struct {
	disk.File
	at   int64
	data []byte
	read int
}

func (h *hollow) Data(from int64) int64 {
	if from < h.at+int64(len(h.data)) {
		return max(from, h.at)
	}
	return 1 << 62
}

func (h *hollow) ReadAt(p []byte, off int64) (int, error) {
	h.read += len(p)
	clear(p)
	for i, b := range h.data {
		if at := h.at + int64(i) - off; at >= 0 && at < int64(len(p)) {
			p[at] = b
		}
	}
	return len(p), nil
}

// A preallocated segment after a crash: what was never written costs no reading, and what was is looked at.
func TestOnlyZerosPassesOverHoles(t *testing.T) {
	const size = 1 << 40
	for _, c := range []struct {
		at   int64
		data string
		want bool
	}{
		{0, "", true}, {1 << 30, "\x00\x00\x00", true}, {1 << 30, "\x00\x00x", false}, {0, "x", false}, {size - 1, "x", false},
		{3, "\x00x\x00", false}, {size, "x", true},
	} {
		f := &hollow{at: c.at, data: []byte(c.data)}
		if got := must.Get(OnlyZeros(f, 0, size, make([]byte, 4096))); got != c.want {
			t.Errorf("%q at %d: %v", c.data, c.at, got)
		}
		if f.read > 1<<20 {
			t.Errorf("%q at %d: %d bytes were read", c.data, c.at, f.read)
		}
	}
}

func BenchmarkOnlyZeros(b *testing.B) {
	window := make([]byte, bodyBytes)
	f := &flat{}
	b.SetBytes(16 << 20)
	b.ReportAllocs()
	for b.Loop() {
		must.Get(OnlyZeros(f, 0, 16<<20, window))
	}
}

const bodyBytes = 256 << 10

// flat is a file of zeros that knows of no holes.
type flat struct{ disk.File }

func (*flat) ReadAt(p []byte, _ int64) (int, error) { return len(p), nil }
