package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/inspect"
)

// records reads JSON lines.
func records(t *testing.T, text string) []recordDoc {
	t.Helper()
	var out []recordDoc
	for d := json.NewDecoder(strings.NewReader(text)); ; {
		var r recordDoc
		if err := d.Decode(&r); err == io.EOF {
			return out
		} else if err != nil {
			t.Fatalf("%v in %q", err, text)
		}
		out = append(out, r)
	}
}

func TestLinesGoRound(t *testing.T) {
	c := newCluster(t)
	for name, in := range map[string]string{
		"two lines":        "a\nb\n",
		"no last newline":  "a\nb",
		"empty lines":      "\n\na\n\n",
		"carriage returns": "a\r\nb\r\n",
		"bytes":            "\x00\xff\xfe\x1b[31m\n\tx\n",
		"a long line":      strings.Repeat("x", 300_000) + "\ny\n",
		"nothing":          "",
	} {
		topic := strings.ReplaceAll(name, " ", "-")
		c.create(topic)
		c.produce(topic, in)
		want := in
		if in != "" && !strings.HasSuffix(in, "\n") {
			want += "\n"
		}
		if got := c.ok("consume", topic); got != want {
			t.Errorf("%s: %.80q came back as %.80q", name, in, got)
		}
	}
}

// TestProduceMakesTheTopic is the first thing that a new user does.
func TestProduceMakesTheTopic(t *testing.T) {
	c := newCluster(t)
	c.produce("greetings", "a\nb\n")
	if got := c.ok("consume", "greetings", "--from", "start", "-n", "2"); got != "a\nb\n" {
		t.Errorf("%q", got)
	}
	none := newCluster(t, "auto.create.topics.enable", "false")
	none.create("greetings")
	r := none.input("a\n", "produce", "greeting")
	if r.exit != exitFailed || r.out != "" {
		t.Errorf("%+v", r)
	}
	contains(t, "the error", r.err, `topic "greeting" does not exist`, `did you mean "greetings"?`)
}

func TestProduceFlags(t *testing.T) {
	c := newCluster(t)
	c.create("t", "-p", "2")
	file := filepath.Join(t.TempDir(), "value")
	if err := os.WriteFile(file, []byte("line 1\nline 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.produce("t", "k1:v1\nnokey\n:empty key\nk2:v:2\n", "-K", ":", "-p", "0")
	c.produce("t", "a|b|", "-D", "|", "-p", "0", "-z", "zstd")
	c.produce("t", "", "-f", file, "-p", "0", "-k", "file", "-H", "h=1", "-H", "h=")
	c.produce("t", "", "-l", file, "-p", "0", "--acks", "1")
	c.produce("t", "k=\n=\n", "-K", "=", "-Z", "-p", "0", "--acks", "0", "-z", "gzip")
	c.ok("consume", "t", "-p", "0", "-n", "11", "--from", "start") // nobody answers acks=0: wait until it came
	if out := c.ok("produce", "t", "-p", "0", "-k", "gone", "--tombstone"); !strings.HasPrefix(out, "t[0]@11  2") {
		t.Errorf("a tombstone prints %q", out)
	}
	p := func(s string) inspect.Payload { return inspect.Payload(s) }
	want := []struct{ key, value inspect.Payload }{
		{p("k1"), p("v1")}, {nil, p("nokey")}, {p(""), p("empty key")}, {p("k2"), p("v:2")}, {nil, p("a")}, {nil, p("b")},
		{p("file"), p("line 1\nline 2\n")}, {nil, p("line 1")}, {nil, p("line 2")}, {p("k"), nil}, {nil, nil}, {p("gone"), nil},
	}
	got := records(t, c.ok("consume", "t", "-p", "0", "-o", "json"))
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d: %+v", len(got), len(want), got)
	}
	for i, w := range want {
		g := got[i]
		if !same(g.Key, w.key) || !same(g.Value, w.value) || g.Offset != int64(i) || g.OffsetStr != fmt.Sprint(i) {
			t.Errorf("record %d is %+v, want %q %q", i, g, w.key, w.value)
		}
	}
	if h := got[6].Headers; len(h) != 2 || h[0].Key != "h" || string(h[0].Value) != "1" || h[1].Value == nil {
		t.Errorf("headers are %+v", h)
	}
	out := c.ok("produce", "t", "-k", "k", "one", "two", "-o", "json")
	if n := strings.Count(out, "\n"); n != 2 {
		t.Errorf("two values print %q", out)
	}
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		var d producedDoc
		if err := json.Unmarshal([]byte(line), &d); err != nil || d.Topic != "t" || d.OffsetStr != fmt.Sprint(d.Offset) || d.TimestampMs == 0 {
			t.Errorf("%q: %+v, %v", line, d, err)
		}
	}
}

