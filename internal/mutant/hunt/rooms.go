package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/milena-io/milena/internal/mutant"
)

// rooms holds that each mutant is a bug by a test of its room: the test that the list names fails with it, and passes without.
func rooms(among []mutant.Mutant) error {
	dir, err := os.MkdirTemp("", "rooms")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var wrong error
	passes := map[string]bool{} // tests, without any mutant
	for _, m := range among {
		s, _ := mutant.Find(m)
		room, name, _ := strings.Cut(s.Test, " ")
		binary := filepath.Join(dir, strings.ReplaceAll(room, "/", "-"))
		if _, err := os.Stat(binary); err != nil {
			if out, err := exec.Command("go", "test", "-c", "-tags", "mutants", "-o", binary, "./internal/"+room).CombinedOutput(); err != nil {
				return fmt.Errorf("go test -c ./internal/%s: %w\n%s", room, err, out)
			}
		}
		fails := func(with mutant.Mutant) bool {
			c := exec.Command(binary, "-test.run", "^"+name+"$", "-test.failfast", "-test.timeout", "5m", "-mutant", string(with))
			c.Dir = filepath.Join("internal", room)
			return c.Run() != nil
		}
		if !passes[s.Test] && fails(mutant.None) {
			wrong = errors.Join(wrong, fmt.Errorf("%s fails without any mutant", s.Test))
			continue
		}
		passes[s.Test] = true
		if !fails(m) {
			wrong = errors.Join(wrong, fmt.Errorf("%s passes with %s", s.Test, m))
		}
	}
	if wrong == nil {
		fmt.Printf("%d seeded bugs are each noticed by a test of their room\n", len(among))
	}
	return wrong
}
