// Bench measures milena beside Apache Kafka in one run: start to first acknowledgement, memory, CPU per gigabyte,
// throughput and latency, with the same client, the broker and the client on separate cores. All systems are up at once,
// and each cell of the table is measured on one after the other, in turns, so that a noisy minute of the machine hits all.
//
//	cd test/bench && go run . [-short] [-parts NAME,...] [-rounds N] [-results FOLDER] [-out FILE] [-only kafka,milena,milena-cache]
//
// It measures in parts of less than an hour each, saves every measurement in the results folder as it is made, and goes
// on where it was when it is started again with that folder. The part named profiles measures nothing; it shows where the
// CPU and the allocations of the hot loops go. It prints Markdown and, after a full run, writes
// docs/benchmarks.md. A full run takes hours, -short minutes. The page cache is filled first, because the first touch of a page costs more than everything else
// together on a virtual machine, and topped up before each measurement; it takes as much disk as there is memory.
// -fill=false leaves that out and the report says so.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/milena-io/milena/test/bench/bare"
	"github.com/milena-io/milena/test/compat/broker"
)

// plan is how long everything takes.
type plan struct {
	short      bool
	fill       bool
	warm       time.Duration // before the first measurement of a system
	settle     time.Duration // of load on each new topic before it is measured
	saturate   time.Duration // of each throughput run
	repeat     int           // throughput runs of a cell; the median counts
	pace       time.Duration // of each latency run
	idle       time.Duration
	starts     map[string]int
	sizes      []int
	partitions []int
	perSecond  int // records of a latency run
	embedded   int
}

func full() plan {
	return plan{fill: true, warm: time.Minute, settle: 2 * time.Second, saturate: 3 * time.Second, repeat: 3, pace: 6 * time.Second, idle: 15 * time.Second,
		starts: map[string]int{"kafka": 3, "milena": 20, "milena-cache": 20}, sizes: []int{100, 1024, 16384},
		partitions: []int{1, 10, 100}, perSecond: 5000, embedded: 100}
}

func short() plan {
	p := full()
	p.short = true
	p.warm, p.settle, p.saturate, p.pace, p.idle = 15*time.Second, time.Second, time.Second, 2*time.Second, 3*time.Second
	p.starts = map[string]int{"kafka": 1, "milena": 5, "milena-cache": 5}
	p.embedded = 20
	return p
}

func main() {
	log.SetFlags(log.Ltime)
	if len(os.Args) > 1 && os.Args[1] == bareArg {
		if err := bare.Main(os.Args[2:], os.Stdin, os.Stdout); err != nil {
			log.Fatal("bare loop: ", err)
		}
		return
	}
	brief := flag.Bool("short", false, "minutes instead of hours: good for a first look, too short to quote")
	fill := flag.Bool("fill", true, "keep the page cache full")
	only := flag.String("only", "kafka,milena,milena-cache", "the systems that the part named cells and those with three nodes measure")
	which := flag.String("parts", "", "the parts to measure, of "+strings.Join(partNames(), ", ")+"; all of them by default")
	results := flag.String("results", "", "folder that keeps what was measured, so that an interrupted run goes on; a new one by default")
	out := flag.String("out", "", "file the report goes to; docs/benchmarks.md for a full run of all systems")
	rounds := flag.Int("rounds", 0, "rounds of each part at most; 0 for as many as it is to have")
	keep := flag.Bool("keep", false, "keep the folders of the brokers, to look into their logs")
	flag.Parse()
	p := full()
	if *brief {
		p = short()
	}
	p.fill = p.fill && *fill
	target := *out
	if target == "" && !p.short && *which == "" && *only == "kafka,milena,milena-cache" {
		target = filepath.Join(broker.Home(), "..", "..", "docs", "benchmarks.md")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	text, err := session{plan: p, systems: strings.Split(*only, ","), dir: *results, which: *which, rounds: *rounds, keep: *keep}.run(ctx)
	fmt.Print(text)
	if err != nil {
		log.Fatal("bench: ", err)
	}
	if target != "" {
		if err := os.WriteFile(target, []byte(text), 0o644); err != nil {
			log.Fatal("bench: ", err)
		}
	}
}

// cells measures the part of that name: every record size with every number of partitions.
func cells(ctx context.Context, p plan, names []string, cores cores) (string, error) {
	work, err := os.MkdirTemp("", "milena-bench-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	r := report{plan: p}
	cache := &filler{dir: filepath.Join(work, "fill"), off: !p.fill}
	var all []*contender
	defer func() {
		for _, c := range all {
			c.node.Kill9()
		}
	}()
	for _, name := range names {
		log.Printf("%s: filling the page cache", name)
		if err := cache.top(ctx); err != nil {
			return "", err
		}
		c, err := prepare(ctx, p, name, cores.broker, filepath.Join(work, name))
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, c)
	}
	if err := interleave(ctx, p, all, cache); err != nil {
		return "", err
	}
	for _, c := range all {
		if err := c.finish(); err != nil {
			return "", fmt.Errorf("%s: %w", c.name, err)
		}
		r.systems = append(r.systems, c.system)
	}
	log.Print("embedded")
	if r.embedded, err = embedded(ctx, p.embedded, filepath.Join(work, "embedded")); err != nil {
		return "", fmt.Errorf("embedded: %w", err)
	}
	return r.markdown(), nil
}

func machine() string {
	return fmt.Sprintf("%s, %s/%s, %d cores", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
}
