package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/milena-io/milena/test/bench/raw"
	"github.com/milena-io/milena/test/compat/broker"
)

// profilesPart is the part that profiles the two hot loops; its result is a text.
const profilesPart = "profiles"

// remarks say what is left in the hot loops and why; people write them, after looking at the profiles.
//
//go:embed remarks.md
var remarks string

// hotLoop is a load that keeps a broker busy until it is told to stop.
type hotLoop struct {
	name string
	run  func(ctx context.Context, addr string) error
}

// profiled is how long a profile is taken. Produced bytes come to at most 20 GB at this.
func profiled(brief bool) time.Duration {
	if brief {
		return 3 * time.Second
	}
	return 8 * time.Second
}

// profiles takes profiles of CPU and of allocations from a broker while it takes batches, and while it answers fetches.
func profiles(ctx context.Context, p plan, cores cores, work string) (string, error) {
	dir := filepath.Join(work, profilesPart)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	port, err := broker.FreePort()
	if err != nil {
		return "", err
	}
	page := fmt.Sprintf("127.0.0.1:%d", port)
	_, keys := contestant("milena-cache")
	keys["milena.metrics.listeners"] = page
	n, err := broker.New("milena", broker.Options{Dir: dir, Overrides: keys, CPUs: cores.broker})
	if err != nil {
		return "", err
	}
	if err := n.Start(ctx); err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	defer n.Kill9()
	l := &lab{short: p.short, cores: cores, dir: dir, nodes: map[string]broker.Broker{"milena-cache": n}}
	if err := l.topic(ctx, n, "produced", 6); err != nil {
		return "", err
	}
	if err := fillForFetch(ctx, l); err != nil {
		return "", err
	}
	last, err := ends(ctx, n, toFetch, fetchPartitions)
	if err != nil {
		return "", err
	}
	loops := []hotLoop{
		{"Produce, 1 KiB records in batches of 64 KiB", func(ctx context.Context, addr string) error {
			_, _, err := producing(addr).Saturate(ctx, time.Hour, math.MaxInt64)
			return err
		}},
		{"Fetch, sections of 64 KiB", fetching(last, 64<<10)},
		{"Fetch, sections of 1 MiB", fetching(last, 1<<20)},
	}
	var b strings.Builder
	b.WriteString("## Profiles of the hot loops\n\n" + remarks)
	for _, loop := range loops {
		log.Printf("%s: %s", profilesPart, loop.name)
		text, err := loop.profile(ctx, n, page, dir, profiled(p.short))
		if err != nil {
			return "", fmt.Errorf("%s: %w", loop.name, err)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

func fetching(last []int64, section int32) func(context.Context, string) error {
	return func(ctx context.Context, addr string) error {
		_, _, err := raw.Drain{Addr: addr, Topic: toFetch, MaxBytes: section, Readers: fetchReaders, WaitMs: 500}.All(ctx, last, math.MaxInt32)
		return err
	}
}

// profile runs the loop, takes both profiles and renders them.
func (h hotLoop) profile(ctx context.Context, n broker.Broker, page, dir string, how time.Duration) (string, error) {
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- h.run(running, n.Bootstrap()) }()
	defer stop()
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n", h.name)
	for _, kind := range []struct{ title, path, unit string }{
		{"CPU", "profile", "ms"},
		{"Allocations", "allocs", "kb"},
	} {
		url := fmt.Sprintf("http://%s/debug/pprof/%s?seconds=%d", page, kind.path, int(how.Seconds()))
		file := filepath.Join(dir, kind.path+".pb.gz")
		if err := download(ctx, url, file); err != nil {
			return "", err
		}
		top, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-nodecount=16", "-unit="+kind.unit, file).Output()
		if err != nil {
			return "", fmt.Errorf("go tool pprof: %w", err)
		}
		fmt.Fprintf(&b, "%s, %s:\n\n```\n%s```\n\n", kind.title, how, figuresOf(string(top)))
	}
	stop()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		return "", err
	}
	return b.String(), nil
}

// figuresOf leaves out what names the file, the build and the minute.
func figuresOf(top string) string {
	if at := strings.Index(top, "Showing nodes"); at >= 0 {
		return top[at:]
	}
	return top
}

func download(ctx context.Context, url, file string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, resp.Status)
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, resp.Body)
	return errors.Join(err, f.Close())
}
