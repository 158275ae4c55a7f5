package logging_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/milena-io/milena/internal/logging"
)

var nine = time.Date(2026, 11, 21, 9, 0, 0, 123_987_654, time.FixedZone("", 3600))

// person is a type with a String of its own.
type person struct{ name string }

func (p person) String() string { return "User:" + p.name }

// fragile panics when it is asked, and cannot be asked at all when nil.
type fragile struct{ words string }

func (f *fragile) String() string { panic(f.words) }

type lazy struct{}

func (lazy) LogValue() slog.Value { return slog.GroupValue(slog.Int("a", 1), slog.String("b", "x y")) }

// fixed gives every record one time, and writes to a buffer.
type fixed struct{ slog.Handler }

func (f fixed) handle(t *testing.T, level slog.Level, msg string, args ...any) {
	t.Helper()
	r := slog.NewRecord(nine, level, msg, 0)
	r.Add(args...)
	if err := f.Handle(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func TestLines(t *testing.T) {
	kafkaLike := func(h slog.Handler) slog.Handler {
		return h.WithAttrs([]slog.Attr{slog.String("component", "kafka.server.BrokerServer")})
	}
	grouped := func(h slog.Handler) slog.Handler {
		return h.WithAttrs([]slog.Attr{slog.Int("node", 1)}).WithGroup("s").WithAttrs([]slog.Attr{slog.Bool("b", true)}).WithGroup("t")
	}
	for _, c := range []struct {
		name   string
		with   func(slog.Handler) slog.Handler
		level  slog.Level
		msg    string
		args   []any
		kafka  string
		json   string
		pretty string
	}{
		{
			name: "plain", with: kafkaLike, msg: "[BrokerServer id=1] Transition from STARTING to STARTED",
			kafka:  `[2026-11-21 09:00:00,123] INFO [BrokerServer id=1] Transition from STARTING to STARTED (kafka.server.BrokerServer)`,
			json:   `{"time":"2026-11-21T08:00:00.123Z","level":"INFO","msg":"[BrokerServer id=1] Transition from STARTING to STARTED","component":"kafka.server.BrokerServer"}`,
			pretty: `09:00:00.123 INFO  [BrokerServer id=1] Transition from STARTING to STARTED (kafka.server.BrokerServer)`,
		},
		{
			name: "attributes", level: slog.LevelWarn, msg: "Shrinking ISR from 1,2,3 to 1,2.", args: []any{"event", "isr_shrink", "partition", "a-0", "lag", 12,
				"took", 1500 * time.Millisecond, "ok", false, "size", uint64(math.MaxUint64), "share", 0.5},
			kafka:  `[2026-11-21 09:00:00,123] WARN Shrinking ISR from 1,2,3 to 1,2. event=isr_shrink partition=a-0 lag=12 took=1.5s ok=false size=18446744073709551615 share=0.5 (milena)`,
			json:   `{"time":"2026-11-21T08:00:00.123Z","level":"WARN","msg":"Shrinking ISR from 1,2,3 to 1,2.","component":"milena","event":"isr_shrink","partition":"a-0","lag":12,"took":"1.5s","ok":false,"size":18446744073709551615,"share":0.5}`,
			pretty: `09:00:00.123 WARN  Shrinking ISR from 1,2,3 to 1,2. event=isr_shrink partition=a-0 lag=12 took=1.5s ok=false size=18446744073709551615 share=0.5`,
		},
		{
			name: "quoting", level: slog.LevelError, msg: "said \"no\"\n[2026-11-21 09:00:00,000] INFO forged", args: []any{"empty", "", "blank", "a b", "equals", "a=b", "quote", `"`, "escape", "\x1b[31m", "bad", "\xff", "greek", "λ"},
			kafka:  `[2026-11-21 09:00:00,123] ERROR said "no"\n[2026-11-21 09:00:00,000] INFO forged empty="" blank="a b" equals="a=b" quote="\"" escape="\x1b[31m" bad="\xff" greek=λ (milena)`,
			json:   `{"time":"2026-11-21T08:00:00.123Z","level":"ERROR","msg":"said \"no\"\n[2026-11-21 09:00:00,000] INFO forged","component":"milena","empty":"","blank":"a b","equals":"a=b","quote":"\"","escape":"\u001b[31m","bad":"�","greek":"λ"}`,
			pretty: `09:00:00.123 ERROR said "no"\n[2026-11-21 09:00:00,000] INFO forged empty="" blank="a b" equals="a=b" quote="\"" escape="\x1b[31m" bad="\xff" greek=λ`,
		},
		{
			name: "kinds", level: slog.LevelDebug, msg: "m", args: []any{"err", errors.New("disk full"), "who", person{"alice"}, "nil", nil, "nilptr", (*fragile)(nil), "bad", &fragile{"boom"},
				"ids", []int{1, 2}, "bytes", []byte("ab"), "at", nine, "nan", math.NaN(), "html", "<&>", "chan", json.RawMessage("{")},
			kafka:  `[2026-11-21 09:00:00,123] DEBUG m err="disk full" who=User:alice nil=<nil> nilptr=<nil> bad="!PANIC: boom" ids="[1 2]" bytes=ab at=2026-11-21T09:00:00.123987654+01:00 nan=NaN html=<&> chan=[123] (milena)`,
			json:   `{"time":"2026-11-21T08:00:00.123Z","level":"DEBUG","msg":"m","component":"milena","err":"disk full","who":"User:alice","nil":null,"nilptr":"<nil>","bad":"!PANIC: boom","ids":[1,2],"bytes":"ab","at":"2026-11-21T09:00:00.123987654+01:00","nan":"NaN","html":"<&>","chan":"!ERROR: json: error calling MarshalJSON for type json.RawMessage: unexpected end of JSON input"}`,
			pretty: `09:00:00.123 DEBUG m err="disk full" who=User:alice nil=<nil> nilptr=<nil> bad="!PANIC: boom" ids="[1 2]" bytes=ab at=2026-11-21T09:00:00.123987654+01:00 nan=NaN html=<&> chan=[123]`,
		},
		{
			name: "groups", with: grouped, msg: "m", args: []any{"x", 1, slog.Group("u", "y", 2), slog.Group("none"), "z", lazy{}, "component", "inner"},
			kafka:  `[2026-11-21 09:00:00,123] INFO m node=1 s.b=true s.t.x=1 s.t.u.y=2 s.t.z.a=1 s.t.z.b="x y" s.t.component=inner (milena)`,
			json:   `{"time":"2026-11-21T08:00:00.123Z","level":"INFO","msg":"m","component":"milena","node":1,"s":{"b":true,"t":{"x":1,"u":{"y":2},"z":{"a":1,"b":"x y"},"component":"inner"}}}`,
			pretty: `09:00:00.123 INFO  m node=1 s.b=true s.t.x=1 s.t.u.y=2 s.t.z.a=1 s.t.z.b="x y" s.t.component=inner`,
		},
		{
			name: "group without members", with: grouped, level: slog.LevelDebug - 4, msg: "",
			kafka:  `[2026-11-21 09:00:00,123] TRACE  node=1 s.b=true (milena)`,
			json:   `{"time":"2026-11-21T08:00:00.123Z","level":"TRACE","msg":"","component":"milena","node":1,"s":{"b":true}}`,
			pretty: `09:00:00.123 TRACE  node=1 s.b=true`,
		},
		{
			name: "component of the record", with: kafkaLike, level: slog.LevelError + 4, msg: "m", args: []any{"a", 1, "component", "kafka.log.LogManager"},
			kafka:  `[2026-11-21 09:00:00,123] FATAL m a=1 (kafka.log.LogManager)`,
			json:   `{"time":"2026-11-21T08:00:00.123Z","level":"FATAL","msg":"m","component":"kafka.log.LogManager","a":1}`,
			pretty: `09:00:00.123 FATAL m a=1 (kafka.log.LogManager)`,
		},
	} {
		for format, want := range map[string]string{logging.Kafka: c.kafka, logging.JSON: c.json, logging.Pretty: c.pretty} {
			t.Run(c.name+"/"+format, func(t *testing.T) {
				var out bytes.Buffer
				h := logging.New(&out, logging.Options{Format: format, Level: slog.LevelDebug - 4})
				if c.with != nil {
					h = c.with(h)
				}
				fixed{h}.handle(t, c.level, c.msg, c.args...)
				if got := out.String(); got != want+"\n" {
					t.Errorf("got  %swant %s", got, want)
				}
				if format == logging.JSON && !json.Valid(out.Bytes()) {
					t.Error("not JSON")
				}
			})
		}
	}
}

func TestColor(t *testing.T) {
	var out bytes.Buffer
	h := logging.New(&out, logging.Options{Format: logging.Pretty, Color: true})
	fixed{h}.handle(t, slog.LevelWarn, "m", "a", 1)
	want := "\x1b[2m09:00:00.123\x1b[0m \x1b[33mWARN\x1b[0m  m\x1b[2m a=1\x1b[0m\n"
	if out.String() != want {
		t.Errorf("%q", out.String())
	}
}

func TestLevel(t *testing.T) {
	var out bytes.Buffer
	var level slog.LevelVar
	l := slog.New(logging.New(&out, logging.Options{Level: &level}))
	l.Debug("one")
	level.Set(slog.LevelDebug)
	l.Debug("two")
	if lines := strings.Split(out.String(), "\n"); len(lines) != 2 || !strings.HasSuffix(lines[0], "DEBUG two (milena)") {
		t.Errorf("%q", out.String())
	}
}

func TestUnknownFormatIsABug(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	logging.New(io.Discard, logging.Options{Format: "xml"})
}

// A derived handler must not write into what its siblings share.
func TestSiblings(t *testing.T) {
	for _, format := range []string{logging.Kafka, logging.JSON} {
		var out bytes.Buffer
		base := logging.New(&out, logging.Options{Format: format}).WithAttrs([]slog.Attr{slog.Int("base", 0)})
		a := base.WithGroup("g").WithGroup("a").WithAttrs([]slog.Attr{slog.Int("v", 1)})
		b := base.WithGroup("g").WithGroup("b").WithAttrs([]slog.Attr{slog.Int("v", 2)})
		fixed{a}.handle(t, 0, "m")
		fixed{b}.handle(t, 0, "m")
		fixed{base}.handle(t, 0, "m")
		got := strings.Split(out.String(), "\n")
		want := []string{"base=0 g.a.v=1 (", "base=0 g.b.v=2 (", "base=0 ("}
		if format == logging.JSON {
			want = []string{`"base":0,"g":{"a":{"v":1}}}`, `"base":0,"g":{"b":{"v":2}}}`, `"base":0}`}
		}
		for i, w := range want {
			if !strings.Contains(got[i], w) {
				t.Errorf("%s: %q has no %q", format, got[i], w)
			}
		}
	}
}

// whole fails a Write that is not one line.
type whole struct {
	t     *testing.T
	lines int
}

func (w *whole) Write(p []byte) (int, error) {
	w.lines++
	if bytes.Count(p, []byte("\n")) != 1 || p[len(p)-1] != '\n' || !bytes.Contains(p, []byte("hello")) {
		w.t.Errorf("a write of %q", p)
	}
	return len(p), nil
}

func TestConcurrentLines(t *testing.T) {
	for _, format := range []string{logging.Kafka, logging.JSON, logging.Pretty} {
		out := &whole{t: t}
		l := slog.New(logging.New(out, logging.Options{Format: format}))
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				mine := l.With("worker", i)
				for j := range 200 {
					mine.Info("hello", "j", j, "long", strings.Repeat("x", j*100))
				}
			})
		}
		wg.Wait()
		if out.lines != 1600 {
			t.Errorf("%s: %d lines", format, out.lines)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestWriteError(t *testing.T) {
	h := logging.New(broken{}, logging.Options{})
	if err := h.Handle(t.Context(), slog.NewRecord(nine, 0, "m", 0)); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

func TestSlogJSON(t *testing.T) {
	var out bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		out.Reset()
		return logging.New(&out, logging.Options{Format: logging.JSON})
	}, func(t *testing.T) map[string]any {
		m := map[string]any{}
		if err := json.Unmarshal(out.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		return m
	})
}

func TestSlogText(t *testing.T) {
	for _, format := range []string{logging.Kafka, logging.Pretty} {
		var out bytes.Buffer
		slogtest.Run(t, func(*testing.T) slog.Handler {
			out.Reset()
			return logging.New(&out, logging.Options{Format: format})
		}, func(*testing.T) map[string]any { return parse(out.String()) })
	}
}

// parse reads a text line back as far as slogtest's lines need it: level, one word of message, fields with dots.
func parse(line string) map[string]any {
	m := map[string]any{}
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), " (milena)")
	words := strings.Fields(line)
	for words[0] != "INFO" { // what stands before the level is the time
		m[slog.TimeKey] = words[0]
		words = words[1:]
	}
	m[slog.LevelKey], m[slog.MessageKey] = words[0], words[1]
	for _, w := range words[2:] {
		path, value, _ := strings.Cut(w, "=")
		at := m
		keys := strings.Split(path, ".")
		for _, k := range keys[:len(keys)-1] {
			if at[k] == nil {
				at[k] = map[string]any{}
			}
			at = at[k].(map[string]any)
		}
		at[keys[len(keys)-1]] = value
	}
	return m
}
