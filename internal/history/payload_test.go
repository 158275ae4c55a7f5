package history

import (
	"bytes"
	"testing"
)

func TestPayloadsTellThemselves(t *testing.T) {
	for _, size := range []int{0, MinPayload, 17, 20, 21, 100, 1000} {
		v := Value(9, uint64(size))
		b := Payload([]byte("kept"), v, size)[4:]
		if len(b) != max(size, MinPayload) {
			t.Fatalf("a payload of %d bytes has %d", size, len(b))
		}
		if got, whole := OpenPayload(b); got != v || !whole {
			t.Fatalf("a payload of %d bytes: %x, %v", size, got, whole)
		}
		for i := range b {
			bent := bytes.Clone(b)
			bent[i] ^= 1
			if got, whole := OpenPayload(bent); whole {
				t.Errorf("size %d: a flipped bit in byte %d went unnoticed: %x", size, i, got)
			}
			if _, whole := OpenPayload(b[:i]); whole {
				t.Errorf("size %d: cut at %d, and nobody notices", size, i)
			}
		}
	}
	a, b := Payload(nil, Value(1, 1), 64), Payload(nil, Value(1, 2), 64)
	for cut := 1; cut < 64; cut++ {
		mixed := append(bytes.Clone(a[:cut]), b[cut:]...)
		if v, whole := OpenPayload(mixed); whole && !bytes.Equal(mixed, a) && !bytes.Equal(mixed, b) {
			t.Errorf("mixed at byte %d, and it passes as %x", cut, v)
		}
	}
	if WriterOf(Value(77, 5)) != 77 || SeqOf(Value(77, 5)) != 5 {
		t.Error("a value doesn't give its parts back")
	}
}

func TestSumSeesEveryPart(t *testing.T) {
	h := []Header{{"a", []byte("b")}}
	same := Sum(5, []byte("k"), []byte("v"), h)
	for name, other := range map[string]uint32{
		"time": Sum(6, []byte("k"), []byte("v"), h), "key": Sum(5, []byte("l"), []byte("v"), h), "no key": Sum(5, nil, []byte("v"), h),
		"empty key": Sum(5, []byte{}, []byte("v"), h), "value": Sum(5, []byte("k"), []byte("w"), h), "shifted": Sum(5, []byte("kv"), []byte(""), h),
		"header key": Sum(5, []byte("k"), []byte("v"), []Header{{"b", []byte("b")}}), "no header": Sum(5, []byte("k"), []byte("v"), nil),
		"header value": Sum(5, []byte("k"), []byte("v"), []Header{{"a", nil}}),
	} {
		if other == same {
			t.Errorf("another %s has the same sum", name)
		}
	}
	if Sum(5, nil, []byte("v"), nil) == Sum(5, []byte{}, []byte("v"), nil) {
		t.Error("no key and an empty key have one sum")
	}
	body := Payload(nil, Value(3, 4), 40)
	p := NewPair(8, 5, true, []byte("k"), body, h)
	if p.V != Value(3, 4) || p.Torn || p.CRC != Sum(5, []byte("k"), body, h) || p.Off != 8 {
		t.Errorf("%+v", p)
	}
	if p := NewPair(8, 5, false, nil, body[:20], nil); !p.Torn || p.V != Value(3, 4) || p.CRC != Sum(0, nil, body[:20], nil) {
		t.Errorf("%+v", p)
	}
}
