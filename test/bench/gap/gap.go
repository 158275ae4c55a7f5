// Package gap runs producers of other people's clients, each with the defaults of its library, and tells how long they could not write:
// what users see beside what the raw prober does.
//
// The parts of the benchmark that kill and stop nodes call it. The programs are Gap.java and gap.py, which runs librdkafka; a line in
// asks for a line out: the longest that a record waited since the last question, ms, how many failed and how many were acknowledged.
package gap

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/milena-io/milena/test/compat/broker"
)

// Client is one producer at work.
type Client struct {
	Name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

// Start starts the Java client and librdkafka, pinned as the caller is.
func Start(ctx context.Context, bootstrap []string, topic string) ([]*Client, error) {
	jars, err := broker.ToolsClassPath()
	if err != nil {
		return nil, err
	}
	python, err := broker.Install("python")
	if err != nil {
		return nil, err
	}
	_, here, _, _ := runtime.Caller(0)
	servers := strings.Join(bootstrap, ",")
	var all []*Client
	for _, one := range []struct {
		name string
		argv []string
	}{
		{"java", []string{"java", "-Xmx128m", "-XX:+UseSerialGC", "-cp", jars, filepath.Join(filepath.Dir(here), "Gap.java"), servers, topic}},
		{"librdkafka", []string{filepath.Join(python, "bin", "python"), "-B", filepath.Join(filepath.Dir(here), "gap.py"), servers, topic}},
	} {
		c := &Client{Name: one.name, cmd: exec.CommandContext(ctx, one.argv[0], one.argv[1:]...)}
		c.cmd.Stderr = os.Stderr
		out, err := c.cmd.StdoutPipe()
		if err == nil {
			c.in, err = c.cmd.StdinPipe()
		}
		if err == nil {
			err = c.cmd.Start()
		}
		if err != nil {
			Stop(all)
			return nil, fmt.Errorf("%s: %w", one.name, err)
		}
		c.out = bufio.NewReader(out)
		all = append(all, c)
	}
	return all, nil
}

// Worst is the longest that a record waited since the last call, ms, of those acknowledged since then.
func (c *Client) Worst() (ms float64, failed, acked int, err error) {
	if _, err := fmt.Fprintln(c.in); err != nil {
		return 0, 0, 0, fmt.Errorf("%s: %w", c.Name, err)
	}
	line, err := c.out.ReadString('\n')
	if err == nil {
		_, err = fmt.Sscan(line, &ms, &failed, &acked)
	}
	if err != nil {
		return 0, 0, 0, fmt.Errorf("%s: %w", c.Name, err)
	}
	return ms, failed, acked, nil
}

// Stop ends them.
func Stop(all []*Client) {
	for _, c := range all {
		_ = c.in.Close()
		_ = c.cmd.Wait()
	}
}
