package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/metrics"
	"github.com/milena-io/milena/internal/world"
)

// metricsKey names the address of the window.
const metricsKey = "milena.metrics.listeners"

// window is what operators see of a running node from outside. It opens before the node is ready, so that they can ask
// why it is not, and closes after it stopped. Without an address nothing is bound and nothing counted.
type window struct {
	metrics *metrics.Metrics // nil without an address
	server  *metrics.Server
}

// openWindow binds the address. A port that somebody else has is an error when it was asked for and a warning when it is the
// default: a second broker on a machine shall start without a word of configuration for its metrics.
func openWindow(v config.Values, w world.World, logger *slog.Logger) (window, error) {
	addr := v.Text(metricsKey)
	if addr == "" {
		return window{}, nil
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return window{}, fmt.Errorf("%s=%s is not host:port (%w); leave it empty for no metrics", metricsKey, addr, err)
	}
	logger = logger.With("component", "milena.metrics")
	version, commit := metrics.Build()
	m := metrics.New(metrics.Options{
		Version: version, Commit: commit, Now: w.Now, PartitionLimit: int(v.Int("milena.metrics.partition.limit")),
	})
	server, err := m.Serve(addr)
	switch {
	case busy(err) && !v.IsSet(metricsKey):
		logger.Warn("The port of /metrics is taken; this broker goes on without. Choose another with "+metricsKey+", or leave that empty.", "address", addr)
		return window{}, nil
	case err != nil:
		return window{}, fmt.Errorf("%s cannot bind %s: %w; free the port, choose another with --override %s=HOST:PORT, or leave it empty for no metrics", metricsKey, addr, err, metricsKey)
	}
	logger.Info("Metrics on http://" + server.Addr().String() + "/metrics")
	return window{metrics: m, server: server}, nil
}

// busy reports whether somebody else has the port. Windows has a number of its own for that, which the constant is not.
func busy(err error) bool {
	const wsaAddressInUse = syscall.Errno(10048)
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, wsaAddressInUse)
}

func (w window) close() {
	if w.server != nil {
		w.server.Close()
	}
}

// serving tells that clients are served, or why they are not.
func (w window) serving(err error) {
	if w.metrics != nil {
		w.metrics.Serving(err)
	}
}
