package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

func TestClusterInfo(t *testing.T) {
	c := newCluster(t)
	c.create("a", "-p", "3")
	d := decode[clusterDoc](t, c.ok("cluster", "info", "-o", "json"), "cluster.info")
	if len(d.ClusterID) != 22 || d.Controller != 1 || d.Partitions != 3 || d.Topics != 1 || len(d.Brokers) != 1 || d.UnderReplicated+d.Offline != 0 {
		t.Errorf("%+v", d)
	}
	if b := d.Brokers[0]; b.ID != 1 || b.Leaders != 3 || net.JoinHostPort(b.Host, itoa(b.Port)) != c.addr {
		t.Errorf("%+v", b)
	}
	contains(t, "the text", c.ok("cluster", "info"), d.ClusterID, "node 1", "3 in 1 topic, all in sync", "metadata.version")
}

func itoa(n int32) string { data, _ := json.Marshal(n); return string(data) }

func TestReady(t *testing.T) {
	c := newCluster(t)
	if out := c.ok("ready"); out != "ready\n" {
		t.Errorf("%q", out)
	}
	d := decode[readyDoc](t, c.ok("ready", "-o", "json", "--wait", "10s"), "ready")
	if !d.Ready || d.Brokers != 1 || d.Controller != 1 {
		t.Errorf("%+v", d)
	}
	nobody := unused(t)
	r := run(t, "", "-b", nobody, "ready")
	if r.exit != exitUnreachable || r.out != "" || !strings.Contains(r.err, "connection refused") {
		t.Errorf("%+v", r)
	}
	r = run(t, "", "-b", nobody, "ready", "-o", "json", "--wait", "150ms")
	if d := decode[readyDoc](t, r.out, "ready"); r.exit != exitUnreachable || d.Ready || d.Reason == "" {
		t.Errorf("%+v %+v", r, d)
	}
}

// unused is an address at which nobody listens.
func unused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestStages names the stage at which the way to a broker broke.
func TestStages(t *testing.T) {
	answering := func(answer string) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Read(make([]byte, 4096))
				_, _ = io.WriteString(conn, answer)
				conn.Close()
			}
		}()
		return l.Addr().String()
	}
	for _, tc := range []struct{ addr, says string }{
		{unused(t), "connection refused (TCP)"},
		{"no.such.host.invalid:9092", "cannot resolve no.such.host.invalid (DNS)"},
		{answering("HTTP/1.1 400 Bad Request\r\n\r\n"), "HTTP"},
		{answering("\x15\x03\x01\x00\x02\x02\x46"), "TLS"},
		{answering(""), "closed the connection"},
	} {
		r := run(t, "", "-b", tc.addr, "--timeout", "5s", "topic", "list")
		if r.exit != exitUnreachable || r.out != "" || !strings.Contains(r.err, tc.says) {
			t.Errorf("%s: %+v, want %q", tc.addr, r, tc.says)
		}
		r = run(t, "", "-b", tc.addr, "--timeout", "5s", "produce", "t", "v", "-o", "json")
		var e struct {
			Error struct{ Code, Message, Hint string }
		}
		if err := json.Unmarshal([]byte(r.err), &e); err != nil || e.Error.Code != "UNREACHABLE" || !strings.Contains(e.Error.Message, tc.says) {
			t.Errorf("%s as JSON: %q, %v", tc.addr, r.err, err)
		}
	}
	if r := run(t, "", "-b", ",", "topic", "list"); r.exit != exitUsage {
		t.Errorf("no address: %+v", r)
	}
}

func TestBootstrapFromTheEnvironment(t *testing.T) {
	c := newCluster(t)
	c.create("a")
	r := runProcess(t, Process{Args: []string{"topic", "list", "-o", "name"}, Env: []string{"MILENA_BOOTSTRAP_SERVER=" + c.addr}})
	if r.exit != exitOK || r.out != "a\n" {
		t.Errorf("%+v", r)
	}
	r = runProcess(t, Process{Args: []string{"topic", "list", "-b", unused(t)}, Env: []string{"MILENA_BOOTSTRAP_SERVER=" + c.addr}})
	if r.exit != exitUnreachable {
		t.Errorf("the flag does not win: %+v", r)
	}
}

