package node

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/world"
)

// news tells the operator what makes and destroys data. What happens to many partitions of a topic at a time is one line.
type news struct {
	n *Node

	mu       sync.Mutex
	pending  map[event]*partitions
	timer    world.Timer // of the next lines; nil when nothing is pending
	recovery recovery
	damages  atomic.Int64 // stretches of logs that were found not to check
}

// event is what happened, to partitions of one topic in one log directory, where that matters.
type event struct {
	kind  eventKind
	topic string
	dir   string // or why it happened
}

type eventKind int

const (
	logMade eventKind = iota
	logDeleted
	logStartMoved
	segmentsRetired
	leads
	leaderless
	isrShrunk
	isrGrown
)

// partitions are whom it happened to.
type partitions struct {
	numbers map[int32]bool
	last    kafka.TopicPartition
	start   kafka.Offset // where the last one's log starts now
	retired log.Retired  // of all of them
}

// recovery sums up what an unclean stop made necessary.
type recovery struct {
	logs, failed, segments int
	bytesCut               int64
}

// newsDelay is how long a line waits for more of its kind.
const newsDelay = time.Second

// open opens a log and takes note when it was made or recovered.
func (w *news) open(o log.Options) (*log.Log, error) {
	began := w.n.o.World.Now().Mono
	l, err := log.Open(o)
	if err != nil {
		w.mu.Lock()
		w.recovery.failed++
		w.mu.Unlock()
		return nil, err
	}
	w.opened(path.Dir(o.Path), o.Partition, l, w.n.o.World.Now().Mono-began)
	return l, nil
}

func (w *news) opened(dir string, name kafka.TopicPartition, l *log.Log, took time.Duration) {
	found := &l.Recovered
	if found.Doubt != nil {
		w.n.log("kafka.log").Warn("The log start of "+name.String()+" may not be what it was: records below it are not served.", "error", found.Doubt)
	}
	switch {
	case found.Clean:
		return
	case found.SegmentsChecked == 0:
		w.note(logMade, dir, name, func(*partitions) {})
		return
	}
	w.mu.Lock()
	w.recovery.logs++
	w.recovery.segments += found.SegmentsChecked
	w.recovery.bytesCut += found.BytesCut
	w.mu.Unlock()
	level, what := slog.LevelDebug, "nothing had to be cut"
	facts := []any{"end", int64(l.Offsets().End), "segmentsChecked", found.SegmentsChecked, "ms", took.Milliseconds()}
	if found.Reason != nil {
		level, what = slog.LevelInfo, fmt.Sprintf("%d bytes of what was being written were cut off", found.BytesCut)
		facts = append(facts, "segmentsDropped", found.SegmentsDropped, "reason", found.Reason)
	}
	w.n.log("kafka.log").Log(context.Background(), level, "Recovered the log of "+name.String()+": "+what, facts...)
}

// deleted is told of a log whose files are taken away.
func (w *news) deleted(dir string, name kafka.TopicPartition) {
	w.note(logDeleted, dir, name, func(*partitions) {})
}

// StartMoved is told of a log start that DeleteRecords moved.
func (w *news) StartMoved(name kafka.TopicPartition, start kafka.Offset) {
	w.note(logStartMoved, "", name, func(p *partitions) { p.start = start })
}

// Retired is told of segments that retention deleted.
func (w *news) Retired(name kafka.TopicPartition, r log.Retired) {
	w.note(segmentsRetired, "", name, func(p *partitions) { p.start, p.retired = r.Start, p.retired.Plus(r) })
}

func (w *news) note(kind eventKind, dir string, name kafka.TopicPartition, f func(*partitions)) {
	if !w.n.o.Logger.Enabled(context.Background(), slog.LevelInfo) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	e := event{kind, name.Topic, dir}
	p := w.pending[e]
	if p == nil {
		p = &partitions{numbers: map[int32]bool{}}
		w.pending[e] = p
	}
	p.numbers[name.Partition], p.last = true, name
	f(p)
	if w.timer == nil {
		w.timer = w.n.o.World.After(newsDelay, w.flush)
	}
}

