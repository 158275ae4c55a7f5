package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// DevOptions say which cluster to play with.
type DevOptions struct {
	Dir   string   // of its data; empty keeps everything in memory
	Addrs []string // of clients, one for each node
	Log   io.Writer
	Level string // least level of log lines
}

// DevCluster is nodes that can be ended and started again.
type DevCluster interface {
	BootstrapServers() string
	Kill(node int) error // as kill -9 does
	Stop(node int) error // cleanly
	Start(ctx context.Context, node int) error
	Close() error
}

// DevFunc starts a cluster and returns when it serves clients. cmd/milena provides it.
type DevFunc func(ctx context.Context, o DevOptions) (DevCluster, error)

// devDoc is the one line that `dev -o json` prints when the cluster is ready.
type devDoc struct {
	doc
	BootstrapServer string `json:"bootstrap_server"`
	Nodes           int    `json:"nodes"`
	Port            int    `json:"port"` // what dev kill, stop and start know the cluster by
	Dir             string `json:"dir"`  // empty in memory
	ReadyMs         int64  `json:"ready_ms"`
}

type devFlags struct {
	nodes     int
	port      int
	dir       string
	ephemeral bool
	json      bool
}

func (a *app) devCommand() *cobra.Command {
	var f devFlags
	c := a.command(spec{
		use: "dev", short: "Run a cluster to play with: one node or several, in this process",
		long: `Runs a cluster of 1, 3 or 5 nodes on this machine until Ctrl-C, with its data in ./.milena, or in memory. Each node is
broker and controller; they are reached at 9092, 9192, 9292 and so on, on the loopback interface only, and nobody has to
log in. A port that is taken is left for the next free one.

From another terminal nodes are killed as by kill -9, stopped and started: milena dev kill 2, milena dev start 2.`,
		example: "  milena dev\n  milena dev -n 3\n  milena dev --ephemeral --port 0 -o json    # for tests: one line when it is ready",
		doc:     devDoc{},
		run: func(ctx context.Context, _ []string) error {
			if a.seams.Dev == nil {
				return failed("NO_SERVER", "this program was built without a server")
			}
			if f.json {
				a.flags.output = "json"
			}
			return a.dev(ctx, f)
		},
	})
	l := c.Flags()
	l.IntVarP(&f.nodes, "nodes", "n", 1, "how `many` nodes: 1, 3 or 5")
	l.IntVar(&f.port, "port", 9092, "`port` of the first node; the others are 100 apart; 0 takes free ones")
	l.StringVar(&f.dir, "dir", ".milena", "`directory` of the data")
	l.BoolVar(&f.ephemeral, "ephemeral", false, "keep everything in memory, and forget it at the end")
	l.BoolVar(&f.json, "json", false, "-o json")
	c.AddCommand(a.devNode("kill", "End a node of the running milena dev as kill -9 does"), a.devNode("stop", "Stop a node of the running milena dev cleanly"),
		a.devNode("start", "Start a node of the running milena dev again"))
	return c
}

// dev runs the cluster until the context ends.
func (a *app) dev(ctx context.Context, f devFlags) error {
	switch {
	case f.nodes != 1 && f.nodes != 3 && f.nodes != 5:
		return usage("-n %d: a cluster has 1, 3 or 5 nodes", f.nodes)
	case f.port < 0 || f.port > 65535:
		return usage("--port %d is no port", f.port)
	}
	addrs, moved := devAddrs(f.port, f.nodes)
	o := DevOptions{Dir: f.dir, Addrs: addrs, Log: a.Err, Level: "error"}
	if f.ephemeral {
		o.Dir = ""
	}
	if a.flags.verbose > 0 {
		o.Level = "info"
	}
	begun := time.Now()
	cluster, err := a.seams.Dev(ctx, o)
	if ctx.Err() != nil && err != nil {
		return ctx.Err()
	}
	if err != nil {
		return startFailure(err)
	}
	d := devDoc{
		doc: newDoc("dev"), BootstrapServer: cluster.BootstrapServers(), Nodes: f.nodes, Dir: o.Dir, ReadyMs: time.Since(begun).Milliseconds(),
		Port: portOf(cluster.BootstrapServers()),
	}
	remote, err := a.remoteControl(cluster, d.Port)
	if err != nil {
		return errors.Join(err, cluster.Close())
	}
	defer remote.close()
	if err := errors.Join(a.tellDev(d, moved), a.out.flush()); err != nil {
		return errors.Join(err, cluster.Close())
	}
	<-ctx.Done()
	a.note("stopping")
	return cluster.Close() // Ctrl-C is how it ends
}

// devAddrs are the addresses of clients, the wanted ports or the next free ones, and whether one of these is another.
func devAddrs(port, nodes int) (addrs []string, moved bool) {
	for i := range nodes {
		want := 0
		if port > 0 {
			want = port + 100*i
			for at := want; at < want+100 && at <= 65535; at++ {
				l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(at)))
				if err == nil {
					_ = l.Close()
					moved = moved || at != want
					want = at
					break
				}
			}
		}
		addrs = append(addrs, net.JoinHostPort("127.0.0.1", strconv.Itoa(want)))
	}
	return addrs, moved
}

// portOf is the port of the first of several addresses.
func portOf(servers string) int {
	first, _, _ := strings.Cut(servers, ",")
	_, port, _ := net.SplitHostPort(first)
	n, _ := strconv.Atoi(port) // of an address that is listened at: it is a number
	return n
}

func (a *app) tellDev(d devDoc, moved bool) error {
	if a.asJSON() {
		return a.json(d)
	}
	data := "in memory"
	if d.Dir != "" {
		data = "data " + d.Dir
	}
	more := ""
	if d.Port != 9092 || moved {
		first, _, _ := strings.Cut(d.BootstrapServer, ",")
		more = " -b " + first
	}
	lines := []string{
		fmt.Sprintf("Milena %s  ready in %s   (%s · %s · stop with Ctrl-C)", readBuild().Version, duration(time.Duration(d.ReadyMs)*time.Millisecond), plural(int64(d.Nodes), "node"), data),
		"", "  Kafka   " + d.BootstrapServer,
	}
	if moved {
		lines = append(lines, "          a port that was wanted is taken: these are others")
	}
	lines = append(lines, "", "  Try, in another terminal:", "    echo hello | milena produce greetings"+more, "    milena consume greetings --from start -n 1"+more)
	if d.Nodes > 1 {
		port := ""
		if d.Port != 9092 {
			port = " --port " + strconv.Itoa(d.Port)
		}
		lines = append(lines, "    milena dev kill 2"+port, "    milena cluster health"+more, "    milena dev start 2"+port)
	}
	return a.line("%s", strings.Join(lines, "\n"))
}
