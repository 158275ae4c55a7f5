// Package server runs one node as a process: it reads the configuration, writes the log, answers on the metrics port, and
// stops the node cleanly when it is asked to.
//
// cmd/milena calls Run for `milena start`. It decides nothing about Kafka; what it knows of the operating system is what
// is handed in. It never returns while the node runs.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/metrics"
	"github.com/milena-io/milena/internal/node"
	"github.com/milena-io/milena/internal/world"
)

// Options are what the process was started with.
type Options struct {
	ConfigFiles []string // names of properties files, later ones win
	Overrides   []string // key=value
	Env         []string // KEY=value
	Log         io.Writer
	LogFormat   string // kafka, json or pretty; empty is the configuration's choice, or the terminal's
	LogLevel    string // debug, info, warn or error; empty is the configuration's choice
	Terminal    bool   // Log is a terminal
	HostName    string // of this machine, which a listener without a host is advertised as; empty is localhost
}

// Run starts a node and returns after its clean stop, which the end of ctx asks for; nil when the stop was clean. An error
// before that says at which stage it could not start or go on.
func Run(ctx context.Context, o Options) error {
	files := disk.NewOS()
	loaded, err := load(files, o)
	if err != nil {
		return err
	}
	terminal := &screen{out: o.Log}
	if o.Terminal {
		o.Log = terminal
	}
	logger := newLogger(o, &loaded)
	for _, f := range loaded.Findings {
		logger.Warn(f.Key+" "+f.Message, "component", "config", "where", f.Origin)
	}
	logger.Info(banner(), "component", "kafka.server", "log.dirs", loaded.Values.Text("log.dirs"))
	now := world.NewReal()
	s := &running{logger: logger, ready: make(chan error, 1), failed: make(chan error, 1)}
	if s.window, err = openWindow(loaded.Values, now, logger); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	defer s.window.close()
	n := node.Options{
		World: now, FS: files, Values: loaded.Values, ClusterID: loaded.ClusterID, Listen: net.Listen, Logger: logger,
		Failed: func(err error) { s.failed <- err },
	}
	if o.Terminal {
		n.Recovering = terminal.recovering
	}
	if m := s.window.metrics; m != nil {
		n.Observer, n.Synced = m, m.Synced
	}
	s.node, err = node.Start(n, func(err error) { s.ready <- err })
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	if m := s.window.metrics; m != nil {
		m.Watch(s.node.Gauges())
	}
	return s.wait(ctx)
}

// load reads the files and merges them with everything else.
func load(files disk.FS, o Options) (config.Loaded, error) {
	in := config.Input{Env: o.Env, Overrides: o.Overrides, HostName: o.HostName}
	for _, name := range o.ConfigFiles {
		text, err := readFile(files, name)
		if err != nil {
			return config.Loaded{}, fmt.Errorf("config: %w; name a properties file, or leave --config out", err)
		}
		in.Files = append(in.Files, config.File{Name: name, Text: text})
	}
	loaded, err := config.Load(in)
	if err != nil {
		if m := fault.MessageOf(err); m != nil {
			return loaded, fmt.Errorf("config: %s", *m)
		}
		return loaded, err
	}
	return loaded, settle(loaded.Values)
}

// settle makes the directories absolute: whoever reads them later does not know where this process was started.
func settle(v config.Values) error {
	for _, key := range []string{"log.dirs", "metadata.log.dir"} {
		dirs := v.List(key)
		for i, dir := range dirs {
			abs, err := filepath.Abs(dir)
			if err != nil {
				return fmt.Errorf("config: %s=%s cannot be made absolute: %w; name an absolute path", key, dir, err)
			}
			dirs[i] = filepath.ToSlash(abs)
		}
		if len(dirs) > 0 {
			v.Set[key] = strings.Join(dirs, ",")
		}
	}
	return nil
}

// banner is the first line: what runs, and which Kafka it stands for.
func banner() string {
	version, commit := metrics.Build()
	if commit != "" {
		version += " (commit " + commit[:min(len(commit), 12)] + ")"
	}
	return "Milena " + version + ", Kafka version: 4.3"
}

// maxConfigBytes is far above any configuration and far below what would hurt.
const maxConfigBytes = 16 << 20

func readFile(files disk.FS, name string) (string, error) {
	f, err := files.Open(name, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return "", err
	}
	if size > maxConfigBytes {
		return "", fmt.Errorf("%s has %d bytes and is no properties file", name, size)
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return string(b), nil
}

// running is the node and what it told.
type running struct {
	node   *node.Node
	window window
	logger *slog.Logger
	ready  chan error
	failed chan error
}

// stopTime bounds a clean stop; what is not closed by then is recovered by the next start. Thousands of logs that were
// written take their time on a slow disk, and who has less sends SIGKILL.
const stopTime = 5 * time.Minute

// wait waits for the start, then for the end.
func (s *running) wait(ctx context.Context) error {
	select {
	case err := <-s.ready:
		if err != nil {
			return fmt.Errorf("start: %w", err)
		}
		s.window.serving(nil)
	case <-ctx.Done():
		return s.stop()
	}
	select {
	case <-ctx.Done():
		return s.stop()
	case err := <-s.failed:
		return fmt.Errorf("storage: %w; nothing that was acknowledged is lost: fix the disk and start again", err)
	}
}

func (s *running) stop() error {
	s.logger.Info("shutting down", "component", "kafka.server")
	s.window.serving(errors.New("the node is stopping"))
	done := make(chan error, 1)
	begun := time.Now()
	s.node.Stop(func(err error) { done <- err })
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("stop: %w; the next start recovers what was not closed", err)
		}
		s.logger.Info("shut down completed", "component", "kafka.server", "ms", time.Since(begun).Milliseconds())
		return nil
	case <-time.After(stopTime):
		return fmt.Errorf("stop: not done after %s; the next start recovers what was not closed", stopTime)
	}
}

// level reads a level's name; an unknown one is info.
func level(name string) slog.Level {
	switch strings.ToLower(name) {
	case "debug", "trace", "all":
		return slog.LevelDebug
	case "warn", "warning":
		return slog.LevelWarn
	case "error", "fatal", "off":
		return slog.LevelError
	}
	return slog.LevelInfo
}
