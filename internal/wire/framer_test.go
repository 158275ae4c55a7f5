package wire

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
)

// stream feeds bytes in pieces that step chooses, and returns the frames.
func stream(f *Framer, in []byte, step func(room int) int) (frames [][]byte, err error) {
	for len(in) > 0 {
		space := f.Space()
		n := copy(space[:max(1, min(len(space), step(len(space))))], in)
		in = in[n:]
		frame, err := f.Filled(n)
		if err != nil {
			return frames, err
		}
		if frame != nil {
			frames = append(frames, bytes.Clone(frame.B))
			frame.Free()
		}
	}
	return frames, nil
}

func framed(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// TestFramesComeOutAsTheyWentIn, in whatever pieces they arrive.
func TestFramesComeOutAsTheyWentIn(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		budget := NewBudget(1 << 30)
		f := NewFramer(NewPool(budget, true), 8<<20)
		var in []byte
		var want [][]byte
		for range 1 + rng.IntN(6) {
			body := make([]byte, minFrame+rng.IntN(1<<(4+rng.IntN(18))))
			for i := range body {
				body[i] = byte(rng.Uint32())
			}
			want = append(want, body)
			in = append(in, framed(body)...)
		}
		most := 1 << rng.IntN(20)
		got, err := stream(f, in, func(int) int { return 1 + rng.IntN(most) })
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d frames of %d, %v", len(got), len(want), err)
		}
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("frame %d of %d bytes differs", i, len(want[i]))
			}
		}
		if !f.Between() || f.Held() != 0 || budget.Used() != 0 {
			t.Fatalf("between=%v, holds %d, %d charged", f.Between(), f.Held(), budget.Used())
		}
	}
}

// TestFrameMemoryFollowsBytesReceived is the memory claim: at most twice the bytes that the connection has sent, and 64
// KiB, whatever the length says, also while a frame is being put together, and as charged to the budget.
func TestFrameMemoryFollowsBytesReceived(t *testing.T) {
	const socketBuffer = 16 << 10
	rng := rand.New(rand.NewPCG(2, 2))
	for _, claims := range [][]int{
		{100 << 20}, {33 << 10}, {197 << 10}, {769 << 10}, {5<<20 + 12345}, {40 << 10, 64 << 10, 120 << 10, 1 << 20, 1 << 20, 100 << 20},
		{700 << 10, 1 << 20, 2 << 20}, {1 << 20, 1<<20 + 1},
	} {
		budget := NewBudget(1 << 40)
		f := NewFramer(NewPool(budget, false), 200<<20)
		received, peak := 0, int64(0)
		for i, claim := range claims {
			send := framed(make([]byte, min(claim, 12<<20)))
			binary.BigEndian.PutUint32(send, uint32(claim))
			for len(send) > 0 {
				space := f.Space()
				n := copy(space[:min(len(space), 1+rng.IntN(50_000))], send)
				send = send[n:]
				received += n
				frame, err := f.Filled(n)
				if err != nil {
					t.Fatal(err)
				}
				peak = max(peak, budget.Used())
				if used := budget.Used(); used > int64(2*received+64<<10-socketBuffer) {
					t.Fatalf("frame %d of %v: %d bytes received, %d held", i, claims, received, used)
				}
				if frame != nil {
					frame.Free()
				}
			}
		}
		f.Drop()
		if budget.Used() != 0 {
			t.Fatalf("%v: %d bytes stay charged", claims, budget.Used())
		}
	}
}

// TestEarnedClaimIsNotCopied: a connection that has sent a frame of a size class gets the whole buffer for the next
// one, unless memory is short.
func TestEarnedClaimIsNotCopied(t *testing.T) {
	budget := NewBudget(4 << 20)
	f := NewFramer(NewPool(budget, false), 8<<20)
	if _, err := stream(f, framed(make([]byte, 900<<10)), func(n int) int { return n }); err != nil {
		t.Fatal(err)
	}
	space := func() int {
		binary.BigEndian.PutUint32(f.Space(), 1<<20)
		if _, err := f.Filled(4); err != nil {
			t.Fatal(err)
		}
		defer f.Drop()
		return len(f.Space())
	}
	if n := space(); n != 1<<20 {
		t.Fatalf("room for %d bytes", n)
	}
	budget.Take(4 << 20)
	if n := space(); n != firstChunk {
		t.Fatalf("room for %d bytes although memory is short", n)
	}
}

func TestBadLengthsAreNamed(t *testing.T) {
	for _, c := range []struct {
		in   string
		want string
	}{
		{"\xff\xff\xff\xff", "says -1 bytes"},
		{"\x00\x00\x00\x09", "says 9 bytes"},
		{"\x06\x40\x00\x01", "says 104857601 bytes"},
		{"\x16\x03\x01\x02", "TLS handshake"},
		{"\x16\x03\x03\x00", "TLS handshake"},
		{"GET ", "HTTP"},
		{"POST", "HTTP"},
		{"PRI ", "HTTP"},
		{"SSH-", "SSH"},
	} {
		f := NewFramer(NewPool(nil, false), 100<<20)
		_, err := stream(f, []byte(c.in), func(n int) int { return n })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.in, err)
		}
	}
	// A limit that would allow it does not hide a TLS hello, but later in a connection it is a length.
	f := NewFramer(NewPool(nil, false), 1<<31-1)
	if _, err := stream(f, []byte("\x16\x03\x01\x02"), func(n int) int { return n }); err == nil {
		t.Error("a TLS hello passes under a large socket.request.max.bytes")
	}
	f = NewFramer(NewPool(nil, false), 1<<31-1)
	if _, err := stream(f, append(framed(make([]byte, 20)), "\x16\x03\x01\x02"...), func(n int) int { return n }); err != nil {
		t.Errorf("as the second frame: %v", err)
	}
}
