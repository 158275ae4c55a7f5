package javatools

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/suite"
)

// dirsBench is a node with two log directories; the second one goes.
type dirsBench struct {
	bench
	second string
}

func runDirs(ctx context.Context, s *suite.Session) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	second := filepath.Join(s.Dir, "second")
	node, err := broker.New(s.System, broker.Options{Dir: filepath.Join(s.Dir, "broker"), MoreDirs: []string{second}, Overrides: map[string]string{}})
	if err != nil {
		return err
	}
	if err := node.Start(ctx); err != nil {
		return err
	}
	defer node.Kill9()
	b := &dirsBench{bench{ctx: ctx, node: node, dir: s.Dir}, second}
	for _, c := range []struct {
		name string
		run  func() error
	}{
		{"new partitions go to the directory with the fewest", b.spreads},
		{"records are written to both", b.writes},
		{"the second directory cannot be opened: its partitions are offline, the others serve", b.goes},
		{"with the directory back every record is there", b.comesBack},
	} {
		s.Case(c.name, c.run)
	}
	return node.Stop()
}

// described is what kafka-log-dirs prints of one broker.
type described struct {
	LogDirs []struct {
		LogDir     string  `json:"logDir"`
		Error      *string `json:"error"`
		Partitions []struct {
			Partition string `json:"partition"`
			Size      int64  `json:"size"`
			OffsetLag int64  `json:"offsetLag"`
			IsFuture  bool   `json:"isFuture"`
		} `json:"partitions"`
	} `json:"logDirs"`
}

// state is one directory in short: "t-0 t-2", or its error.
func (b *dirsBench) state() (map[string]string, int64, error) {
	out, err := b.tool("kafka-log-dirs", "--describe", "--topic-list", "t")
	if err != nil {
		return nil, 0, err
	}
	var answer struct{ Brokers []described }
	at := strings.Index(out, "{")
	if at < 0 {
		return nil, 0, fmt.Errorf("kafka-log-dirs prints no JSON:\n%s", out)
	}
	if err := json.Unmarshal([]byte(out[at:]), &answer); err != nil || len(answer.Brokers) != 1 {
		return nil, 0, fmt.Errorf("%w in\n%s", err, out)
	}
	state, bytes := map[string]string{}, int64(0)
	for _, d := range answer.Brokers[0].LogDirs {
		var names []string
		for _, p := range d.Partitions {
			if p.OffsetLag != 0 || p.IsFuture {
				return nil, 0, fmt.Errorf("%+v", p)
			}
			names = append(names, p.Partition)
			bytes += p.Size
		}
		slices.Sort(names)
		state[d.LogDir] = strings.Join(names, " ")
		if d.Error != nil {
			state[d.LogDir] = *d.Error
		}
	}
	return state, bytes, nil
}

func (b *dirsBench) spreads() error {
	if err := b.create("t", 4); err != nil {
		return err
	}
	got, _, err := b.state()
	if err != nil {
		return err
	}
	for _, dir := range []string{b.node.DataDir(), b.second} {
		if strings.Count(got[dir], "t-") != 2 {
			return fmt.Errorf("the four partitions are %q", got)
		}
	}
	return nil
}

func (b *dirsBench) writes() error {
	return steps(
		func() error {
			_, err := Feed(b.ctx, strings.Repeat("line\n", 2000), "kafka-console-producer", "--bootstrap-server", b.node.Bootstrap(), "--topic", "t",
				"--producer-property", "partitioner.class=org.apache.kafka.clients.producer.RoundRobinPartitioner", "--producer-property", "batch.size=0")
			return err
		},
		func() error { return b.total(2000) },
		func() error {
			_, bytes, err := b.state()
			if err == nil && bytes < 2000*4 {
				err = fmt.Errorf("kafka-log-dirs counts %d bytes", bytes)
			}
			return err
		},
	)
}

// total wants that many records in the partitions of t.
func (b *dirsBench) total(want int) error {
	out, err := b.tool("kafka-console-consumer", "--topic", "t", "--from-beginning", "--timeout-ms", "8000")
	if got := strings.Count(out, "line\n"); got != want {
		return fmt.Errorf("%d records are read, want %d (%v)", got, want, err)
	}
	return nil
}

func (b *dirsBench) away() string { return b.second + ".away" }

func (b *dirsBench) goes() error {
	before, _, err := b.state()
	if err != nil {
		return err
	}
	lost := strings.Fields(before[b.second])
	return steps(
		b.node.Stop,
		func() error { return os.Rename(b.second, b.away()) },
		func() error { return os.WriteFile(b.second, nil, 0o600) }, // what is no directory cannot be opened as one
		func() error { return b.node.Start(b.ctx) },
		func() error {
			now, _, err := b.state()
			switch {
			case err != nil:
				return err
			case now[b.second] != "org.apache.kafka.common.errors.KafkaStorageException":
				return fmt.Errorf("the dead directory is described as %q", now[b.second])
			case now[b.node.DataDir()] != before[b.node.DataDir()]:
				return fmt.Errorf("the other directory has %q, and had %q", now[b.node.DataDir()], before[b.node.DataDir()])
			}
			return nil
		},
		func() error {
			out, err := b.tool("kafka-topics", "--describe", "--unavailable-partitions")
			if err != nil {
				return err
			}
			for _, name := range lost {
				// Whose ISR is empty then says whether eligible leader replicas are kept (KIP-966), and nothing of directories.
				if number := strings.TrimPrefix(name, "t-"); !strings.Contains(out, "Topic: t\tPartition: "+number+"\tLeader: none\tReplicas: 1\t") {
					return fmt.Errorf("%s is not unavailable in\n%s", name, out)
				}
			}
			if got := strings.Count(out, "Topic: t\t"); got != len(lost) {
				return fmt.Errorf("%d partitions of t are unavailable, want %d:\n%s", got, len(lost), out)
			}
			return nil
		},
	)
}

func (b *dirsBench) comesBack() error {
	return steps(
		b.node.Stop,
		func() error { return os.Remove(b.second) },
		func() error { return os.Rename(b.away(), b.second) },
		func() error { return b.node.Start(b.ctx) },
		func() error { return b.total(2000) },
	)
}
