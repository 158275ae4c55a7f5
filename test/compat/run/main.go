// Run runs the compatibility suites: real clients and tools against milena, or against Apache Kafka, which must pass
// them too: that is what proves a suite.
//
//	cd test/compat && go run ./run [-broker milena|kafka] [-suite name,name] [-list] [-keep]
//
// It prints passed, failed and skipped per suite and ends with status 1 when anything failed; with CI set, a skip is a
// failure.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/milena-io/milena/test/compat/suite"
)

func main() { os.Exit(run()) }

func run() int {
	system := flag.String("broker", "milena", "the broker to test: milena or kafka")
	only := flag.String("suite", "", "comma-separated names; nothing named: all")
	list := flag.Bool("list", false, "print the suites and stop")
	keep := flag.Bool("keep", false, "keep the working folders, also of green suites")
	flag.Parse()

	all := suites()
	if *list {
		for _, s := range all {
			fmt.Printf("%-14s %s\n", s.Name, s.About)
		}
		return 0
	}
	chosen, err := choose(all, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var total suite.Tally
	lines := make([]string, 0, len(chosen))
	for _, s := range chosen {
		tally, err := one(ctx, s, *system, *keep)
		if err != nil {
			fmt.Fprintln(os.Stderr, "run:", err)
			return 2
		}
		total = total.Add(tally)
		lines = append(lines, fmt.Sprintf("%-14s %s", s.Name, tally))
		if ctx.Err() != nil {
			break
		}
	}
	fmt.Printf("\nAgainst %s:\n%s\n\n%s\n", *system, strings.Join(lines, "\n"), total)
	if total.Failed > 0 || ctx.Err() != nil || (total.Skipped > 0 && os.Getenv("CI") != "") {
		return 1
	}
	return 0
}

func choose(all []suite.Suite, only string) ([]suite.Suite, error) {
	if only == "" {
		return slices.DeleteFunc(slices.Clone(all), func(s suite.Suite) bool { return s.Asked }), nil
	}
	var chosen []suite.Suite
	for _, name := range strings.Split(only, ",") {
		found := false
		for _, s := range all {
			if s.Name == name {
				chosen, found = append(chosen, s), true
			}
		}
		if !found {
			return nil, fmt.Errorf("no suite is called %q; -list prints them", name)
		}
	}
	return chosen, nil
}

func one(ctx context.Context, s suite.Suite, system string, keep bool) (suite.Tally, error) {
	dir, err := os.MkdirTemp("", "milena-compat-"+s.Name+"-")
	if err != nil {
		return suite.Tally{}, err
	}
	fmt.Printf("%s, against %s\n", s.Name, system)
	begin := time.Now()
	tally := suite.Execute(ctx, s, &suite.Session{System: system, Dir: dir, Log: os.Stdout})
	fmt.Printf("%s: %s, in %.0f s\n", s.Name, tally, time.Since(begin).Seconds())
	if tally.Failed > 0 || keep {
		fmt.Printf("  working folder kept: %s\n", filepath.Clean(dir))
		return tally, nil
	}
	return tally, os.RemoveAll(dir)
}
