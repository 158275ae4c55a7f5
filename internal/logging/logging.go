// Package logging turns slog records into lines: Apache Kafka's layout, which tools and people grep, JSON for machines,
// and a pretty one for a terminal.
//
// The assembly (cli, milena) makes one handler and gives its Logger to node; nobody else imports this package, they log
// through log/slog. It never chooses what is logged, where it goes, or whether a terminal has colours.
//
// Invariants: a record is one line and one Write, from however many goroutines; nothing that was logged, such as a
// client's id with a newline in it, can begin a line of its own or reach the terminal as an escape sequence.
package logging

import (
	"io"
	"log/slog"
	"sync"

	"github.com/milena-io/milena/internal/must"
)

// The formats of milena.log.format.
const (
	Kafka  = "kafka"  // [2026-11-21 09:00:00,123] INFO message key=value (component)
	JSON   = "json"   // one object a line
	Pretty = "pretty" // for a terminal
)

// componentKey is the attribute that names the part of the node that logs; defaultComponent stands where nobody set it.
const (
	componentKey     = "component"
	defaultComponent = "milena"
)

// Options chooses how lines look.
type Options struct {
	Format string       // Kafka when empty; anything but the three formats is a bug, as config has checked the value
	Level  slog.Leveler // slog.LevelInfo when nil; a *slog.LevelVar can be turned while the node runs
	Color  bool         // Pretty only
}

// New returns a handler that writes to w. Only the first-level attribute "component" is special: it names the logger, as
// slog.With("component", "kafka.server") does.
func New(w io.Writer, o Options) slog.Handler {
	if o.Level == nil {
		o.Level = slog.LevelInfo
	}
	out := &output{w: w}
	switch o.Format {
	case "", Kafka:
		return &textHandler{out: out, level: o.Level, layout: kafkaLayout{}}
	case Pretty:
		return &textHandler{out: out, level: o.Level, layout: prettyLayout{color: o.Color}}
	}
	must.Hold(o.Format == JSON, "log format %q", o.Format)
	return &jsonHandler{out: out, level: o.Level}
}

// output is where the lines of a handler and of all that were derived from it go, one at a time.
type output struct {
	mu      sync.Mutex
	w       io.Writer
	buffers sync.Pool
}

// keptBytes is the largest buffer that is used again.
const keptBytes = 16 << 10

func (o *output) buffer() *[]byte {
	if b, ok := o.buffers.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, 512)
	return &b
}

// write ends the line in b, writes it and takes b back.
func (o *output) write(b *[]byte) error {
	*b = append(*b, '\n')
	o.mu.Lock()
	_, err := o.w.Write(*b)
	o.mu.Unlock()
	if cap(*b) <= keptBytes {
		*b = (*b)[:0]
		o.buffers.Put(b)
	}
	return err
}

// levelName is Log4j's word for a level: slog has no names for what Kafka calls TRACE and FATAL.
func levelName(l slog.Level) string {
	switch {
	case l < slog.LevelDebug:
		return "TRACE"
	case l < slog.LevelInfo:
		return "DEBUG"
	case l < slog.LevelWarn:
		return "INFO"
	case l < slog.LevelError:
		return "WARN"
	case l < slog.LevelError+4:
		return "ERROR"
	}
	return "FATAL"
}
