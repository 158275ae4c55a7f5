package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/milena-io/milena/test/bench/raw"
)

// parts are the pieces of the measurement against the aims.
func parts(brief bool) []part {
	rounds := 5
	if brief {
		rounds = 1
	}
	some := map[string]int{"kafka": min(rounds, 3)} // a round of it takes long, and its figures are those of its timeouts
	return []part{
		{name: "produce", contestants: []string{"kafka", "milena-cache"}, also: []string{bareLoop}, rounds: rounds, measure: measureProduce},
		{name: "tails", contestants: []string{"kafka", "milena-cache"}, rounds: rounds, setup: findPeak, measure: measureTails},
		{name: "fetch", contestants: []string{"kafka", "milena-cache"}, also: []string{bareLoop}, rounds: rounds, setup: fillForFetch, measure: measureFetch},
		{name: "followers", contestants: []string{"kafka", "milena-cache"}, rounds: rounds, measure: measureFollowers},
		{name: "cold", contestants: []string{"kafka", "milena-cache"}, rounds: rounds, setup: fillCold, measure: measureCold},
		{name: "durable", contestants: []string{"kafka", "milena"}, rounds: rounds, measure: measureDurable},
		{name: "lone", contestants: []string{"milena"}, also: []string{bareLoop}, rounds: rounds, measure: measureLone},
		{name: "wide", contestants: []string{"milena"}, rounds: rounds, measure: measureWide},
		{name: "starts", also: []string{"kafka", "milena"}, rounds: rounds, measure: measureStart},
		{name: "segments", also: []string{"kafka", "milena"}, rounds: min(rounds, 3), measure: measureSegments},
		{name: "scale", also: []string{"milena"}, rounds: min(rounds, 3), measure: measureScale},
		{name: "leader-kill", of: clusterParts, also: []string{"kafka", "milena"}, rounds: rounds, atMost: some, measure: measureLeaderKill},
		{name: "controller-kill", of: clusterParts, also: []string{"kafka", "milena"}, rounds: rounds, atMost: some, measure: measureControllerKill},
		{name: "both-kill", of: clusterParts, also: []string{"kafka", "milena"}, rounds: rounds, atMost: some, measure: measureBothKill},
		{name: "sole-restart", of: clusterParts, also: []string{"kafka", "milena"}, rounds: rounds, atMost: some, measure: measureSole},
		{name: "shutdown", of: clusterParts, also: []string{"kafka", "milena", "milena-cache"}, rounds: rounds, atMost: some, measure: measureShutdown},
		{name: "replicated", of: clusterParts, also: []string{"kafka", "milena", "milena-cache"}, rounds: rounds, atMost: some, setup: findReplicatedPeak, measure: measureReplicated},
		{name: "create", of: clusterParts, also: []string{"kafka", "milena"}, rounds: rounds, atMost: some, measure: measureCreate},
		{name: "catch-up", of: clusterParts, also: []string{"kafka", "milena", "milena-cache"}, rounds: rounds, atMost: some, measure: measureCatchUp},
		{name: "million", of: clusterParts, also: []string{"milena"}, rounds: min(rounds, 3), measure: measureMillion},
	}
}

// scaled is how much of a measurement a short run takes.
func (l *lab) scaled(n int64) int64 {
	if l.short {
		return max(n/8, 1)
	}
	return n
}

// producing is the load of the produce figures: 1 KiB records in batches of 64 KiB, a request each, over 6 partitions.
func producing(addr string) raw.Load {
	return raw.Load{Addr: addr, Topic: "produced", Partitions: 6, Records: 64, Size: 1024, Connections: 16, InFlight: 5}
}

// measureProduce is CPU per GB of a broker that takes batches as fast as it can, and of the loop that only reads the socket
// and writes files.
func measureProduce(ctx context.Context, l *lab, name string) (values, error) {
	const requests = 16 << 10 // 1 GiB
	if name == bareLoop {
		dir, err := l.scratch("bare")
		if err != nil {
			return nil, err
		}
		p, err := startBare(l.cores.broker, "produce", dir, hex.EncodeToString(raw.ProduceAnswer("produced")))
		if err != nil {
			return nil, err
		}
		defer p.stop()
		return saturated(ctx, producing(p.addr), p.pid(), l.scaled(requests))
	}
	var v values
	n := l.nodes[name]
	err := l.fresh(ctx, n, "produced", 6, func() (err error) {
		v, err = saturated(ctx, producing(n.Bootstrap()), n.Pid(), l.scaled(requests))
		return err
	})
	return v, err
}

// saturated runs a load and tells throughput and CPU.
func saturated(ctx context.Context, load raw.Load, pid int, requests int64) (values, error) {
	var acked int64
	var took time.Duration
	u, err := spent(pid, func() (err error) {
		acked, took, err = load.Saturate(ctx, time.Minute, requests)
		return err
	})
	if err != nil {
		return nil, err
	}
	return perBytes(float64(acked*load.Bytes()), took, u), nil
}

