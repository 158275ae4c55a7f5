//go:build !mutants

package mutant

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A normal binary has neither a line of this package nor the name of a mutant: what asks for them is gone before it is linked.
func TestANormalBinaryHasNone(t *testing.T) {
	out := filepath.Join(t.TempDir(), "milena")
	build := exec.Command("go", "build", "-o", out, "../../cmd/milena")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, said)
	}
	symbols, err := exec.Command("go", "tool", "nm", out).Output()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(symbols, []byte("milena/internal/partition.")) {
		t.Fatal("the symbols of the binary name no package")
	}
	if bytes.Contains(symbols, []byte("milena/internal/mutant.")) {
		t.Error("the binary has code or data of internal/mutant")
	}
	binary, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range List() {
		if bytes.Contains(binary, []byte(s.Mutant)) {
			t.Errorf("the binary has the text %q", s.Mutant)
		}
	}
	if On(IgnoredMember) || Built {
		t.Error("a mutant is on in a normal build")
	}
}
