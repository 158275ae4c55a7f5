package segment

import (
	"bytes"
	"testing"
)

func FuzzParseSeal(f *testing.F) {
	f.Add((&Seal{Base: 5, End: 9, Next: 12, Size: 700_000, Stretches: []Stretch{{0, 1}, {262_200, 2}}}).Append(nil))
	f.Add((&Seal{}).Append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseSeal(data)
		if err != nil {
			return
		}
		if again := s.Append(nil); !bytes.Equal(again, data) {
			t.Fatalf("%x gives %x", data, again)
		}
	})
}
