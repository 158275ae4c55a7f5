package sim

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// trace is every event of a run in its order: hashed, and the last of them kept.
type trace struct {
	now  func() time.Duration
	tell func(string)
	hash uint64
	kept [lastEvents]event
	n    int
}

// event is one line of the trace.
type event struct {
	at   time.Duration
	text string
}

// lastEvents is how many events a report ends with.
const lastEvents = 200

// FNV-1a.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func (t *trace) mix(b byte) { t.hash = (t.hash ^ uint64(b)) * fnvPrime }

func (t *trace) stamp() {
	if t.hash == 0 {
		t.hash = fnvOffset
	}
	at := uint64(t.now())
	for range 8 {
		t.mix(byte(at))
		at >>= 8
	}
}

// note adds an event.
func (t *trace) note(text string) {
	t.stamp()
	for i := range len(text) {
		t.mix(text[i])
	}
	t.kept[t.n%lastEvents] = event{t.now(), text}
	t.n++
	if t.tell != nil {
		t.tell(t.kept[(t.n-1)%lastEvents].String())
	}
}

// bytes adds what came over the network, to the hash alone.
func (t *trace) bytes(b []byte) {
	if t.tell != nil {
		t.tell(fmt.Sprintf("%12v BYTES %d %x", t.now()-time.Hour, len(b), b))
	}
	t.stamp()
	for _, c := range b {
		t.mix(c)
	}
}

func (t *trace) sum() uint64 { return t.hash }

// last returns the events that were kept, the oldest first.
func (t *trace) last() []string {
	var out []string
	for i := max(0, t.n-lastEvents); i < t.n; i++ {
		out = append(out, t.kept[i%lastEvents].String())
	}
	return out
}

// String is the event with the time since the run began.
func (e event) String() string { return fmt.Sprintf("%12v %s", e.at-time.Hour, e.text) }

// diary is what a node logs, as events of the trace.
type diary struct {
	r     *run
	who   string
	attrs []slog.Attr
}

// Enabled implements slog.Handler.
func (d *diary) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// Handle implements slog.Handler.
func (d *diary) Handle(_ context.Context, rec slog.Record) error {
	line := d.who + ": " + rec.Message
	add := func(a slog.Attr) bool {
		line += " " + a.Key + "=" + a.Value.String()
		return true
	}
	for _, a := range d.attrs {
		add(a)
	}
	rec.Attrs(add)
	if d.r.reached.logged(rec.Message) == Truncations {
		d.r.watch.cut(d.who, rec)
	}
	d.r.trace.note(line)
	return nil
}

// WithAttrs implements slog.Handler.
func (d *diary) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &diary{d.r, d.who, append(d.attrs[:len(d.attrs):len(d.attrs)], attrs...)}
}

// WithGroup implements slog.Handler.
func (d *diary) WithGroup(string) slog.Handler { return d }
