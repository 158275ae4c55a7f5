package migrate

import "testing"

// FuzzKeysAndStatus feeds keys and values of the internal topics to what reads their beginnings.
func FuzzKeysAndStatus(f *testing.F) {
	f.Add([]byte{0, 3, 0, 1, 'g'}, make([]byte, 17))
	f.Add([]byte{0, 0, 0xff, 0xff}, []byte{0, 1})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if _, name, ok := groupKey(key); ok && len(name) > len(key)-4 {
			t.Fatalf("%x names %q", key, name)
		}
		openStatus(value)
	})
}
