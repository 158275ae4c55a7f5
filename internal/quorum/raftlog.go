package quorum

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/milena-io/milena/internal/kafka"
)

// raftLogger is the Raft library's logger: what it says is for who debugs elections, and its panics stay panics. Raft's
// ids of voters are numbers that say nothing to anybody; it shows their node ids.
type raftLogger struct {
	to   *slog.Logger
	node func(raftID uint64) kafka.NodeID // NoNode for other numbers
}

// raftVoter is a voter in the arguments of a format: it is shown by its node id, whatever the verb.
type raftVoter kafka.NodeID

// Format writes the voter.
func (v raftVoter) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "node %d", int32(v)) }

func (l raftLogger) sprintf(format string, args []any) string {
	shown := slices.Clone(args)
	for i, a := range shown {
		if id, ok := a.(uint64); ok {
			if node := l.node(id); node != kafka.NoNode {
				shown[i] = raftVoter(node)
			}
		}
	}
	return fmt.Sprintf(format, shown...)
}

func (l raftLogger) say(level slog.Level, msg func() string) {
	if l.to != nil && l.to.Enabled(context.Background(), level) {
		l.to.Log(context.Background(), level, msg(), "component", "raft")
	}
}

func (l raftLogger) Debug(v ...any) {
	l.say(slog.LevelDebug, func() string { return fmt.Sprint(v...) })
}
func (l raftLogger) Debugf(format string, v ...any) {
	l.say(slog.LevelDebug, func() string { return l.sprintf(format, v) })
}
func (l raftLogger) Info(v ...any) { l.Debug(v...) }

// Infof is debug, too: the quorum itself tells of leaders and epochs.
func (l raftLogger) Infof(format string, v ...any) { l.Debugf(format, v...) }
func (l raftLogger) Warning(v ...any) {
	l.say(slog.LevelWarn, func() string { return fmt.Sprint(v...) })
}
func (l raftLogger) Warningf(format string, v ...any) {
	l.say(slog.LevelWarn, func() string { return l.sprintf(format, v) })
}
func (l raftLogger) Error(v ...any) {
	l.say(slog.LevelError, func() string { return fmt.Sprint(v...) })
}
func (l raftLogger) Errorf(format string, v ...any) {
	l.say(slog.LevelError, func() string { return l.sprintf(format, v) })
}
func (l raftLogger) Fatal(v ...any)                 { panic(fmt.Sprint(v...)) }
func (l raftLogger) Fatalf(format string, v ...any) { panic(fmt.Sprintf(format, v...)) }
func (l raftLogger) Panic(v ...any)                 { panic(fmt.Sprint(v...)) }
func (l raftLogger) Panicf(format string, v ...any) { panic(fmt.Sprintf(format, v...)) }
