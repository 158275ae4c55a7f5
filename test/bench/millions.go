package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/milena-io/milena/test/compat/broker"
)

// measureMillion is the controller with 1,000,000 partitions, in process: BenchmarkMillion of internal/machine/controller, whose figures are
// read from what it prints.
func measureMillion(ctx context.Context, l *lab, _ string) (values, error) {
	cmd := exec.CommandContext(ctx, "taskset", "-c", l.cores.all, "go", "test", "-run", "^$", "-bench", "^BenchmarkMillion$", "-benchtime", "1x", "./internal/machine/controller")
	cmd.Dir = filepath.Join(broker.Home(), "..", "..")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test: %w\n%s", err, out)
	}
	v := figuresIn(string(out), "BenchmarkMillion")
	if len(v) < 2 {
		return nil, fmt.Errorf("the benchmark printed no figures:\n%s", out)
	}
	return v, nil
}

// figuresIn are the figures of a benchmark by their units.
func figuresIn(out, name string) values {
	v := values{}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], name) {
			continue
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if x, err := strconv.ParseFloat(fields[i], 64); err == nil {
				v[fields[i+1]] = x
			}
		}
	}
	return v
}

// millionTable prints the figures of the controller with a million partitions.
func millionTable(s *store) string {
	at := func(name string) float64 {
		v, _ := middle(s.of("million", "milena", name))
		return v
	}
	if at("B/partition") == 0 {
		return ""
	}
	return fmt.Sprintf(`### A controller with 1,000,000 partitions

In process, of three replicas each, in 50 topics, on ten brokers; no network and no disk.

| | |
|---|---|
| memory | %.0f bytes a partition |
| partitions created, each decided and applied | %.0f a second |
| a snapshot encoded | %.0f ms, %.0f MiB |
| a snapshot read back into an image | %.0f ms |
| a broker dies that leads a tenth of them: all decisions made and applied | %.0f ms in %.0f batches, %.0f records |

A controller that takes over has the image already: what it has to do is the last row. Past a million, memory and the snapshot grow in line, and
what grows out of a failover's half second is that row: it is one batch of records after the other, so that a broker should not lead more than some tens of
thousands of partitions.

`, at("B/partition"), at("created/s"), at("snapshot-ms"), at("snapshot-MiB"), at("restore-ms"), at("failover-ms"), at("failover-batches"), at("failover-records"))
}
