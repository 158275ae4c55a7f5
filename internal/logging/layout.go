package logging

import (
	"log/slog"
	"time"
)

// kafkaLayout is Log4j's `[%d] %p %m (%c)%n` of Kafka's config/log4j2.yaml, in the time zone of the record.
type kafkaLayout struct{}

func (kafkaLayout) head(b []byte, t time.Time, l slog.Level) []byte {
	if !t.IsZero() {
		b = t.AppendFormat(b, "[2006-01-02 15:04:05,000] ")
	}
	return append(append(b, levelName(l)...), ' ')
}

func (kafkaLayout) fields(b []byte) []byte { return b }

func (kafkaLayout) tail(b []byte, component string) []byte {
	return append(append(append(b, " ("...), component...), ')')
}

// The escape sequences of prettyLayout: the eight colours every terminal has.
const (
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	cyan   = "\x1b[36m"
	plain  = "\x1b[0m"
)

// prettyLayout is for eyes: `09:00:00.123 INFO  message key=value component`, where only the level has colour and all
// that is not the message is dim.
type prettyLayout struct{ color bool }

func (p prettyLayout) head(b []byte, t time.Time, l slog.Level) []byte {
	if !t.IsZero() {
		b = p.style(b, dim)
		b = t.AppendFormat(b, "15:04:05.000")
		b = append(p.style(b, plain), ' ')
	}
	name := levelName(l)
	b = append(p.style(b, levelColor(l)), name...)
	b = p.style(b, plain)
	for range len("ERROR ") - len(name) { // FATAL, ERROR and the others end in one column
		b = append(b, ' ')
	}
	return b
}

func (p prettyLayout) fields(b []byte) []byte { return p.style(b, dim) }

func (p prettyLayout) tail(b []byte, component string) []byte {
	if component != defaultComponent {
		b = append(append(append(b, " ("...), component...), ')')
	}
	return p.style(b, plain)
}

func (p prettyLayout) style(b []byte, escape string) []byte {
	if !p.color {
		return b
	}
	return append(b, escape...)
}

func levelColor(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return cyan
	case l < slog.LevelWarn:
		return green
	case l < slog.LevelError:
		return yellow
	}
	return red
}
