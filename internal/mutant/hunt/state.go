package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/milena-io/milena/internal/mutant"
)

// state is how far a hunt is: it may be broken off at any moment and go on.
type state struct {
	Base  uint64 // the first seed
	Hunts map[mutant.Mutant]*hunted

	path string
}

// hunted is how far the hunt for one mutant is.
type hunted struct {
	Commit string // of the program when its last seed was run
	Tried  uint64 // seeds
	First  uint64 // how many it took to find it; 0 while nobody has
	Dirty  []told `json:",omitempty"` // seeds that fail without the mutant
	Kept   []kept `json:",omitempty"`
	Stuck  []uint64
}

// load reads the state of a hunt, or begins one at a seed.
func load(path string, base uint64) (*state, error) {
	s := &state{Base: base, path: path}
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if err := json.Unmarshal(b, s); err != nil {
			return nil, err
		}
	}
	if s.Hunts == nil {
		s.Hunts = map[mutant.Mutant]*hunted{}
	}
	return s, nil
}

// of is the hunt for a mutant.
func (s *state) of(m mutant.Mutant) *hunted {
	h := s.Hunts[m]
	if h == nil {
		h = &hunted{}
		s.Hunts[m] = h
	}
	return h
}

// next is the mutant that has had the fewest seeds of those that are still to be found, and how many seeds it gets now: as many
// again as it has had, within bounds, so that whatever is easy is found first.
func (s *state) next(among []mutant.Mutant, limit uint64, want int) (m mutant.Mutant, n uint64) {
	var open []mutant.Mutant
	for _, c := range among {
		if h := s.of(c); h.Tried < limit && len(h.Kept) < want {
			open = append(open, c)
		}
	}
	if len(open) == 0 {
		return mutant.None, 0
	}
	m = slices.MinFunc(open, func(a, b mutant.Mutant) int {
		x, y := s.of(a), s.of(b)
		return cmp.Or(cmp.Compare(x.Tried, y.Tried), cmp.Compare(a, b))
	})
	tried := s.of(m).Tried
	return m, min(max(tried, 8), 64, limit-tried)
}

// take notes what became of a seed.
func (s *state) take(m mutant.Mutant, commit string, t told) {
	h := s.of(m)
	h.Commit = commit
	h.Tried++
	if t.Dirty != "" {
		h.Dirty = append(h.Dirty, t)
	}
	if t.Kept != nil {
		if h.First == 0 {
			h.First = h.Tried
		}
		h.Kept = append(h.Kept, *t.Kept)
	}
}

// save writes the state.
func (s *state) save() error {
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	return replace(s.path, b)
}

// replace writes a file as a whole.
func replace(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	part := path + ".part"
	if err := os.WriteFile(part, b, 0o644); err != nil {
		return err
	}
	return os.Rename(part, path)
}
