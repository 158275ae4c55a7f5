package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/milena-io/milena/test/bench/raw"
	"github.com/milena-io/milena/test/compat/broker"
)

// coldTopic is what somebody reads who is far behind: 4 partitions of 512 MiB that are not in memory.
const (
	coldTopic    = "long-ago"
	coldRequests = 32 << 10 // of 64 KiB
)

// fillCold fills it.
func fillCold(ctx context.Context, l *lab) error {
	for name, n := range l.nodes {
		if err := l.topic(ctx, n, coldTopic, fetchPartitions); err != nil {
			return err
		}
		load := fetchLoad(n.Bootstrap())
		load.Topic = coldTopic
		if _, _, err := load.Saturate(ctx, 5*time.Minute, l.scaled(coldRequests)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// measureCold is how long records take from when they were due to a reader at the end of their partition, with nobody
// else there, and while somebody reads a topic from the disk as fast as it goes.
func measureCold(ctx context.Context, l *lab, name string) (values, error) {
	n := l.nodes[name]
	v := values{}
	err := l.fresh(ctx, n, "tail", 1, func() error {
		for _, beside := range []bool{false, true} {
			if err := l.arrivals(ctx, n, beside, v); err != nil {
				return err
			}
		}
		return nil
	})
	return v, err
}

func (l *lab) arrivals(ctx context.Context, n broker.Broker, beside bool, v values) error {
	from, err := ends(ctx, n, "tail", 1)
	if err != nil {
		return err
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	var read atomic.Int64
	done := make(chan error, 1)
	kind := "alone "
	if beside {
		kind = "beside "
		last, err := ends(ctx, n, coldTopic, fetchPartitions)
		if err != nil {
			return err
		}
		go func() { done <- readCold(reading, n, last, &read) }()
	} else {
		done <- nil
	}
	begin := time.Now()
	load := raw.Load{Addr: n.Bootstrap(), Topic: "tail", Records: 4, Size: 1024, InFlight: 1}
	took, err := load.Arrive(ctx, 500, time.Duration(l.scaled(10))*time.Second, from[0])
	stop()
	err = errors.Join(err, <-done)
	if err != nil {
		return err
	}
	if beside {
		v["cold MB/s"] = float64(read.Load()) / 1e6 / time.Since(begin).Seconds()
	}
	for k, x := range quantiles(took) {
		v[kind+k] = x
	}
	return nil
}

// readCold reads the topic over and over, each time from the disk, until ctx ends.
func readCold(ctx context.Context, n broker.Broker, last []int64, read *atomic.Int64) error {
	for ctx.Err() == nil {
		if err := forget(n.DataDir(), coldTopic); err != nil {
			return err
		}
		bytes, _, err := raw.Drain{Addr: n.Bootstrap(), Topic: coldTopic, MaxBytes: 1 << 20, Readers: 1, WaitMs: 500}.All(ctx, last, 1)
		read.Add(bytes)
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return nil
}

// forget takes a topic's files out of the page cache.
func forget(dir, topic string) error {
	files, err := filepath.Glob(filepath.Join(dir, topic+"-*", "*.log"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s has no files of %s", dir, topic)
	}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		err = errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close())
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// coldTable prints what a reader far behind does to one at the end.
func coldTable(s *store) string {
	var b strings.Builder
	for _, name := range []string{"kafka", "milena-cache"} {
		at := func(figure string) float64 {
			if v, ok := middle(s.of("cold", name, figure)); ok {
				return v
			}
			return math.NaN()
		}
		if s.rounds("cold", name) == 0 {
			continue
		}
		if b.Len() == 0 {
			b.WriteString("### A reader far behind\n\nFrom when a record was due until a reader at the end of its partition had it, 500 batches of 4 KiB a second: " +
				"alone, and while one connection reads 2 GiB from the disk as fast as it goes, over and over.\n\n" +
				"| | p50 | p99 | p99.9 | beside the cold reader: p50 | p99 | p99.9 | the cold reader |\n|---|---|---|---|---|---|---|---|\n")
		}
		fmt.Fprintf(&b, "| %s |", name)
		for _, kind := range []string{"alone ", "beside "} {
			for _, q := range []string{"p50 ms", "p99 ms", "p99.9 ms"} {
				fmt.Fprintf(&b, " %.2f ms |", at(kind+q))
			}
		}
		fmt.Fprintf(&b, " %.0f MB/s |\n", at("cold MB/s"))
	}
	if b.Len() > 0 {
		b.WriteString("\n")
	}
	return b.String()
}
