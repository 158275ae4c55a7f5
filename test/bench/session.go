package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/milena-io/milena/test/compat/broker"
)

// cellsPart is the part that measures every record size with every number of partitions; its result is a text.
const cellsPart = "cells"

func partNames() []string {
	out := []string{cellsPart, profilesPart}
	for _, p := range parts(false) {
		out = append(out, p.name)
	}
	return out
}

// clusterParts are the parts with three nodes.
const clusterParts = "cluster"

// named are the parts of a list of names of parts and of groups.
func named(list string) ([]string, error) {
	if list == "" {
		return partNames(), nil
	}
	var out []string
	for _, name := range strings.Split(list, ",") {
		n := len(out)
		for _, p := range parts(false) {
			if p.of == name {
				out = append(out, p.name)
			}
		}
		switch {
		case slices.Contains(partNames(), name):
			out = append(out, name)
		case len(out) == n:
			return nil, fmt.Errorf("no part is called %q; there are %s", name, strings.Join(partNames(), ", "))
		}
	}
	return out, nil
}

// session is one call of the program.
type session struct {
	plan    plan
	systems []string // of the part cells
	dir     string   // of results
	which   string   // parts, comma separated
	rounds  int      // of a part at most; 0 for no bound
	keep    bool     // the brokers' folders
}

// run measures the parts that are missing and returns the report of all that was measured, also after an error.
func (s session) run(ctx context.Context) (string, error) {
	cores, err := pin()
	if err != nil {
		return "", err
	}
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "milena-bench-results-"); err != nil {
			return "", err
		}
	}
	log.Printf("results are kept in %s", s.dir)
	results, err := openStore(s.dir, s.plan.short)
	if err != nil {
		return "", err
	}
	restore, err := limitDirty()
	defer restore()
	limited := err == nil
	if err != nil {
		log.Printf("the kernel's limit for unwritten bytes stays as it is: %v", err)
	}
	err = s.measure(ctx, cores, results)
	text, rerr := s.report(cores, results, limited)
	return text, errors.Join(err, rerr)
}

func (s session) measure(ctx context.Context, cores cores, results *store) error {
	work, err := os.MkdirTemp("", "milena-bench-")
	if err != nil {
		return err
	}
	if s.keep {
		log.Printf("the brokers' folders stay in %s", work)
	} else {
		defer os.RemoveAll(work)
	}
	chosen, err := named(s.which)
	if err != nil {
		return err
	}
	cache := &filler{dir: filepath.Join(work, "fill"), off: !s.plan.fill}
	for _, p := range parts(s.plan.short) {
		if !slices.Contains(chosen, p.name) {
			continue
		}
		if s.rounds > 0 {
			p.rounds = min(p.rounds, s.rounds)
			for name, n := range p.atMost {
				p.atMost[name] = min(n, s.rounds)
			}
		}
		if p.of == clusterParts {
			p.also = slices.DeleteFunc(p.also, func(name string) bool { return !slices.Contains(s.systems, name) })
		}
		l := &lab{part: p, short: s.plan.short, keep: s.keep, cores: cores, dir: filepath.Join(work, p.name), cache: cache, nodes: map[string]broker.Broker{}}
		if err := os.MkdirAll(l.dir, 0o755); err != nil {
			return err
		}
		if err := l.run(ctx, results); err != nil {
			return fmt.Errorf("part %s: %w", p.name, err)
		}
		if s.keep {
			continue
		}
		if err := os.RemoveAll(l.dir); err != nil {
			return err
		}
	}
	if err := s.text(chosen, cellsPart, func() (string, error) { return cells(ctx, s.plan, s.systems, cores) }); err != nil {
		return err
	}
	return s.text(chosen, profilesPart, func() (string, error) { return profiles(ctx, s.plan, cores, work) })
}

// text measures a part whose result is a text, unless there is one.
func (s session) text(chosen []string, name string, measure func() (string, error)) error {
	if !slices.Contains(chosen, name) {
		return nil
	}
	if _, err := os.Stat(s.textPath(name)); err == nil {
		log.Printf("%s: measured already", name)
		return nil
	}
	text, err := measure()
	if err != nil {
		return fmt.Errorf("part %s: %w", name, err)
	}
	return os.WriteFile(s.textPath(name), []byte(text), 0o644)
}

func (s session) textPath(name string) string { return filepath.Join(s.dir, name+".md") }

// report is the whole page.
func (s session) report(cores cores, results *store, limited bool) (string, error) {
	var b strings.Builder
	b.WriteString("# Benchmarks\n\nMilena beside Apache Kafka, measured by `make bench`")
	if s.plan.short {
		b.WriteString(" in its short form (`cd test/bench && go run . -short`): good for a first look, too short to quote")
	}
	b.WriteString(".\nFigures move from machine to machine; the ratios are what counts.\n\n")
	fmt.Fprintf(&b, "Machine: %s. Broker on core %s, client on core %s.\n\n", machine(), or(cores.broker, "any"), or(cores.client, "any"))
	if len(results.all) > 0 {
		b.WriteString("## The aims\n\n")
		b.WriteString(aimTable(results))
		fmt.Fprintf(&b, "\n%s\n", s.conditions(limited))
		b.WriteString(coldTable(results))
		b.WriteString(scaleTable(results))
		b.WriteString(clusterSection(results))
	}
	for _, name := range []string{profilesPart, cellsPart} {
		text, err := os.ReadFile(s.textPath(name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return b.String(), err
		}
		b.Write(text)
	}
	return b.String(), nil
}

// conditions says how the aims were measured.
func (s session) conditions(limited bool) string {
	var b strings.Builder
	p := parts(s.plan.short)
	fmt.Fprintf(&b, "Medians of %d rounds; in every round the contestants were measured one after the other, who began changing from round to round, "+
		"the others idle. Each broker was warmed for %s with 1,000 requests a second of 16 KiB. ", p[0].rounds, s.plan.warm)
	if s.plan.fill {
		b.WriteString("The page cache was full before every measurement. ")
	} else {
		b.WriteString("The page cache was **not** filled first: figures of writes carry the first touch of fresh pages. ")
	}
	if limited {
		fmt.Fprintf(&b, "The kernel held back at most %d MiB of writes (`vm.dirty_bytes`). ", dirtyLimit>>20)
	} else {
		b.WriteString("The kernel held back as much of writes as it is set to. ")
	}
	b.WriteString("The client sends requests that are encoded beforehand (`test/bench/raw`): Produce v7 with acks=all, one batch of one partition, 16 connections " +
		"with 5 requests under way; Fetch v11 of one partition, 4 connections. `kafka` has its start script's flags and a heap of 1 GiB; both brokers check every " +
		"record (`milena.validate=full`). `milena` acknowledges what is on stable storage, `milena-cache` (`milena.durability=cache`) and `kafka` what is in the page " +
		"cache. `bare` is a loop that decides nothing (`test/bench/bare`): it reads requests and writes them into files, answers them by sendfile, or writes and syncs.\n")
	return b.String()
}
