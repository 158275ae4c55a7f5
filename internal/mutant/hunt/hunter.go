package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/milena-io/milena/internal/mutant"
)

// The files that a hunt writes, from the module's root.
const (
	keptDir   = "internal/sim/testdata/mutants"
	scoreFile = "internal/sim/testdata/score.txt"
	docsPage  = "docs/testing.md"
)

// hunter has processes walk seeds, and keeps what they find.
type hunter struct {
	among    []mutant.Mutant
	want     int
	shrinks  int
	limit    uint64
	length   time.Duration
	patience time.Duration
	cores    int
	commit   string

	mu    sync.Mutex
	state *state
	busy  map[mutant.Mutant]bool
}

// hunt goes on until there is nothing more to hunt for, or the time is over.
func (h *hunter) hunt(ctx context.Context) error {
	if h.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, h.length)
		defer cancel()
	}
	h.busy = map[mutant.Mutant]bool{}
	failed := make(chan error, h.cores)
	for range h.cores {
		go func() { failed <- h.work(ctx) }()
	}
	var err error
	for range h.cores {
		err = errors.Join(err, <-failed)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := errors.Join(err, h.write()); err != nil {
		return err
	}
	fmt.Print(score(h.state, h.commit, today()))
	return nil
}

func today() string { return time.Now().UTC().Format(time.DateOnly) }

// work is one process after another.
func (h *hunter) work(ctx context.Context) error {
	for ctx.Err() == nil {
		m, from, n := h.claim()
		if m == mutant.None {
			return nil
		}
		err := h.walk(ctx, m, from, n)
		h.mu.Lock()
		delete(h.busy, m)
		err = errors.Join(err, h.write())
		h.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// claim takes the next mutant and its seeds.
func (h *hunter) claim() (m mutant.Mutant, from, n uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var free []mutant.Mutant
	for _, c := range h.among {
		if !h.busy[c] {
			free = append(free, c)
		}
	}
	m, n = h.state.next(free, h.limit, h.want)
	if m != mutant.None {
		h.busy[m] = true
	}
	return m, h.state.Base + h.state.of(m).Tried, n
}

// walk has a process of its own run seeds, and takes what it tells. One that stands still is ended: a simulation that never
// ends is not a finding of a checker, but the seed is noted.
func (h *hunter) walk(ctx context.Context, m mutant.Mutant, from, n uint64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h.mu.Lock()
	left := h.want - len(h.state.of(m).Kept)
	h.mu.Unlock()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c := exec.CommandContext(ctx, self, "-walk", "-mutant", string(m), "-from", fmt.Sprint(from), "-n", fmt.Sprint(n), "-keep", fmt.Sprint(left), "-shrinks", fmt.Sprint(h.shrinks))
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return err
	}
	var stuck atomic.Bool
	watch := time.AfterFunc(h.patience, func() { stuck.Store(true); cancel() })
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	next := from
	for lines.Scan() {
		watch.Reset(h.patience)
		var t told
		if err := json.Unmarshal(lines.Bytes(), &t); err != nil {
			return err
		}
		next = t.Seed + 1
		h.mu.Lock()
		h.state.take(m, h.commit, t)
		h.mu.Unlock()
		if t.Kept != nil {
			fmt.Printf("%s: seed %d: %s\n", m, t.Seed, t.Kept.Finding)
		}
	}
	watch.Stop()
	err = c.Wait()
	if stuck.Load() {
		h.mu.Lock()
		h.state.of(m).Tried++
		h.state.of(m).Stuck = append(h.state.of(m).Stuck, next)
		h.mu.Unlock()
		return nil
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// write makes durable what is known. Called with the mutex held.
func (h *hunter) write() error {
	err := h.state.save()
	for m, x := range h.state.Hunts {
		if len(x.Kept) > 0 {
			err = errors.Join(err, corpus(keptDir).write(entry{Mutant: m, Commit: x.Commit, Seeds: x.First, Kept: x.Kept}))
		}
	}
	return errors.Join(err, replace(scoreFile, []byte(score(h.state, h.commit, today()))), publish(docsPage, table(h.state)))
}

// refresh forgets the mutants whose kept seeds find them no more: a change of the program has every seed run otherwise.
func (h *hunter) refresh() error {
	for _, m := range h.among {
		e, ok, err := corpus(keptDir).read(m)
		if err != nil {
			return err
		}
		still := false
		for i := range e.Kept {
			r, err := simulate(m, e.Kept[i].Seed, e.Kept[i].options())
			if err != nil {
				return err
			}
			still = still || r.Failed()
		}
		if ok && !still {
			fmt.Printf("%s is not found by its seeds any more\n", m)
			delete(h.state.Hunts, m)
		}
	}
	return nil
}
