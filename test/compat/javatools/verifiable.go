package javatools

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// span is a partition as the verifiable tools name it, with the offsets of what was consumed.
type span struct {
	Partition int32 `json:"partition"`
	MinOffset int64 `json:"minOffset"`
	MaxOffset int64 `json:"maxOffset"`
}

// line is one line of a verifiable tool's output.
type line struct {
	Name       string `json:"name"`
	Acked      int    `json:"acked"`
	Sent       int    `json:"sent"`
	Partitions []span `json:"partitions"`
}

// heard is a line and the consumer that said it; the last one of a consumer is not open.
type heard struct {
	member int
	line   line
	open   bool
}

// group follows verifiable consumers: what each owns and how far each partition was read.
type group struct {
	commands []*exec.Cmd
	said     chan heard
	owns     [][]int32
	next     map[int32]int64
	ended    map[int]bool
}

// join starts one more consumer of the group.
func (g *group) join(ctx context.Context, bootstrap, topic string) error {
	cmd, err := Command(ctx, "kafka-verifiable-consumer", "--bootstrap-server", bootstrap, "--topic", topic,
		"--group-id", "verifiable-group", "--session-timeout", "6000", "--group-protocol", "classic", "--reset-policy", "earliest")
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	member := len(g.commands)
	g.commands, g.owns = append(g.commands, cmd), append(g.owns, nil)
	go func() {
		for scan := bufio.NewScanner(out); scan.Scan(); {
			var l line
			if json.Unmarshal(scan.Bytes(), &l) == nil {
				g.said <- heard{member, l, true}
			}
		}
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		g.said <- heard{member: member}
	}()
	return nil
}

// until takes what the consumers say until done. A consumer that ends though nobody ended it is an error.
func (g *group) until(ctx context.Context, what string, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !done() {
		select {
		case h := <-g.said:
			if !h.open && !g.ended[h.member] {
				return fmt.Errorf("waiting until %s: consumer %d ended", what, h.member)
			}
			if err := g.hear(h.member, h.line); err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: owned %v, read %v: %w", what, g.owns, g.next, ctx.Err())
		}
	}
	return nil
}

func (g *group) hear(member int, l line) error {
	if g.ended[member] {
		return nil
	}
	for _, p := range l.Partitions {
		switch l.Name {
		case "partitions_assigned":
			g.owns[member] = append(g.owns[member], p.Partition)
		case "partitions_revoked":
			g.owns[member] = slices.DeleteFunc(g.owns[member], func(have int32) bool { return have == p.Partition })
		case "records_consumed":
			if p.MinOffset > g.next[p.Partition] {
				return fmt.Errorf("partition %d: offset %d came after %d", p.Partition, p.MinOffset, g.next[p.Partition]-1)
			}
			g.next[p.Partition] = max(g.next[p.Partition], p.MaxOffset+1)
		}
	}
	return nil
}

// shared says whether the consumers that live own all partitions between them, each one once.
func (g *group) shared(partitions int) bool {
	var all []int32
	for i, owned := range g.owns {
		if !g.ended[i] {
			if len(owned) == 0 {
				return false
			}
			all = append(all, owned...)
		}
	}
	slices.Sort(all)
	return len(all) == partitions && len(slices.Compact(all)) == partitions
}

func (g *group) read() int {
	sum := 0
	for _, next := range g.next {
		sum += int(next)
	}
	return sum
}

// end ends one consumer with a signal and forgets what it owned.
func (g *group) end(member int, signal syscall.Signal) {
	g.ended[member] = true
	_ = g.commands[member].Process.Signal(signal)
}

// verifiable: three consumers share a topic; one is killed; the other two take over and skip nothing.
func (b *bench) verifiable() error {
	const topic, partitions, most = "verifiable", 6, 4000
	if err := b.create(topic, partitions); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(b.ctx)
	defer stop()
	g := &group{said: make(chan heard, 1<<14), next: map[int32]int64{}, ended: map[int]bool{}}
	for range 3 {
		if err := g.join(ctx, b.node.Bootstrap(), topic); err != nil {
			return err
		}
	}
	if err := g.until(ctx, "three share", func() bool { return g.shared(partitions) }); err != nil {
		return err
	}
	if err := b.produceVerifiably(ctx, topic, most); err != nil {
		return err
	}
	if err := g.until(ctx, "all is read", func() bool { return g.read() >= most }); err != nil {
		return err
	}
	g.end(1, syscall.SIGKILL)
	if err := g.until(ctx, "two share", func() bool { return g.shared(partitions) }); err != nil {
		return err
	}
	if err := b.produceVerifiably(ctx, topic, most); err != nil {
		return err
	}
	if err := g.until(ctx, "all of the second half is read", func() bool { return g.read() >= 2*most }); err != nil {
		return err
	}
	g.end(0, syscall.SIGTERM)
	g.end(2, syscall.SIGTERM)
	return nil
}

func (b *bench) produceVerifiably(ctx context.Context, topic string, n int) error {
	out, err := Run(ctx, "kafka-verifiable-producer", "--bootstrap-server", b.node.Bootstrap(), "--topic", topic,
		"--max-messages", fmt.Sprint(n), "--acks", "-1")
	if err != nil {
		return err
	}
	return acknowledged(out, n)
}

// acknowledged wants n acknowledgements in the last line a verifiable producer wrote.
func acknowledged(out string, n int) error {
	rows := strings.Split(strings.TrimSpace(out), "\n")
	for i := len(rows) - 1; i >= 0; i-- {
		var l line
		if json.Unmarshal([]byte(rows[i]), &l) == nil && l.Name == "tool_data" {
			if l.Sent != n || l.Acked != n {
				return fmt.Errorf("kafka-verifiable-producer: %d sent, %d acknowledged, want %d", l.Sent, l.Acked, n)
			}
			return nil
		}
	}
	return fmt.Errorf("kafka-verifiable-producer printed no tool_data:\n%s", rows[len(rows)-1])
}

// verifiableRestart: the producer goes on over a restart and a kill of the broker, and all it sent is there once.
func (b *bench) verifiableRestart() error {
	const topic, n = "verifiable-restart", 3000
	if err := b.create(topic, 1); err != nil {
		return err
	}
	// Left alone the tool does not retry.
	config := filepath.Join(b.dir, "verifiable-producer.properties")
	if err := os.WriteFile(config, []byte("retries=2147483647\nenable.idempotence=true\n"), 0o644); err != nil {
		return err
	}
	cmd, err := Command(b.ctx, "kafka-verifiable-producer", "--bootstrap-server", b.node.Bootstrap(), "--topic", topic,
		"--max-messages", fmt.Sprint(n), "--acks", "-1", "--throughput", "500", "--command-config", config)
	if err != nil {
		return err
	}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	var out strings.Builder
	successes := 0
	for scan := bufio.NewScanner(pipe); scan.Scan(); {
		out.WriteString(scan.Text() + "\n")
		if strings.Contains(scan.Text(), "producer_send_success") {
			successes++
		}
		for at, end := range map[int]func() error{500: b.node.Stop, 1500: b.node.Kill9} {
			if successes != at || !strings.Contains(scan.Text(), "producer_send_success") {
				continue
			}
			if err := end(); err != nil {
				return err
			}
			if err := b.node.Start(b.ctx); err != nil {
				return err
			}
		}
	}
	if err := acknowledged(out.String(), n); err != nil {
		return err
	}
	return b.expect([]string{fmt.Sprintf("%s:0:%d\n", topic, n)}, "kafka-get-offsets", "--topic", topic)
}
