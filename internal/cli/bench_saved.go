package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// saved is a measurement as it was written to a file: what -o json prints, of whatever command.
type saved struct {
	Command  string          `json:"_command"`
	Version  int             `json:"_version"`
	Topic    string          `json:"topic"`
	Settings json.RawMessage `json:"settings"`
	runDoc

	name string // what to call it: its file, without what all files have in common
}

// tell prints what was measured, as a document or as print does, and keeps it where that was asked for.
func (a *app) tell(t trial, d any, print func() error) error {
	if a.asJSON() {
		print = func() error { return a.json(d) }
	}
	if err := print(); err != nil {
		return err
	}
	return a.keep(t, d)
}

// keep writes a measurement to the files that were asked for.
func (a *app) keep(t trial, d any) error {
	data, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return err
	}
	if t.save != "" {
		if err := os.WriteFile(t.save, append(data, '\n'), 0o644); err != nil {
			return failed("NOT_SAVED", "the result could not be written: %v", err)
		}
		a.note("saved to %s", t.save)
	}
	if t.plot == "" {
		return nil
	}
	s, err := parseSaved(data, "this run")
	if err != nil {
		return err
	}
	return a.plot(t.plot, []saved{s})
}

// maxSaved bounds what is read of a file that should be a measurement, bytes.
const maxSaved = 64 << 20

// loadSaved reads a measurement that --save wrote.
func loadSaved(path string) (saved, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxSaved {
		err = fmt.Errorf("%s is larger than any measurement", path)
	}
	if err != nil {
		return saved{}, failed("NOT_READ", "%v", err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return saved{}, failed("NOT_READ", "%v", err)
	}
	s, err := parseSaved(data, strings.TrimSuffix(filepath.Base(path), ".json"))
	if err != nil {
		return saved{}, failed("NO_MEASUREMENT", "%s: %v", path, err)
	}
	return s, nil
}

func parseSaved(data []byte, name string) (saved, error) {
	s := saved{name: name}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, err
	}
	if !strings.HasPrefix(s.Command, "bench.") || s.Version != 1 || len(s.Flows) == 0 {
		return s, fmt.Errorf("it is no measurement that bench --save wrote")
	}
	return s, nil
}