func perBytes(bytes float64, took time.Duration, u usage) values {
	return values{"MB/s": bytes / 1e6 / took.Seconds(), "CPU-s/GB": u.cpu().Seconds() / (bytes / 1e9), "kernel CPU-s/GB": u.kernel.Seconds() / (bytes / 1e9)}
}

// findPeak measures how much Apache Kafka takes, once: half of that is the rate of the latency figures.
func findPeak(ctx context.Context, l *lab) error {
	n := l.nodes["kafka"]
	return l.fresh(ctx, n, "produced", 6, func() error {
		var all []float64
		for range 3 {
			acked, took, err := producing(n.Bootstrap()).Saturate(ctx, 3*time.Second, 8<<10)
			if err != nil {
				return err
			}
			all = append(all, float64(acked)/took.Seconds())
		}
		slices.Sort(all)
		l.peak, _ = middle(all)
		return nil
	})
}

// measureTails is the latency of produce requests that come at half of what Apache Kafka can take.
func measureTails(ctx context.Context, l *lab, name string) (values, error) {
	n := l.nodes[name]
	var v values
	err := l.fresh(ctx, n, "produced", 6, func() error {
		load := producing(n.Bootstrap())
		took, err := load.Pace(ctx, l.peak/2, time.Duration(l.scaled(6))*time.Second)
		if err == nil {
			v = quantiles(took)
			v["offered MB/s"] = l.peak / 2 * float64(load.Bytes()) / 1e6
		}
		return err
	})
	return v, err
}

func quantiles(sorted []time.Duration) values {
	at := func(q float64) float64 {
		return float64(sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]) / 1e6
	}
	return values{"p50 ms": at(0.5), "p99 ms": at(0.99), "p99.9 ms": at(0.999), "most ms": at(1)}
}

// toFetch is the topic of the fetch figures: 4 partitions of 256 MiB.
const (
	toFetch           = "to-fetch"
	fetchPartitions   = 4
	fetchedRequests   = 16 << 10 // of 64 KiB
	fetchReaders      = 4
	fetchBatchRecords = 63 // so that a batch is a little less than 64 KiB
)

func fetchLoad(addr string) raw.Load {
	return raw.Load{Addr: addr, Topic: toFetch, Partitions: fetchPartitions, Records: fetchBatchRecords, Size: 1024, Connections: 4, InFlight: 5}
}