// flush writes what is pending.
func (w *news) flush() {
	w.mu.Lock()
	pending := w.pending
	w.pending = map[event]*partitions{}
	if w.timer != nil {
		w.timer.Stop()
	}
	w.timer = nil
	w.mu.Unlock()
	var events []event
	for e := range pending {
		events = append(events, e)
	}
	slices.SortFunc(events, func(a, b event) int {
		if a.kind != b.kind {
			return int(a.kind - b.kind)
		}
		return cmp.Or(strings.Compare(a.topic, b.topic), strings.Compare(a.dir, b.dir))
	})
	for _, e := range events {
		w.tell(e, pending[e])
	}
}

func (w *news) tell(e event, p *partitions) {
	out, whose := w.n.log("kafka.log"), p.last.String()
	one := len(p.numbers) == 1
	if !one {
		whose = fmt.Sprintf("%d partitions of %s", len(p.numbers), p.last.Topic)
	}
	switch e.kind {
	case logMade:
		out.Info("Created log for "+whose, "dir", e.dir)
	case leads:
		w.n.log("kafka.controller").Info("Leads "+whose+": "+e.dir, "partitions", len(p.numbers))
	case leaderless:
		w.n.log("kafka.controller").Warn("Nobody leads "+whose+" any more: it was led by this broker, "+e.dir, "partitions", len(p.numbers))
	case isrShrunk:
		w.n.log("kafka.cluster.Partition").Info("Shrinking ISR of "+whose+" to "+e.dir, "partitions", len(p.numbers))
	case isrGrown:
		w.n.log("kafka.cluster.Partition").Info("Expanding ISR of "+whose+" to "+e.dir, "partitions", len(p.numbers))
	case logDeleted:
		out.Info("Deleted log for "+whose, "dir", e.dir)
	case logStartMoved:
		what := []any{"logStart", int64(p.start)}
		if !one {
			what = nil
		}
		out.Info("Incremented log start offset of "+whose+" due to DeleteRecords", what...)
	case segmentsRetired:
		what := []any{"bytes", p.retired.Bytes}
		if one {
			what = append(what, "logStart", int64(p.start))
		}
		segments := "segments"
		if p.retired.Segments == 1 {
			segments = "segment"
		}
		out.Info(fmt.Sprintf("Deleted %d %s of %s: %s", p.retired.Segments, segments, whose, reasons(p.retired)), what...)
	}
}

// reasons says what segments went by.
func reasons(r log.Retired) string {
	var out []string
	for _, by := range []struct {
		n    int
		what string
	}{{r.ByTime, "older than retention.ms"}, {r.BySize, "more than retention.bytes"}, {r.ByStart, "below the log start"}} {
		if by.n > 0 {
			out = append(out, fmt.Sprintf("%d %s", by.n, by.what))
		}
	}
	return strings.Join(out, ", ")
}

// topics tells of topics that were made or deleted.
func (w *news) topics(d image.Delta) {
	out := w.n.log("kafka.controller")
	for c := range d.Topics() {
		switch {
		case c.Old == nil:
			out.Info("Created topic "+c.New.Name, "partitions", c.New.Len(), "topicId", c.New.ID.String())
		case c.New == nil:
			out.Info("Deleted topic "+c.Old.Name, "partitions", c.Old.Len(), "topicId", c.Old.ID.String())
		case c.New.Len() > c.Old.Len():
			out.Info(fmt.Sprintf("Created %d partitions of topic %s", c.New.Len()-c.Old.Len(), c.New.Name), "partitions", c.New.Len())
		}
	}
}

// recovered ends what sayFound began.
func (w *news) recovered() {
	if w.n.life.Over() {
		return
	}
	w.mu.Lock()
	r := w.recovery
	w.mu.Unlock()
	if r.logs+r.failed == 0 {
		return // the directory is new
	}
	w.n.log("kafka.log").Info(fmt.Sprintf("Recovered %d logs", r.logs), "segmentsChecked", r.segments, "bytesCut", r.bytesCut,
		"failed", r.failed, "ms", (w.n.o.World.Now().Mono - w.n.life.began).Milliseconds())
}
