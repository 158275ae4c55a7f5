package crash

import (
	"bufio"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The images bite: for every sync of the golden traces there is a story in which some image breaks a promise when just that
// sync does nothing. A sync that nobody ever misses is one too many, or the checkers are too weak; what stays all the same
// stands in testdata/unmissed.txt with its reason, a list that may only shrink.
func TestEverySyncIsNeeded(t *testing.T) {
	kinds := map[string]bool{} // whether it was missed
	var mu sync.Mutex
	t.Run("stories", func(t *testing.T) {
		for _, sc := range Scenarios() {
			if !sc.Golden {
				continue
			}
			t.Run(sc.Name, func(t *testing.T) {
				t.Parallel()
				s, err := Tell(sc, 1)
				if err != nil {
					t.Fatal(err)
				}
				for _, y := range s.Syncs() {
					kind := kindOf(y)
					mu.Lock()
					done := kinds[kind]
					mu.Unlock()
					if done {
						continue
					}
					_, err := s.Drop(sc, y, 40)
					mu.Lock()
					kinds[kind] = kinds[kind] || err != nil
					mu.Unlock()
				}
			})
		}
	})
	excused := excuses(t)
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		if missed := kinds[kind]; !missed && !excused[kind] {
			t.Errorf("%s: nobody misses it", kind)
		} else if missed && excused[kind] {
			t.Errorf("%s: it is missed, so take it out of testdata/unmissed.txt", kind)
		}
	}
	for kind := range excused {
		if _, found := kinds[kind]; !found {
			t.Errorf("%s: no story has it any more, so take it out of testdata/unmissed.txt", kind)
		}
	}
}

var (
	paired = regexp.MustCompile(`#\.producers`) // goes and comes with the snapshot
	digits = regexp.MustCompile(`[0-9]{20}(-[0-9]{10})?`)
	logs   = regexp.MustCompile(`\b(t|__cluster_metadata|__consumer_offsets)-0\b`)
)

// kindOf names a sync without the offsets in its file's name and without the partition: the call, what is synced, and of a
// directory the last change of a name that it makes durable.
func kindOf(y Sync) string {
	text := y.Text
	if y.After != "" {
		text += " after " + y.After
	}
	return logs.ReplaceAllString(y.Chapter+": "+paired.ReplaceAllString(digits.ReplaceAllString(text, "#"), "#.snapshot"), "t-0")
}

// excuses reads the list: a kind on each line, and its reasons in the lines before it, behind a #.
func excuses(t *testing.T) map[string]bool {
	f, err := os.Open("testdata/unmissed.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[string]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if line := strings.TrimSpace(lines.Text()); line != "" && line[0] != '#' {
			out[line] = true
		}
	}
	return out
}
