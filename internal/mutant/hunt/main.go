// Command hunt looks for the seeded bugs of internal/mutant with the simulator: for each it runs fresh seeds until one fails
// that doesn't fail without the bug. `make mutants` runs it, built with -tags mutants.
//
// It owns the seeds that are kept (internal/sim/testdata/mutants), the score and the table in docs/testing.md, and writes
// nothing else but its own state, from which it goes on when it was broken off. It runs one process per core, since a process
// runs one simulation at a time. It is no part of the product, and nobody imports it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"time"

	"github.com/milena-io/milena/internal/mutant"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "hunt:", err)
		os.Exit(1)
	}
}

func run() error {
	h := hunter{}
	var only, root string
	var base, from, n uint64
	var walks bool
	flag.BoolVar(&walks, "walk", false, "run seeds with one mutant, and tell of each: what the processes of a hunt do")
	flag.Uint64Var(&from, "from", 1, "of -walk, the first seed")
	flag.Uint64Var(&n, "n", 1, "of -walk, how many seeds")
	flag.IntVar(&h.shrinks, "shrinks", 30, "how many runs it may take to make a seed that is kept smaller")
	flag.IntVar(&h.want, "keep", 3, "how many seeds to keep of each mutant")
	flag.Uint64Var(&h.limit, "seeds", 20_000, "how many seeds each mutant has at most")
	flag.DurationVar(&h.length, "for", 0, "how long to hunt; 0 for until every mutant is found or has had its seeds")
	flag.DurationVar(&h.patience, "patience", 3*time.Minute, "how long one seed may take before its process is given up")
	flag.IntVar(&h.cores, "j", runtime.NumCPU(), "how many processes")
	flag.StringVar(&only, "only", "", "these mutants alone, with commas between")
	flag.StringVar(&root, "root", ".", "the module's root")
	flag.StringVar(&h.commit, "commit", "unknown", "the commit that is hunted in")
	statePath := flag.String("state", "bin/mutants.json", "the state of the hunt")
	flag.Uint64Var(&base, "base", uint64(time.Now().UnixNano()), "the first seed of a new hunt")
	byRooms := flag.Bool("rooms", false, "hold each mutant against the test of its room that the list names, and hunt for none")
	refresh := flag.Bool("refresh", false, "hunt again for those whose kept seeds find them no more")
	flag.Parse()
	if walks {
		w := walk{mutant: mutant.Switched(), from: from, n: n, want: h.want, shrinks: h.shrinks, run: simulate}
		return w.walk(os.Stdout)
	}
	if !mutant.Built {
		return mutant.Switch("any")
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	for _, s := range mutant.List() {
		if only == "" || strings.Contains(","+only+",", ","+string(s.Mutant)+",") {
			h.among = append(h.among, s.Mutant)
		}
	}
	if *byRooms {
		return rooms(h.among, h.cores)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if h.state, err = load(*statePath, base); err != nil {
		return err
	}
	if *refresh {
		if err := h.refresh(); err != nil {
			return err
		}
	}
	return h.hunt(ctx)
}
