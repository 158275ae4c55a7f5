package javatools

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/suite"
)

// movesBench is a node with two log directories, between which replicas move.
type movesBench struct {
	dirsBench
	sent  int
	flows chan error // what became of the producer that writes meanwhile
}

func runMoves(ctx context.Context, s *suite.Session) error {
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute)
	defer cancel()
	second := filepath.Join(s.Dir, "second")
	node, err := broker.New(s.System, broker.Options{Dir: filepath.Join(s.Dir, "broker"), MoreDirs: []string{second}})
	if err != nil {
		return err
	}
	if err := node.Start(ctx); err != nil {
		return err
	}
	defer node.Kill9()
	b := &movesBench{dirsBench: dirsBench{bench{ctx: ctx, node: node, dir: s.Dir}, second}}
	for _, c := range []struct {
		name string
		run  func() error
	}{
		{"records are written", func() error {
			return steps(func() error { return b.create("t", 4) }, func() error { return b.produce(20_000) })
		}},
		{"all partitions move to the second directory, throttled, while records are written", func() error { return b.gather(b.second) }},
		{"every record is read once", b.complete},
		{"and back, over a restart", func() error {
			return steps(func() error { return b.execute(b.node.DataDir()) }, b.node.Stop, func() error { return b.node.Start(b.ctx) },
				func() error { return b.arrive(b.node.DataDir()) }, b.complete)
		}},
		{"a directory that is not there is refused", func() error {
			out, err := b.reassign(filepath.Join(b.dir, "third"))
			if !strings.Contains(out, "LogDirNotFound") && !strings.Contains(out, "not found in the config") && !strings.Contains(fmt.Sprint(err), "LogDirNotFound") {
				return fmt.Errorf("kafka-reassign-partitions: %v\n%s", err, out)
			}
			return nil
		}},
	} {
		s.Case(c.name, c.run)
	}
	return node.Stop()
}

// produce writes numbered records with acks=all.
func (b *movesBench) produce(n int) error {
	b.sent += n
	return b.produceVerifiably(b.ctx, "t", n)
}

// reassign asks for all partitions in one directory.
func (b *movesBench) reassign(dir string, more ...string) (string, error) {
	type replica struct {
		Topic     string   `json:"topic"`
		Partition int      `json:"partition"`
		Replicas  []int    `json:"replicas"`
		LogDirs   []string `json:"log_dirs"`
	}
	plan := struct {
		Version    int       `json:"version"`
		Partitions []replica `json:"partitions"`
	}{Version: 1}
	for i := range 4 {
		plan.Partitions = append(plan.Partitions, replica{"t", i, []int{1}, []string{dir}})
	}
	text, err := json.Marshal(plan)
	if err != nil {
		return "", err
	}
	file := filepath.Join(b.dir, "plan.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return "", err
	}
	return b.tool("kafka-reassign-partitions", append([]string{"--reassignment-json-file", file, "--execute"}, more...)...)
}

func (b *movesBench) execute(dir string) error {
	out, err := b.reassign(dir, "--replica-alter-log-dirs-throttle", "2000000")
	if err != nil {
		return err
	}
	return contains("kafka-reassign-partitions", out, "Successfully started partition reassignment", "Successfully started moving log directory to "+dir)
}

// gather moves everything into one directory with a producer at work.
func (b *movesBench) gather(dir string) error {
	b.flows = make(chan error, 1)
	go func() { b.flows <- b.produceVerifiably(b.ctx, "t", 20_000) }()
	b.sent += 20_000
	return steps(func() error { return b.execute(dir) }, func() error { return <-b.flows }, func() error { return b.arrive(dir) })
}

// arrive waits until kafka-log-dirs shows all four partitions in a directory, none of them on its way.
func (b *movesBench) arrive(dir string) error {
	for {
		got, _, err := b.state()
		if err == nil && got[dir] == "t-0 t-1 t-2 t-3" {
			return nil
		}
		select {
		case <-b.ctx.Done():
			return fmt.Errorf("the partitions are %q, %v", got, err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// complete wants each record that was acknowledged, once.
func (b *movesBench) complete() error {
	out, err := b.tool("kafka-console-consumer", "--topic", "t", "--from-beginning", "--timeout-ms", "8000")
	seen := map[string]int{}
	for line := range strings.Lines(out) {
		seen[strings.TrimSpace(line)]++
	}
	for i := range 20_000 {
		if got := seen[fmt.Sprint(i)]; got != b.sent/20_000 { // each producer counts from 0
			return fmt.Errorf("record %d is there %d times, want %d (%v)", i, got, b.sent/20_000, err)
		}
	}
	return nil
}