func fillForFetch(ctx context.Context, l *lab) error {
	for name, n := range l.nodes {
		if err := l.topic(ctx, n, toFetch, fetchPartitions); err != nil {
			return err
		}
		if _, _, err := fetchLoad(n.Bootstrap()).Saturate(ctx, 5*time.Minute, l.scaled(fetchedRequests)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return raw.WriteFetchable(filepath.Join(l.dir, toFetch), toFetch, fetchBatchRecords, 1024, int(l.scaled(fetchedRequests))/fetchPartitions)
}

// measureFetch is CPU per GB of a broker that answers fetches of 64 KiB and of 1 MiB out of the page cache, and of the loop
// that only calls sendfile.
func measureFetch(ctx context.Context, l *lab, name string) (values, error) {
	addr, pid := "", 0
	last := make([]int64, fetchPartitions)
	if name == bareLoop {
		p, err := startBare(l.cores.broker, "fetch", filepath.Join(l.dir, toFetch), raw.FetchSpec(toFetch, fetchBatchRecords, 1024))
		if err != nil {
			return nil, err
		}
		defer p.stop()
		addr, pid = p.addr, p.pid()
		for i := range last {
			last[i] = l.scaled(fetchedRequests) / fetchPartitions * fetchBatchRecords
		}
	} else {
		n := l.nodes[name]
		addr, pid = n.Bootstrap(), n.Pid()
		var err error
		if last, err = ends(ctx, n, toFetch, fetchPartitions); err != nil {
			return nil, err
		}
	}
	v := values{}
	for _, section := range []struct {
		name   string
		bytes  int32
		rounds int // of the whole topic: a second or more
	}{{"64 KiB", 64 << 10, 4}, {"1 MiB", 1 << 20, 12}} {
		d := raw.Drain{Addr: addr, Topic: toFetch, MaxBytes: section.bytes, Readers: fetchReaders, WaitMs: 500}
		if _, _, err := d.All(ctx, last, 1); err != nil { // into the page cache, and what is checked once is checked
			return nil, err
		}
		var bytes int64
		var took time.Duration
		u, err := spent(pid, func() (err error) {
			bytes, took, err = d.All(ctx, last, section.rounds)
			return err
		})
		if err != nil {
			return nil, err
		}
		for k, x := range perBytes(float64(bytes), took, u) {
			v[section.name+" "+k] = x
		}
	}
	return v, nil
}

// measureFollowers is CPU per GB delivered to ten readers at the end of a partition that is being written.
func measureFollowers(ctx context.Context, l *lab, name string) (values, error) {
	n := l.nodes[name]
	var v values
	err := l.fresh(ctx, n, "followed", 1, func() error {
		from, err := ends(ctx, n, "followed", 1)
		if err != nil {
			return err
		}
		stop, done := make(chan struct{}), make(chan error, 1)
		var delivered int64
		d := raw.Drain{Addr: n.Bootstrap(), Topic: "followed", MaxBytes: 1 << 20, Readers: 10, WaitMs: 100}
		go func() {
			var err error
			delivered, err = d.Follow(from[0], stop)
			done <- err
		}()
		how := time.Duration(l.scaled(8)) * time.Second
		u, err := spent(n.Pid(), func() error {
			load := raw.Load{Addr: n.Bootstrap(), Topic: "followed", Partitions: 1, Records: 16, Size: 1024, Connections: 2, InFlight: 5}
			_, err := load.Pace(ctx, 500, how)
			close(stop)
			return errors.Join(err, <-done)
		})
		if err == nil {
			v = perBytes(float64(delivered), how, u)
		}
		return err
	})
	return v, err
}

// measureDurable is the throughput of 16 producers, in bytes that are three times what the kernel may hold back, so that
// who does not sync pays the disk, too.
func measureDurable(ctx context.Context, l *lab, name string) (values, error) {
	n := l.nodes[name]
	var v values
	err := l.fresh(ctx, n, "produced", 6, func() (err error) {
		v, err = saturated(ctx, producing(n.Bootstrap()), n.Pid(), l.scaled(3*dirtyLimit/(64<<10)))
		return err
	})
	return v, err
}

// measureLone is one producer with one record under way, the loop that writes and syncs as much, and the one that is sent what
// it writes.
func measureLone(ctx context.Context, l *lab, name string) (values, error) {
	times := l.scaled(4000)
	load := raw.Load{Topic: "lone", Partitions: 1, Records: 1, Size: 1024, Connections: 1, InFlight: 1}
	if name == bareLoop {
		dir, err := l.scratch("bare")
		if err != nil {
			return nil, err
		}
		took, err := bareSyncs(l.cores.broker, dir, raw.BatchBytes(1, 1024), int(times))
		if err != nil {
			return nil, err
		}
		v := quantiles(took)
		p, err := startBare(l.cores.broker, "durable", dir, hex.EncodeToString(raw.ProduceAnswer(load.Topic)))
		if err != nil {
			return nil, err
		}
		defer p.stop()
		load.Addr = p.addr
		if took, err = load.Alone(ctx, int(times)); err != nil {
			return nil, err
		}
		for name, ms := range quantiles(took) {
			v["with a socket "+name] = ms
		}
		return v, nil
	}
	n := l.nodes[name]
	load.Addr = n.Bootstrap()
	var v values
	err := l.fresh(ctx, n, "lone", 1, func() error {
		took, err := load.Alone(ctx, int(times))
		if err == nil {
			v = quantiles(took)
		}
		return err
	})
	return v, err
}

// wideBatches are the sizes of batches, in records of 1 KiB, that one partition and a thousand are compared with.
var wideBatches = []int{16, 1}

// measureWide is the throughput of one partition and of a thousand, both synced.
func measureWide(ctx context.Context, l *lab, name string) (values, error) {
	n := l.nodes[name]
	v := values{}
	for _, records := range wideBatches {
		for _, partitions := range []int{1, 1000} {
			topic := fmt.Sprintf("wide-%d-%d", records, partitions)
			err := l.fresh(ctx, n, topic, partitions, func() error {
				load := raw.Load{Addr: n.Bootstrap(), Topic: topic, Partitions: partitions, Records: records, Size: 1024, Connections: 64, InFlight: 5}
				one, err := saturated(ctx, load, n.Pid(), l.scaled(24<<10))
				for k, x := range one {
					v[fmt.Sprintf("%d×%d %s", partitions, records, k)] = x
				}
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// measureStart is process start to first acknowledgement on a fresh directory and after kill -9.
func measureStart(ctx context.Context, l *lab, name string) (values, error) {
	fresh, again, err := firstAcks(ctx, name, l.cores.broker, filepath.Join(l.dir, "start-"+name))
	if err != nil {
		return nil, err
	}
	return values{"fresh ms": float64(fresh) / 1e6, "after kill ms": float64(again) / 1e6}, nil
}

// dirtyLimit is what the kernel may hold back of writes while the parts run, vm.dirty_bytes.
const dirtyLimit = 512 << 20

// limitDirty sets it and returns what undoes that. Where it may not be set the run goes on with what there is.
func limitDirty() (restore func(), err error) {
	const bytes, ratio = "/proc/sys/vm/dirty_bytes", "/proc/sys/vm/dirty_ratio"
	was := map[string]string{}
	for _, path := range []string{bytes, ratio} {
		b, err := os.ReadFile(path)
		if err != nil {
			return func() {}, err
		}
		was[path] = strings.TrimSpace(string(b))
	}
	if err := os.WriteFile(bytes, []byte(strconv.Itoa(dirtyLimit)), 0o644); err != nil {
		return func() {}, err
	}
	return func() {
		path := bytes
		if was[bytes] == "0" {
			path = ratio // setting the one takes the other back
		}
		_ = os.WriteFile(path, []byte(was[path]), 0o644)
	}, nil
}
