package node

import (
	"context"
	"encoding/binary"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// lines keeps the warnings and errors of a node's log.
type lines struct {
	mu   sync.Mutex
	all  []string
	info bool // take these as well
}

func (l *lines) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn || l.info && level >= slog.LevelInfo
}
func (l *lines) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *lines) WithGroup(string) slog.Handler      { return l }
func (l *lines) Handle(_ context.Context, r slog.Record) error {
	line := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line)
	return nil
}

// with returns the lines that contain every part.
func (l *lines) with(parts ...string) (out []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
next:
	for _, line := range l.all {
		for _, p := range parts {
			if !strings.Contains(line, p) {
				continue next
			}
		}
		out = append(out, line)
	}
	return out
}

func (l *lines) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = nil
}

// framed puts the length in front.
func framed(body ...byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// hello begins a TLS 1.3 handshake as every client does: a record of version 3.1 with a ClientHello in it.
func hello() []byte {
	b := []byte{0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03}
	return append(b, make([]byte, 506)...)
}

// TestBadInputIsExplained: what cannot be served closes its connection, without an answer, and with one line that names
// the peer and says what was wrong.
func TestBadInputIsExplained(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		name  string
		bytes []byte
		says  string
	}{
		{"a negative length", []byte{0xff, 0xff, 0xff, 0xff}, "-1 bytes"},
		{"two gigabytes", []byte{0x7f, 0xff, 0xff, 0xff}, "2147483647 bytes"},
		{"more than socket.request.max.bytes", []byte{0x06, 0x40, 0x00, 0x01, 0, 0}, "socket.request.max.bytes"},
		{"no length", []byte{0, 0, 0, 0}, "0 bytes"},
		{"too short for a header", framed(0, 3, 0, 9, 0), "5 bytes"},
		{"a TLS hello", hello(), "TLS"},
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: localhost:9092\r\n\r\n"), "HTTP"},
		{"HTTP, another verb", []byte("POST /topics HTTP/1.1\r\n\r\n"), "HTTP"},
		{"SSH", []byte("SSH-2.0-OpenSSH_9.9\r\n"), "SSH"},
		{"an unknown key", framed(0x03, 0xe7, 0, 0, 0, 0, 0, 1, 0xff, 0xff), "999"},
		{"a negative key", framed(0xff, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff), "-1"},
		{"a key that is not built", framed(0, 24, 0, 0, 0, 0, 0, 1, 0xff, 0xff), "AddPartitionsToTxn"},
		{"a key of brokers", framed(0, 63, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0), "BrokerHeartbeat"},
		{"a version that is not served", framed(0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff), "Metadata version 99"},
		{"a negative version", framed(0, 3, 0xff, 0xff, 0, 0, 0, 1, 0xff, 0xff), "Metadata version -1"},
		{"an old Produce", framed(0, 0, 0, 2, 0, 0, 0, 1, 0xff, 0xff), "Produce version 2"},
		{"a lying client id", framed(0, 3, 0, 1, 0, 0, 0, 1, 0x7f, 0xff), "header"},
		{"a lying tag count", framed(0, 3, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f), "wire.header"},
		{"a lying array", framed(0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff), "Metadata"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.w.Run(2 * time.Second) // lines of a kind are one a second
			r.logs.forget()
			l := r.connect("PLAINTEXT")
			l.l.Send(c.bytes)
			if f := l.receive(time.Second); f != nil || !l.l.Ended() {
				t.Fatalf("answer %x, closed %v", f, l.l.Ended())
			}
			if got := r.logs.with("WARN", "10.1.2.3:5000", c.says); len(got) != 1 || len(r.logs.all) != 1 {
				t.Fatalf("no line, or others, about %q: %q", c.says, r.logs.all)
			}
			if used := r.n.edge.budget.Used(); used != 0 {
				t.Fatalf("%d bytes stay charged", used)
			}
		})
	}
	r.healthy()
}

// TestBadInputIsNotALogFlood: a thousand bad connections make a line a second, which tells how many there were.
func TestBadInputIsNotALogFlood(t *testing.T) {
	r := newRig(t)
	for range 1000 {
		l := r.connect("PLAINTEXT")
		l.l.Send(hello())
		if l.receive(time.Second); !l.l.Ended() {
			t.Fatal("not closed")
		}
	}
	r.w.Run(2 * time.Second)
	l := r.connect("PLAINTEXT")
	l.l.Send(hello())
	l.receive(time.Second)
	if got := r.logs.with("TLS"); len(got) > 4 || len(r.logs.with("similar_suppressed=")) == 0 {
		t.Fatalf("%d lines, the last %q", len(got), got[len(got)-1])
	}
}

// healthy checks that the broker goes on: a new topic is made, written and read.
func (r *rig) healthy() {
	r.t.Helper()
	r.main = r.connect("PLAINTEXT")
	r.checks++
	topic := "healthy-" + string(rune('a'+r.checks/26)) + string(rune('a'+r.checks%26))
	r.create(topic, 1)
	if p := r.write(topic, 0, plain("x")); p.ErrorCode != 0 || p.BaseOffset != 0 {
		r.t.Fatalf("after bad input a write says %+v", p)
	}
	if got := values(r.t, r.read(topic, 0, 0).RecordBatches); len(got) != 1 || got[0] != "x" {
		r.t.Fatalf("after bad input a read says %q", got)
	}
}
