package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/milena-io/milena/milenatest"
)

// result is what a command did.
type result struct {
	exit int
	out  string
	err  string
}

// guarded is a buffer that a command may write while a test reads it.
type guarded struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (g *guarded) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.Write(p)
}

func (g *guarded) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.String()
}

// cluster is a broker and how commands are run against it.
type cluster struct {
	t    *testing.T
	addr string
}

func newCluster(t *testing.T, settings ...string) *cluster {
	t.Helper()
	return &cluster{t, milenatest.Start(t, settings...).Addr()}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// input runs a command with standard input.
func (c *cluster) input(in string, args ...string) result {
	c.t.Helper()
	return run(c.t, in, append([]string{"-b", c.addr}, args...)...)
}

// run runs a command.
func (c *cluster) run(args ...string) result {
	c.t.Helper()
	return c.input("", args...)
}

// ok runs a command that has to succeed and returns what it printed.
func (c *cluster) ok(args ...string) string {
	c.t.Helper()
	r := c.run(args...)
	if r.exit != exitOK {
		c.t.Fatalf("milena %s: exit %d\n%s%s", strings.Join(args, " "), r.exit, r.out, r.err)
	}
	return r.out
}

// create makes a topic.
func (c *cluster) create(topic string, args ...string) {
	c.t.Helper()
	c.ok(append([]string{"topic", "create", topic}, args...)...)
}

// produce writes lines.
func (c *cluster) produce(topic, lines string, args ...string) {
	c.t.Helper()
	if r := c.input(lines, append([]string{"produce", topic}, args...)...); r.exit != exitOK || r.out != "" {
		c.t.Fatalf("produce: %+v", r)
	}
}

func run(t *testing.T, in string, args ...string) result {
	t.Helper()
	return runProcess(t, Process{Args: args, In: strings.NewReader(in)})
}

func runProcess(t *testing.T, p Process) result {
	t.Helper()
	var out, errs guarded
	if p.Out == nil {
		p.Out = &out
	}
	p.Err = &errs
	code := Main(within(t), p, Seams{})
	return result{code, out.String(), errs.String()}
}

// decode reads a JSON document that has to have the command's name and version.
func decode[T any](t *testing.T, text, command string) T {
	t.Helper()
	var head struct {
		Command string `json:"_command"`
		Version int    `json:"_version"`
	}
	var v T
	if err := json.Unmarshal([]byte(text), &head); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	if head.Command != command || head.Version != 1 {
		t.Errorf("the document is of %q version %d, want %q", head.Command, head.Version, command)
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}

// contains checks that a text has every part.
func contains(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s lacks %q:\n%s", what, p, text)
		}
	}
}
