package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// sample is one measurement of one contestant.
type sample struct {
	Part   string `json:"part"`
	System string `json:"system"`
	Round  int    `json:"round"`
	Short  bool   `json:"short,omitempty"` // of a short run, which a long one does not build on
	Values values `json:"values"`
}

// store keeps samples in a file, a JSON object a line, so that a run that is interrupted goes on where it was.
type store struct {
	path  string
	short bool
	all   []sample
}

func openStore(dir string, short bool) (*store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	s := &store{path: filepath.Join(dir, "samples.jsonl"), short: short}
	f, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var one sample
		if json.Unmarshal(lines.Bytes(), &one) == nil && one.Short == short { // a line that was cut short is measured again
			s.all = append(s.all, one)
		}
	}
	return s, nil
}

func (s *store) save(one sample) error {
	one.Short = s.short
	line, err := json.Marshal(one)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(s.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		f.Close()
		return err
	}
	s.all = append(s.all, one)
	return f.Close()
}

// rounds counts the measurements of a contestant in a part.
func (s *store) rounds(part, system string) int { return len(s.of(part, system, "")) }

// of returns one figure of a contestant in a part, sorted; with an empty name a zero for every measurement.
func (s *store) of(part, system, name string) []float64 {
	var out []float64
	for _, one := range s.all {
		if v, ok := one.Values[name]; one.Part == part && one.System == system && (ok || name == "") {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

// median is the median of one figure of a contestant in a part, NaN when it was not measured: a row that uses it says so.
func (s *store) median(part, system, name string) float64 {
	if m, ok := middle(s.of(part, system, name)); ok {
		return m
	}
	return math.NaN()
}

// middle is the median of what is sorted, and whether there is one.
func middle[T cmp.Ordered](sorted []T) (T, bool) {
	if len(sorted) == 0 {
		var none T
		return none, false
	}
	return sorted[len(sorted)/2], true
}
