package wire

import (
	"bytes"
	"testing"
)

// FuzzFramer: frames are the input cut at its lengths, however it arrives, and memory stays within what came.
func FuzzFramer(f *testing.F) {
	f.Add(framed([]byte("0123456789")), uint8(3))
	f.Add(append(framed(make([]byte, 40_000)), framed(make([]byte, 20))...), uint8(50))
	f.Add([]byte("\x16\x03\x01\x02\x00"), uint8(1))
	f.Add([]byte("\x7f\xff\xff\xff0123"), uint8(9))
	f.Fuzz(func(t *testing.T, in []byte, piece uint8) {
		budget := NewBudget(1 << 40)
		fr := NewFramer(NewPool(budget, true), 1<<20)
		received := 0
		frames, err := stream(fr, in, func(n int) int {
			if used := budget.Used(); used > int64(2*received+48<<10) {
				t.Fatalf("%d bytes received, %d held", received, used)
			}
			n = min(n, 1+int(piece)*64)
			received += n
			return n
		})
		var again []byte
		for _, b := range frames {
			again = append(again, framed(b)...)
		}
		if !bytes.HasPrefix(in, again) {
			t.Fatal("the frames are not the input")
		}
		if err == nil && len(in)-len(again) >= lengthBytes && fr.Between() {
			t.Fatal("bytes got lost")
		}
		fr.Drop()
		if budget.Used() != 0 {
			t.Fatalf("%d bytes stay charged", budget.Used())
		}
	})
}