func TestStart(t *testing.T) {
	var got StartOptions
	result := error(nil)
	start := func(_ context.Context, o StartOptions) error { got = o; return result }
	exec := func(args ...string) (int, string) {
		var errs guarded
		code := Main(within(t), Process{Args: args, Out: io.Discard, Err: &errs, Env: []string{"KAFKA_NODE_ID=4"}}, Seams{Start: start})
		return code, errs.String()
	}
	code, _ := exec("start", "a.properties", "--config", "b.properties", "--override", "x=y=z", "--override", "k=", "--log-format", "json", "--log-level", "warn")
	if code != exitOK || strings.Join(got.ConfigFiles, " ") != "b.properties a.properties" || strings.Join(got.Overrides, " ") != "x=y=z k=" ||
		got.LogFormat != "json" || got.LogLevel != "warn" || got.Env[0] != "KAFKA_NODE_ID=4" || got.Out == nil || got.Err == nil {
		t.Errorf("exit %d, %+v", code, got)
	}
	for _, args := range [][]string{{"start", "--override", "x"}, {"start", "--log-format", "xml"}, {"start", "--log-level", "all"}} {
		if code, says := exec(args...); code != exitUsage || says == "" {
			t.Errorf("%q: exit %d, %q", args, code, says)
		}
	}
	for _, tc := range []struct {
		err  error
		exit int
	}{
		{errors.New("listeners: the port is taken"), exitFailed},
		{fault.Storage("log.OpenDir", disk.ErrLocked), exitLocked},
		{fault.New("log.OpenDir", kafka.ErrInconsistentClusterId, "it belongs to cluster A"), exitLocked},
	} {
		result = tc.err
		if code, says := exec("start"); code != tc.exit || !strings.Contains(says, tc.err.Error()) {
			t.Errorf("%v: exit %d, %q", tc.err, code, says)
		}
	}
	if r := run(t, "", "start"); r.exit != exitFailed || !strings.Contains(r.err, "without a server") {
		t.Errorf("%+v", r)
	}
}

func TestUsage(t *testing.T) {
	for _, tc := range []struct {
		args []string
		says string
	}{
		{[]string{"topci"}, "did you mean: milena topic"},
		{[]string{"topic", "lst"}, "did you mean: milena topic list"},
		{[]string{"consume", "t", "--form", "start"}, "did you mean --from"},
		{[]string{"consume", "t", "-n", "many"}, `--number "many": a whole number is wanted`},
		{[]string{"consume", "t", "-Y"}, "unknown shorthand"},
		{[]string{"consume"}, "which topic?"},
		{[]string{"consume", "a", "b"}, "one topic at a time"},
		{[]string{"topic", "list", "-o", "yaml"}, "unknown output form"},
		{[]string{"version", "-o", "name"}, "no output form"},
		{[]string{"start", "--schema"}, "no JSON output"},
	} {
		r := run(t, "", tc.args...)
		if r.exit != exitUsage || r.out != "" || !strings.Contains(r.err, tc.says) {
			t.Errorf("%q: %+v, want %q", tc.args, r, tc.says)
		}
	}
	for _, args := range [][]string{{}, {"topic"}, {"--help"}, {"consume", "--help"}, {"help", "produce"}} {
		if r := run(t, "", args...); r.exit != exitOK || !strings.Contains(r.out, "Usage:") || r.err != "" {
			t.Errorf("%q: %+v", args, r)
		}
	}
}

func TestVersion(t *testing.T) {
	b := decode[build](t, run(t, "", "version", "-o", "json").out, "version")
	if b.Version == "" || !strings.HasPrefix(b.Go, "go1.") || b.OS == "" || b.Arch == "" {
		t.Errorf("%+v", b)
	}
	r := run(t, "", "version")
	if r.exit != exitOK || !strings.HasPrefix(r.out, "milena ") || strings.Count(r.out, "\n") != 1 {
		t.Errorf("%+v", r)
	}
	if flag := run(t, "", "--version"); flag != r {
		t.Errorf("--version: %+v, version: %+v", flag, r)
	}
	if r := run(t, "", "topci", "--version"); r.exit != exitUsage {
		t.Errorf("%+v", r)
	}
}

// TestHelpLinesUp holds that the columns of the flags begin at one place: a name of more bytes than columns shifts them.
func TestHelpLinesUp(t *testing.T) {
	for _, args := range []string{"--help", "produce --help", "topic create --help", "bench produce --help"} {
		for _, line := range strings.Split(run(t, "", strings.Fields(args)...).out, "\n") {
			if flag, _, found := strings.Cut(strings.TrimLeft(line, " "), "   "); found && strings.HasPrefix(flag, "-") && len(flag) != utf8.RuneCountInString(flag) {
				t.Errorf("%s: %q has wide characters", args, flag)
			}
		}
	}
}

// TestSchemas holds that every command with JSON output describes it.
func TestSchemas(t *testing.T) {
	for _, args := range []string{
		"version", "ready", "dev", "produce", "consume", "topic create", "topic list", "topic describe", "topic alter", "topic delete",
		"group list", "group describe", "group seek", "group delete", "cluster info", "cluster health", "cluster quorum", "cluster nodes", "cluster elect", "cluster drain", "cluster rebalance", "reassign plan",
		"reassign apply", "reassign status", "reassign cancel", "explain partition", "log dump", "log verify", "bench produce", "bench consume",
	} {
		r := run(t, "", append(strings.Fields(args), "--schema")...)
		var s struct {
			Title      string
			Type       string
			Properties map[string]any
		}
		if err := json.Unmarshal([]byte(r.out), &s); err != nil || r.exit != exitOK || s.Type != "object" || len(s.Properties) == 0 || s.Title != "milena "+args {
			t.Errorf("%s: %+v, %v", args, r, err)
		}
	}
}
