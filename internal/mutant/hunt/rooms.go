package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/milena-io/milena/internal/mutant"
)

// rooms holds that each mutant is a bug by a test of its room: the test that the list names fails with it, and passes without. These
// tests are the form in which every mutant is killed at every change: unlike a seed they mean the same whatever else changes.
func rooms(among []mutant.Mutant, cores int) error {
	dir, err := os.MkdirTemp("", "rooms")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	tests := map[string][]mutant.Mutant{} // by room and name
	for _, m := range among {
		s, _ := mutant.Find(m)
		tests[s.Test] = append(tests[s.Test], m)
	}
	todo := make(chan roomTest, len(tests))
	for _, t := range sortedTests(tests) {
		room, name, _ := strings.Cut(t, " ")
		rt := roomTest{room: room, name: name, binary: filepath.Join(dir, strings.ReplaceAll(room, "/", "-"))}
		if _, err := os.Stat(rt.binary); err != nil {
			if out, err := exec.Command("go", "test", "-c", "-tags", "mutants", "-o", rt.binary, "./internal/"+room).CombinedOutput(); err != nil {
				return fmt.Errorf("go test -c ./internal/%s: %w\n%s", room, err, out)
			}
		}
		todo <- rt
	}
	close(todo)
	var mu sync.Mutex
	var wrong error
	var wg sync.WaitGroup
	for range cores {
		wg.Go(func() {
			for t := range todo {
				err := t.kills(tests[t.room+" "+t.name])
				mu.Lock()
				wrong = errors.Join(wrong, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if wrong == nil {
		fmt.Printf("%d seeded bugs are each noticed by a test of their room\n", len(among))
	}
	return wrong
}

// sortedTests has the tests of one room follow one another.
func sortedTests(tests map[string][]mutant.Mutant) []string {
	out := make([]string, 0, len(tests))
	for t := range tests {
		out = append(out, t)
	}
	slices.Sort(out)
	return out
}

// roomTest is a test of a room, and the binary that has it.
type roomTest struct{ room, name, binary string }

// kills runs the test without any mutant, which has to pass, and with each, which has to fail.
func (t roomTest) kills(all []mutant.Mutant) (wrong error) {
	if out, fails := t.run(mutant.None); fails {
		return fmt.Errorf("%s %s fails without any mutant:\n%s", t.room, t.name, out)
	}
	for _, m := range all {
		if _, fails := t.run(m); !fails {
			wrong = errors.Join(wrong, fmt.Errorf("%s %s passes with %s", t.room, t.name, m))
		}
	}
	return wrong
}

func (t roomTest) run(with mutant.Mutant) (out []byte, fails bool) {
	c := exec.Command(t.binary, "-test.run", "^"+t.name+"$", "-test.failfast", "-test.timeout", "5m", "-mutant", string(with))
	c.Dir = filepath.Join("internal", t.room)
	out, err := c.CombinedOutput()
	return out, err != nil
}
