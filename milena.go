// Package milena runs Apache Kafka's broker and controller inside a Go program or test, in memory or on a directory.
//
//	b, err := milena.Start(ctx, milena.Config{})
//	if err != nil { … }
//	defer b.Close()
//	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
//
// Any Kafka client speaks to it. Several brokers may run in one process; each is a cluster of its own. What a broker
// acknowledges with acks=all is on stable storage, when it has a directory.
package milena

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"path/filepath"
	"strings"
	"sync"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/metrics"
	"github.com/milena-io/milena/internal/node"
	"github.com/milena-io/milena/internal/world"
)

// Config says what to start. The zero value is a broker in memory on a free port of the loopback interface.
type Config struct {
	// Dir holds the data, in Apache Kafka's file formats; it is made when it is absent. Empty keeps everything in memory,
	// and Close forgets it.
	Dir string
	// Addr is where clients connect, host:port; port 0 takes a free one. Empty is 127.0.0.1:0. Without a host it is every
	// interface, and clients are told localhost, unless "advertised.listeners" in Settings names another.
	Addr string
	// Settings are broker keys by Kafka's names, such as "num.partitions": "3". Metrics are off unless
	// "milena.metrics.listeners" is among them.
	Settings map[string]string
	// Logger takes the broker's log lines; nil drops them.
	Logger *slog.Logger
}

// Broker is a running broker and controller.
type Broker struct {
	node    *node.Node
	metrics *metrics.Server // nil without
	addr    string
	failed  chan struct{}

	mu    sync.Mutex
	err   error
	close sync.Once
}

// Start starts a broker and returns when it serves clients, or why it does not. Ending ctx while it starts gives up;
// afterwards ctx has no meaning.
func Start(ctx context.Context, c Config) (*Broker, error) {
	static, err := c.static()
	if err != nil {
		return nil, err
	}
	return begin(ctx, process{values: static, files: c.files(), listen: net.Listen, logger: c.Logger})
}

// files is where the data goes.
func (c *Config) files() disk.FS {
	if c.Dir == "" {
		return disk.NewMem()
	}
	return disk.NewOS()
}

// process is what a broker runs on.
type process struct {
	values config.Values
	files  disk.FS
	listen func(network, addr string) (net.Listener, error)
	logger *slog.Logger // may be nil
}

// begin starts a broker.
func begin(ctx context.Context, p process) (*Broker, error) {
	logger := p.logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	b := &Broker{failed: make(chan struct{})}
	ready := make(chan error, 1)
	o := node.Options{World: world.NewReal(), FS: p.files, Values: p.values, Listen: p.listen, Logger: logger, Failed: b.fail}
	counted, err := b.watch(&o)
	if err != nil {
		return nil, fmt.Errorf("milena: start: %w", err)
	}
	b.node, err = node.Start(o, func(err error) { ready <- err })
	if err != nil {
		b.unwatch()
		return nil, fmt.Errorf("milena: start: %w", err)
	}
	if counted != nil {
		counted.Watch(b.node.Gauges())
	}
	select {
	case err = <-ready:
	case <-ctx.Done():
		err = errors.Join(ctx.Err(), b.Close())
	}
	if err != nil {
		b.unwatch()
		return nil, fmt.Errorf("milena: start: %w", err)
	}
	if counted != nil {
		counted.Serving(nil)
	}
	b.addr = b.node.Addr(listenerName).String()
	return b, nil
}

const listenerName = "PLAINTEXT"

// watch serves metrics where the settings ask for them, and has the node tell what is to be counted.
func (b *Broker) watch(o *node.Options) (*metrics.Metrics, error) {
	const key = "milena.metrics.listeners"
	addr := o.Values.Text(key)
	if addr == "" || !o.Values.IsSet(key) {
		return nil, nil
	}
	version, commit := metrics.Build()
	m := metrics.New(metrics.Options{
		Version: version, Commit: commit, Now: o.World.Now, PartitionLimit: int(o.Values.Int("milena.metrics.partition.limit")),
	})
	var err error
	if b.metrics, err = m.Serve(addr); err != nil {
		return nil, fmt.Errorf("%s cannot bind %s: %w", key, addr, err)
	}
	o.Observer, o.Synced = m, m.Synced
	return m, nil
}

func (b *Broker) unwatch() {
	if b.metrics != nil {
		b.metrics.Close()
	}
}

// static turns a Config into the broker's keys.
func (c *Config) static() (config.Values, error) {
	addr := c.Addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return config.Values{}, fmt.Errorf("milena: Config.Addr %q is not host:port: %w", addr, err)
	}
	dir := c.Dir
	if dir == "" {
		dir = "/milena"
	}
	set := map[string]string{
		"node.id": "1", "process.roles": "broker,controller", "listeners": listenerName + "://" + addr, "log.dirs": dir,
		"controller.listener.names": "CONTROLLER", "group.initial.rebalance.delay.ms": "0",
	}
	maps.Copy(set, c.Settings)
	for name, value := range set {
		k, ok := config.Lookup(config.Broker, name)
		if !ok {
			return config.Values{}, fmt.Errorf("milena: Config.Settings has %q, which is no broker key; the nearest is %q", name, config.Nearest(config.Broker, name))
		}
		if err := k.Check(value); err != nil {
			return config.Values{}, fmt.Errorf("milena: Config.Settings: %w", err)
		}
	}
	if c.Dir != "" {
		dirs := config.SplitList(set["log.dirs"])
		for i, dir := range dirs {
			abs, err := filepath.Abs(dir)
			if err != nil {
				return config.Values{}, fmt.Errorf("milena: Config.Dir %q cannot be made absolute: %w", dir, err)
			}
			dirs[i] = filepath.ToSlash(abs)
		}
		set["log.dirs"] = strings.Join(dirs, ",")
	}
	return config.Values{Scope: config.Broker, Set: set}, nil
}

func (b *Broker) fail(err error) {
	b.mu.Lock()
	b.err = err
	b.mu.Unlock()
	close(b.failed)
}

// Addr returns the address that clients connect to, host:port.
func (b *Broker) Addr() string { return b.addr }

// BootstrapServers is Addr in the form of Kafka's bootstrap.servers.
func (b *Broker) BootstrapServers() string { return b.addr }

// MetricsAddr returns where /metrics is served, host:port; empty where the settings don't ask for it.
func (b *Broker) MetricsAddr() string {
	if b.metrics == nil {
		return ""
	}
	return b.metrics.Addr().String()
}

// Failed is closed when the broker cannot go on, because its disk failed; Err then tells why.
func (b *Broker) Failed() <-chan struct{} { return b.failed }

// Err returns why the broker cannot go on, nil while it can.
func (b *Broker) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// Kill ends the broker as kill -9 ends a process: its connections are cut and nobody is told. What was acknowledged is there for
// the next Start, which recovers. After Close it does nothing, and after it Close doesn't.
func (b *Broker) Kill() {
	b.close.Do(func() {
		done := make(chan struct{})
		b.node.Kill(func() { close(done) })
		<-done
		b.unwatch()
	})
}

// Close stops the broker: requests in flight are answered, connections are closed, and with a directory the next Start
// finds it clean. Further calls do nothing.
func (b *Broker) Close() error {
	var err error
	b.close.Do(func() {
		done := make(chan error, 1)
		b.node.Stop(func(err error) { done <- err })
		err = <-done
		b.unwatch()
	})
	return err
}
