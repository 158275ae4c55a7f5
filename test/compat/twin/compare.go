package twin

import (
	"regexp"
	"sort"
	"strings"
)

// difference is one field that differs.
type difference struct {
	api, name, path string
	version         int16
	want, got       string
}

var ofVersion = regexp.MustCompile(`-v\d+\b`)

// key is what a reviewed line matches: versions of one API mostly differ alike.
func (d difference) key() string {
	return ofVersion.ReplaceAllString(d.api+" "+d.name+": "+strings.TrimPrefix(d.path, "."), "-v*")
}

// compare walks both conversations, which have the same steps.
func compare(want, got []answer) []difference {
	var all []difference
	for i, w := range want {
		if i >= len(got) {
			all = append(all, difference{w.api, w.name, "the conversation", w.version, "goes on", "is over"})
			break
		}
		g := got[i]
		paths := map[string]bool{}
		for p := range w.fields {
			paths[p] = true
		}
		for p := range g.fields {
			paths[p] = true
		}
		sorted := make([]string, 0, len(paths))
		for p := range paths {
			sorted = append(sorted, p)
		}
		sort.Strings(sorted)
		var below string // an element only one side has: its fields are not reported one by one
		for _, p := range sorted {
			if below != "" && strings.HasPrefix(p, below) {
				continue
			}
			a, inWant := w.fields[p]
			b, inGot := g.fields[p]
			if a == b && inWant == inGot {
				continue
			}
			if !inWant {
				a = "absent"
			}
			if !inGot {
				b = "absent"
			}
			if !inWant || !inGot {
				below = p
			}
			all = append(all, difference{w.api, w.name, p, w.version, a, b})
		}
	}
	return all
}
