package mutant

import (
	"regexp"
	"testing"
)

// The list says of each what it does, where it is from and who is to find it.
func TestList(t *testing.T) {
	test := regexp.MustCompile(`^[a-z/]+ Test[A-Za-z]+$`)
	name := regexp.MustCompile(`^[a-z]+(-[a-z]+)+$`)
	for _, s := range List() {
		if !name.MatchString(string(s.Mutant)) || s.Does == "" || s.From == "" || len(s.Killed) == 0 || !test.MatchString(s.Test) {
			t.Errorf("%+v", s)
		}
		if found, ok := Find(s.Mutant); !ok || found.Does != s.Does {
			t.Errorf("%s is not found", s.Mutant)
		}
	}
	if _, ok := Find("no-such-mutant"); ok {
		t.Error("a mutant was found that doesn't exist")
	}
}
