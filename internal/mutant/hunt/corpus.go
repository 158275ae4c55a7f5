package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/milena-io/milena/internal/mutant"
)

// corpus is the directory of the seeds that are kept: a file for each mutant.
type corpus string

// entry is a mutant's file.
type entry struct {
	Mutant mutant.Mutant
	Commit string // at which the seeds were found
	Seeds  uint64 // that it took to find the first
	Kept   []kept
}

func (c corpus) path(m mutant.Mutant) string { return filepath.Join(string(c), string(m)+".json") }

// write keeps what was found of a mutant.
func (c corpus) write(e entry) error {
	b, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	return replace(c.path(e.Mutant), append(b, '\n'))
}

// read returns what is kept of a mutant; ok is false when nothing is.
func (c corpus) read(m mutant.Mutant) (e entry, ok bool, err error) {
	b, err := os.ReadFile(c.path(m))
	if errors.Is(err, fs.ErrNotExist) {
		return e, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &e)
	}
	return e, err == nil, err
}
