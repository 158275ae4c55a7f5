package server

import (
	"log/slog"

	"github.com/milena-io/milena/internal/config"
)

// newLogger makes the log in the form that the arguments or the configuration ask for.
func newLogger(o Options, l *config.Loaded) *slog.Logger {
	name := o.LogLevel
	if name == "" {
		name = l.LogLevel
	}
	return slog.New(slog.NewTextHandler(o.Log, &slog.HandlerOptions{Level: level(name)}))
}