func same(a, b inspect.Payload) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

// TestJSONGoesRound copies a topic through JSON lines: key, value, headers, timestamp and, when asked, partition.
func TestJSONGoesRound(t *testing.T) {
	c := newCluster(t)
	c.create("a", "-p", "3")
	c.create("b", "-p", "3")
	lines := `{"key":"k","value":"v\u2028<&>","timestamp_ms":1700000000123,"partition":2,"headers":[{"key":"h","value":null},{"key":"h","value":"1"}]}
{"key":null,"value":null,"timestamp_ms":1700000000124,"partition":1}
{"key":{"$base64":"AP8="},"value":{"$base64":"/w=="},"timestamp_ms":1700000000125,"partition":0}
{"key":"9007199254740993","value":"","timestamp_ms":1700000000126,"partition":2}
`
	c.produce("a", lines, "--input", "json", "--keep-partition")
	first := c.ok("consume", "a", "-o", "json")
	c.produce("b", first, "--input", "json", "--keep-partition")
	second := c.ok("consume", "b", "-o", "json")
	sorted := func(s string) string {
		var out [3]string
		for _, r := range records(t, s) {
			r.Topic = ""
			r.LeaderEpoch = 0
			data, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			out[r.Partition] += string(data) + "\n"
		}
		return out[0] + out[1] + out[2]
	}
	if a, b := sorted(first), sorted(second); a != b || len(records(t, first)) != 4 {
		t.Errorf("the copy differs:\n%s%s", a, b)
	}
	contains(t, "the JSON", first, `"key":{"$base64":"AP8="}`, `"value":"v\u2028<&>"`, `"timestamp":"2023-11-14T22:13:20.123Z"`, `"key":"9007199254740993"`)
	r := c.input(`{"key":1}`, "produce", "b", "--input", "json")
	if r.exit != exitFailed || !strings.Contains(r.err, "JSON record 1") {
		t.Errorf("a number for a key: %+v", r)
	}
}

func TestConsumePlaces(t *testing.T) {
	c := newCluster(t)
	c.create("t")
	var in strings.Builder
	for i := range 10 {
		fmt.Fprintf(&in, `{"value":"%d","timestamp_ms":%d}`+"\n", i, 1700000000000+1000*i)
	}
	c.produce("t", in.String(), "--input", "json")
	for _, tc := range []struct {
		want string
		args []string
	}{
		{"0123456789", nil},
		{"012", []string{"--from", "start", "-n", "3"}},
		{"", []string{"-n", "0"}},
		{"012", []string{"-n", "3"}},
		{"789", []string{"--from", "7"}},
		{"89", []string{"--from", "-2"}},
		{"89", []string{"--tail", "2"}},
		{"0123456789", []string{"--tail", "20"}},
		{"", []string{"--from", "end", "--until", "end"}},
		{"56789", []string{"--from", "@1700000005000"}},
		{"6789", []string{"--since", "1700000005001"}},
		{"3456", []string{"--since", "2023-11-14T22:13:23Z", "--until", "2023-11-14T22:13:27Z"}},
		{"", []string{"--since", "10m"}},
		{"", []string{"--from", "99"}},
		{"0123456789", []string{"--since", "2020-01-01", "--read-committed"}},
	} {
		got := strings.ReplaceAll(c.ok(append([]string{"consume", "t"}, tc.args...)...), "\n", "")
		if got != tc.want {
			t.Errorf("%q gives %q, want %q", tc.args, got, tc.want)
		}
	}
	if out := c.ok("consume", "t", "-f", `%t[%p]@%o %v\n`, "--from", "8"); out != "t[0]@8 8\nt[0]@9 9\n" {
		t.Errorf("--format prints %q", out)
	}
	r := c.run("consume", "t", "--from", "bogus")
	contains(t, "the refusal of a place", r.err, "-N for the last N", "@1795246122230")
	for _, args := range [][]string{
		{"--from", "somewhere"}, {"--from", "start", "--tail", "1"}, {"--from", "stored"}, {"--follow", "--until", "end"},
		{"--until", "never"}, {"-n", "-5"}, {"-g", "g", "-p", "0"}, {"-f", "%!"}, {"-f", "%v", "-o", "json"},
	} {
		if r := c.run(append([]string{"consume", "t"}, args...)...); r.exit != exitUsage || r.err == "" || r.out != "" {
			t.Errorf("%q: %+v", args, r)
		}
	}
	if r := c.run("consume", "tt"); r.exit != exitFailed || !strings.Contains(r.err, `did you mean "t"?`) {
		t.Errorf("a topic that is not there: %+v", r)
	}
	if r := c.run("consume", "t", "-p", "5"); r.exit != exitFailed || !strings.Contains(r.err, "no partition 5") {
		t.Errorf("a partition that is not there: %+v", r)
	}
}

