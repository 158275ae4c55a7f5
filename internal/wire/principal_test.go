package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestPrincipalsAreKafkas holds our bytes against kmsg, which was generated from Kafka's definition.
func TestPrincipalsAreKafkas(t *testing.T) {
	for _, p := range []Principal{Anonymous, {}, {Type: "User", Name: "CN=ä, O=Ö"}} {
		theirs := kmsg.DefaultPrincipalData{Type: p.Type, Name: p.Name}
		b := AppendPrincipal(nil, p)
		if string(b) != string(theirs.AppendTo(nil)) {
			t.Errorf("%v: %x, Kafka writes %x", p, b, theirs.AppendTo(nil))
		}
		theirs.TokenAuthenticated = true
		theirs.UnknownTags.Set(7, []byte("later"))
		if got, err := ParsePrincipal(theirs.AppendTo(nil)); err != nil || got != p {
			t.Errorf("%v: got %v, %v", p, got, err)
		}
		for cut := range b {
			if got, err := ParsePrincipal(b[:cut]); err == nil {
				t.Errorf("cut at %d of %d it is %v", cut, len(b), got)
			}
		}
		b[1] = 1
		if _, err := ParsePrincipal(b); err == nil {
			t.Error("version 1 passes")
		}
	}
}
