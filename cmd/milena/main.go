// Command milena is Apache Kafka's system in one binary.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/milena-io/milena"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "milena:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 || args[0] != "start" {
		return fmt.Errorf("use: milena start [--override key=value]...")
	}
	c := milena.Config{
		Dir: "milena-data", Addr: "127.0.0.1:9092", Settings: map[string]string{},
		Logger: slog.New(slog.NewTextHandler(os.Stdout, nil)),
	}
	for i := 1; i+1 < len(args); i += 2 {
		k, v, _ := strings.Cut(args[i+1], "=")
		c.Settings[k] = v
		if k == "log.dirs" {
			c.Dir = v
		}
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	b, err := milena.Start(ctx, c)
	if err != nil {
		return err
	}
	fmt.Printf("Kafka Server started on %s\n", b.Addr())
	select {
	case <-ctx.Done():
		return b.Close()
	case <-b.Failed():
		return b.Err()
	}
}
