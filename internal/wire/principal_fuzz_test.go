package wire

import "testing"

// FuzzParsePrincipal: whatever bytes come, they are refused or they are a principal that is the same when written again.
func FuzzParsePrincipal(f *testing.F) {
	f.Add(AppendPrincipal(nil, Anonymous))
	f.Add([]byte{0, 0, 1, 1, 0, 255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePrincipal(b)
		if err != nil {
			return
		}
		if again, err := ParsePrincipal(AppendPrincipal(nil, p)); err != nil || again != p {
			t.Fatalf("%v comes back as %v, %v", p, again, err)
		}
	})
}
