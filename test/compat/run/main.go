// Run runs the compatibility suites: real clients and tools against milena, or against Apache Kafka, which must pass
// them too: that is what proves a suite.
//
//	cd test/compat && go run ./run [-broker milena|kafka] [-suite name,name] [-at-once n] [-list] [-keep]
//
// It prints passed, failed and skipped per suite and ends with status 1 when anything failed; with CI set, a skip is a
// failure.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	atOnce := flag.Int("at-once", 1, "how many suites run side by side; of more than one each is printed when it ends")
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
	tallies, err := every(ctx, chosen, *atOnce, func(s suite.Suite, log io.Writer) (suite.Tally, error) { return one(ctx, s, *system, *keep, log) })
	if err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		return 2
	}
	var total suite.Tally
	var lines []string
	for i, s := range chosen {
		if tallies[i] != (suite.Tally{}) {
			total = total.Add(tallies[i])
			lines = append(lines, fmt.Sprintf("%-14s %s", s.Name, tallies[i]))
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

// every runs the suites, some at once, and returns their tallies; none of those that had not begun when the context ended.
func every(ctx context.Context, chosen []suite.Suite, atOnce int, run func(suite.Suite, io.Writer) (suite.Tally, error)) ([]suite.Tally, error) {
	tallies, errs := make([]suite.Tally, len(chosen)), make([]error, len(chosen))
	var next atomic.Int64
	var printing sync.Mutex
	var wg sync.WaitGroup
	for range max(1, atOnce) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(chosen) {
					return
				}
				if atOnce <= 1 {
					tallies[i], errs[i] = run(chosen[i], os.Stdout)
					continue
				}
				var said bytes.Buffer
				tallies[i], errs[i] = run(chosen[i], &said)
				printing.Lock()
				os.Stdout.Write(said.Bytes())
				printing.Unlock()
			}
		})
	}
	wg.Wait()
	return tallies, errors.Join(errs...)
}

func one(ctx context.Context, s suite.Suite, system string, keep bool, log io.Writer) (suite.Tally, error) {
	dir, err := os.MkdirTemp("", "milena-compat-"+s.Name+"-")
	if err != nil {
		return suite.Tally{}, err
	}
	fmt.Fprintf(log, "%s, against %s\n", s.Name, system)
	begin := time.Now()
	tally := suite.Execute(ctx, s, &suite.Session{System: system, Dir: dir, Log: log})
	fmt.Fprintf(log, "%s: %s, in %.0f s\n", s.Name, tally, time.Since(begin).Seconds())
	if tally.Failed > 0 || keep {
		fmt.Fprintf(log, "  working folder kept: %s\n", filepath.Clean(dir))
		return tally, nil
	}
	return tally, os.RemoveAll(dir)
}
