package javatools

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/suite"
)

// runCompaction writes one history to a compacted topic of the broker and then, after it has ended, to one of Apache Kafka;
// both compact it at once and are stopped, and kafka-dump-log reads what is left of each: the same offsets, keys and values.
func runCompaction(ctx context.Context, s *suite.Session) error {
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute)
	defer cancel()
	h := newHistory()
	var ours, kafkas []string
	s.Case("a compacted partition, and kafka-dump-log of every file of it", func() (err error) {
		ours, err = h.live(ctx, s.System, filepath.Join(s.Dir, "broker"))
		return err
	})
	s.Case("the last record of every key is left, where it was", func() error { return h.holds(ours) })
	s.Case("Apache Kafka's cleaner leaves the same", func() (err error) {
		if kafkas, err = h.live(ctx, "kafka", filepath.Join(s.Dir, "kafka")); err != nil {
			return err
		}
		if !slices.Equal(ours, kafkas) {
			return fmt.Errorf("left here:\n%s\nleft by Apache Kafka:\n%s", strings.Join(ours, "\n"), strings.Join(kafkas, "\n"))
		}
		return nil
	})
	return nil
}

// history is what is produced, round by round; each begins a new segment. The last record stays in the active one.
type history struct {
	rounds [][]string // "key:value", where NULL is a tombstone
	last   map[string]string
	end    int
}

func newHistory() *history {
	h := &history{last: map[string]string{}}
	for round := range 4 {
		var lines []string
		for i := range 60 {
			key, value := fmt.Sprint("key-", (i*7+round)%(23-round)), fmt.Sprint("value-", round, "-", i)
			if (i+round)%11 == 0 {
				value = "NULL"
			}
			lines = append(lines, key+":"+value)
		}
		lines = append(lines, fmt.Sprintf("once-%d:%s", round, strings.Repeat("x", 300)))
		h.rounds = append(h.rounds, lines)
	}
	for _, lines := range h.rounds {
		for _, line := range lines {
			key, value, _ := strings.Cut(line, ":")
			h.last[key] = fmt.Sprintf("%d %s %s", h.end, key, strings.ReplaceAll(value, "NULL", "null"))
			h.end++
		}
	}
	h.rounds = append(h.rounds, []string{"active:stays"})
	h.last["active"] = fmt.Sprintf("%d active stays", h.end)
	return h
}

// live is one life of a node: the history, a compaction of all of it, a clean stop. It returns the records that are left.
func (h *history) live(ctx context.Context, system, dir string) ([]string, error) {
	node, err := broker.New(system, broker.Options{Dir: dir, Overrides: map[string]string{
		"log.cleaner.backoff.ms": "200", "log.segment.delete.delay.ms": "100",
	}})
	if err != nil {
		return nil, err
	}
	if err := node.Start(ctx); err != nil {
		return nil, err
	}
	defer node.Kill9()
	b := &bench{ctx: ctx, node: node, dir: dir}
	const segmentMs = 1000
	if err := b.create("c", 1, "--config", "cleanup.policy=compact", "--config", fmt.Sprint("segment.ms=", segmentMs),
		"--config", "min.cleanable.dirty.ratio=0.01"); err != nil {
		return nil, err
	}
	for _, lines := range h.rounds {
		_, err := Feed(ctx, strings.Join(lines, "\n")+"\n", "kafka-console-producer", "--bootstrap-server", node.Bootstrap(), "--topic", "c",
			"--property", "parse.key=true", "--property", "key.separator=:", "--property", "null.marker=NULL", "--producer-property", "batch.size=512")
		if err != nil {
			return nil, err
		}
		time.Sleep(segmentMs * time.Millisecond) // the next record finds the segment too old: the tool's own start takes no less
	}
	partition := filepath.Join(node.DataDir(), "c-0")
	if err := h.compacted(ctx, node.DataDir()); err != nil {
		return nil, err
	}
	if err := node.Stop(); err != nil {
		return nil, err
	}
	return b.left(partition)
}

// compacted waits until the cleaner's checkpoint says that all but the last record is clean.
func (h *history) compacted(ctx context.Context, data string) error {
	want := fmt.Sprintf("c 0 %d", h.end)
	deadline := time.Now().Add(time.Minute)
	for {
		text, err := os.ReadFile(filepath.Join(data, "cleaner-offset-checkpoint"))
		if err == nil && slices.Contains(strings.Split(string(text), "\n"), want) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the cleaner's checkpoint never says %q: %q, %v", want, text, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

var dumped = regexp.MustCompile(`\| offset: (\d+) .*key: (\S+)(?: payload: (\S+))?`)

// left is what kafka-dump-log shows of a partition: "offset key value". Its indexes are held against its logs, too.
func (b *bench) left(partition string) ([]string, error) {
	logs, err := filepath.Glob(filepath.Join(partition, "*.log"))
	if err != nil {
		return nil, err
	}
	indexes, err := filepath.Glob(filepath.Join(partition, "*index"))
	if err != nil {
		return nil, err
	}
	indexes = slices.DeleteFunc(indexes, func(path string) bool { return strings.HasSuffix(path, ".txnindex") })
	if err := b.dumpKind(indexes, []string{"--index-sanity-check"}, []string{"passed sanity check"}); err != nil {
		return nil, err
	}
	flags := []string{"--print-data-log", "--deep-iteration"}
	if err := b.dumpKind(logs, flags, []string{"isvalid: true", "payload:"}); err != nil {
		return nil, err
	}
	out, err := Run(b.ctx, "kafka-dump-log", append([]string{"--files", strings.Join(logs, ",")}, flags...)...)
	if err != nil {
		return nil, err
	}
	var records []string
	for _, m := range dumped.FindAllStringSubmatch(out, -1) {
		if m[3] == "" {
			m[3] = "null" // of a tombstone it prints no payload
		}
		records = append(records, strings.Join(m[1:], " "))
	}
	return records, nil
}

// holds wants the last record of every key, tombstones included, and nothing else.
func (h *history) holds(left []string) error {
	want := slices.Sorted(maps.Values(h.last))
	have := slices.Sorted(slices.Values(left))
	if !slices.Equal(have, want) {
		return fmt.Errorf("left:\n%s\nwant:\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
	return nil
}
