package crash

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden traces anew")

// The order of writes, syncs and renames is reviewed: what changes it changes testdata.
func TestGoldenTraces(t *testing.T) {
	for _, sc := range Scenarios() {
		if !sc.Golden {
			continue
		}
		t.Run(sc.Name, func(t *testing.T) {
			s, err := Tell(sc, 1)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", sc.Name+".trace")
			if *update {
				if err := os.WriteFile(path, []byte(s.Trace()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Trace(); got != string(want) {
				t.Errorf("the order of writes, syncs and renames is another; go test ./internal/crash -run TestGoldenTraces -update writes\n%s", got)
			}
		})
	}
}