func TestConsumeOnATerminal(t *testing.T) {
	c := newCluster(t)
	c.create("t")
	c.produce("t", "k:\x1b[2Jv\n", "-K", ":")
	r := runProcess(t, Process{Args: []string{"-b", c.addr, "consume", "t", "--from", "start", "-n", "1"}, OutTerminal: true})
	if r.exit != exitOK || !strings.Contains(r.out, `t[0]@0 k  \u001b[2Jv`) || strings.Contains(r.out, "\x1b") {
		t.Errorf("%+v", r)
	}
}

// broken is a pipe whose reader has gone after some bytes.
type broken struct {
	left int
	got  []byte
}

func (b *broken) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, io.ErrClosedPipe
	}
	b.got = append(b.got, p...)
	return len(p), nil
}

func TestAClosedPipeIsQuiet(t *testing.T) {
	c := newCluster(t)
	c.create("t")
	c.produce("t", strings.Repeat("some line of text\n", 20_000))
	r := runProcess(t, Process{Args: []string{"-b", c.addr, "consume", "t"}, Out: &broken{left: 100_000}})
	if r.exit != exitPipe || r.err != "" {
		t.Errorf("exit %d, stderr %q", r.exit, r.err)
	}
}

func TestAnInterruptIsQuiet(t *testing.T) {
	c := newCluster(t)
	c.create("t")
	c.produce("t", "a\n")
	ctx, cancel := context.WithCancel(within(t))
	out := &signalling{until: "a\n", then: cancel}
	var errs guarded
	code := Main(ctx, Process{Args: []string{"-b", c.addr, "consume", "t", "--from", "start", "--follow"}, Out: out, Err: &errs}, Seams{})
	if code != exitInterrupted || errs.String() != "" {
		t.Errorf("exit %d, stderr %q", code, errs.String())
	}
}

// signalling calls then when a text was written.
type signalling struct {
	b     bytes.Buffer
	until string
	then  func()
}

func (s *signalling) Write(p []byte) (int, error) {
	s.b.Write(p)
	if strings.Contains(s.b.String(), s.until) {
		s.then()
	}
	return len(p), nil
}

func TestARefusedRecordEndsProduce(t *testing.T) {
	c := newCluster(t)
	c.create("small", "-c", "max.message.bytes=2000")
	r := c.input("fits\n"+strings.Repeat("x", 5000)+"\n", "produce", "small")
	if r.exit != exitFailed || r.out != "" {
		t.Errorf("%+v", r)
	}
	contains(t, "the error", r.err, "MESSAGE_TOO_LARGE", "max.message.bytes")
	r = c.input("a\n", "produce", "small", "-p", "9")
	if r.exit != exitFailed {
		t.Errorf("a partition that is not there: %+v", r)
	}
	for _, args := range [][]string{
		{"--acks", "2"}, {"-z", "rar"}, {"--input", "xml"}, {"--tombstone"}, {"-k", "k", "-K", ":"}, {"-D", ""}, {"-H", "x"},
		{"--keep-partition"}, {"--max-bytes", "1"}, {"-f", "x", "value"},
	} {
		if r := c.run(append([]string{"produce", "small"}, args...)...); r.exit != exitUsage || r.out != "" {
			t.Errorf("%q: %+v", args, r)
		}
	}
}
