// Command milena is Apache Kafka's system in one binary. All it does is in internal/cli; here the process is handed over:
// arguments, environment, standard streams, signals.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/milena-io/milena"
	"github.com/milena-io/milena/internal/cli"
	"github.com/milena-io/milena/internal/server"
)

func main() { os.Exit(run()) }

func run() int {
	signal.Ignore(syscall.SIGPIPE) // a closed pipe is an error of the write, and a command's ordinary end
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	width, _, _ := term.GetSize(int(os.Stderr.Fd()))
	return cli.Main(ctx, cli.Process{
		Args: os.Args[1:], Env: os.Environ(), In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTerminal: terminal(os.Stdin), OutTerminal: terminal(os.Stdout), ErrTerminal: terminal(os.Stderr), Width: width,
	}, cli.Seams{Start: start, Dev: dev})
}

func start(ctx context.Context, o cli.StartOptions) error {
	name, _ := os.Hostname() // a machine without one is localhost to itself
	return server.Run(ctx, server.Options{
		ConfigFiles: o.ConfigFiles, Overrides: o.Overrides, Env: o.Env, Log: o.Err, LogFormat: o.LogFormat,
		LogLevel: o.LogLevel, Terminal: o.Terminal, HostName: name,
	})
}

func dev(ctx context.Context, o cli.DevOptions) (cli.DevCluster, error) {
	return milena.StartCluster(ctx, milena.ClusterConfig{
		Nodes: len(o.Addrs), Dir: o.Dir, Addrs: o.Addrs,
		Logger: func(node int) *slog.Logger { return server.Logger(o.Log, o.Level).With("node", node) },
	})
}

func terminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
