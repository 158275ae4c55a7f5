package server

import (
	"io"
	"log/slog"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/logging"
)

// newLogger makes the log in the form that the arguments or the configuration ask for: without either it is pretty on a
// terminal and Kafka's elsewhere.
func newLogger(o Options, l *config.Loaded) *slog.Logger {
	format, name := o.LogFormat, o.LogLevel
	if format == "" {
		format = l.Values.Text("milena.log.format")
	}
	if format == "" {
		if format = "kafka"; o.Terminal {
			format = "pretty"
		}
	}
	if name == "" {
		name = l.LogLevel
	}
	return slog.New(logging.New(o.Log, logging.Options{Format: format, Level: level(name), Color: o.Terminal && format == "pretty"}))
}

// Logger makes a log in Kafka's form for whoever runs nodes otherwise than by Run.
func Logger(to io.Writer, least string) *slog.Logger {
	return slog.New(logging.New(to, logging.Options{Format: "kafka", Level: level(least)}))
}
