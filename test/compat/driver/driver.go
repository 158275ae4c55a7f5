// Package driver runs an unmodified Kafka client as a child process behind one small line protocol, so that every
// suite of clients is one scenario and many drivers.
//
// A driver is a program of a few dozen lines in the client's own language (folder drivers). It is started as
//
//	DRIVER produce BOOTSTRAP TOPIC CODEC [KEY=VALUE...]      Record per line on stdin; Ack per line on stdout, in the same order
//	DRIVER consume BOOTSTRAP TOPIC GROUP [KEY=VALUE...]      "commit" or "stop" per line on stdin; Event per line on stdout
//
// with lines of JSON, bytes in base64, null for Kafka's null. A producer sends with acks=all, idempotent where the
// client can be, to the partition named, and ends with status 0 when stdin ends and all is acknowledged. A consumer
// joins the group, reads from its commit or else the beginning, never commits on its own, has a session timeout of six
// seconds, and ends with status 0 after "stop", having left the group. The drivers with Client.Settings take keys of their client's
// configuration, and "commit TEXT": with TEXT as metadata they commit what they have said of the partitions that are theirs at that moment,
// say "committing" with these offsets before, and "error" when it failed.
//
// The package owns the processes and the protocol; it never judges what comes out.
package driver

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"github.com/milena-io/milena/test/compat/broker"
)

// patience bounds every wait for a driver. It is a bound on a hang, not a measurement.
const patience = 90 * time.Second

// Client is one client and what it can't do.
type Client struct {
	Name string
	// Prepare installs or builds what is needed and returns the command line of the driver.
	Prepare func() ([]string, error)
	// TextOnly clients take lines of text: no empty or binary keys, values and headers.
	TextOnly bool
	// OwnTimestamps clients can't be given a timestamp: they stamp with their clock.
	OwnTimestamps bool
	// NoNullHeaders clients can't send a header without a value.
	NoNullHeaders bool
	// Settings says that the driver takes settings, and commits with metadata.
	Settings bool
	// CommitsByItself clients commit on a timer and when they leave.
	CommitsByItself bool
}

// Header is one record header; a nil Value is null.
type Header struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

// Record is one record to or from a driver; nil bytes are null.
type Record struct {
	Partition int32    `json:"partition"`
	Offset    int64    `json:"offset"`
	Timestamp int64    `json:"timestamp"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   []Header `json:"headers"`
}

// Ack is the answer to one record.
type Ack struct {
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Error     string `json:"error"`
}

// Event is what a consumer says: "assigned" (Partitions is the whole assignment now), "record", "committing" (Offsets), "committed" or
// "error".
type Event struct {
	Event      string          `json:"event"`
	Partitions []int32         `json:"partitions"`
	Offsets    map[int32]int64 `json:"offsets"` // by partition
	Error      string          `json:"error"`
	Record
}

// Driver is a prepared client.
type Driver struct {
	Client
	argv     []string
	logs     string
	settings []string
}

// With is the driver with settings, KEY=VALUE each, of the client's own names.
func (d *Driver) With(settings ...string) *Driver {
	with := *d
	with.settings = settings
	return &with
}

// Prepare readies the client; the output of its processes is appended to the file logs.
func Prepare(c Client, logs string) (*Driver, error) {
	argv, err := c.Prepare()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Name, err)
	}
	return &Driver{Client: c, argv: argv, logs: logs}, nil
}

// child is one running driver: its input, and its output lines on a channel that closes when it has ended.
type child struct {
	name  string
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan []byte
	ended chan struct{}
	err   error // of Wait; valid after ended
}

// ahead is how many lines a driver may be ahead of the scenario before it has to wait.
const ahead = 1 << 16

func (d *Driver) start(args ...string) (*child, error) {
	cmd := exec.Command(d.argv[0], slices.Concat(d.argv[1:], args, d.settings)...)
	logs, err := os.OpenFile(d.logs, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer logs.Close()
	cmd.Stderr = logs
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if err := broker.StartTied(cmd); err != nil {
		return nil, err
	}
	c := &child{name: d.Name, cmd: cmd, in: in, lines: make(chan []byte, ahead), ended: make(chan struct{})}
	go func() {
		scan := bufio.NewScanner(out)
		scan.Buffer(nil, 16<<20)
		for scan.Scan() {
			c.lines <- append([]byte(nil), scan.Bytes()...)
		}
		_, _ = io.Copy(io.Discard, out)
		c.err = cmd.Wait()
		close(c.ended)
		close(c.lines)
	}()
	return c, nil
}

func (c *child) next(ctx context.Context, into any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.line(ctx, into)
}

func (c *child) line(ctx context.Context, into any) error {
	select {
	case line, open := <-c.lines:
		if !open {
			return fmt.Errorf("%s: the driver ended: %w", c.name, errors.Join(io.EOF, c.err))
		}
		if err := json.Unmarshal(line, into); err != nil {
			return fmt.Errorf("%s: %q: %w", c.name, line, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: nothing came: %w", c.name, ctx.Err())
	}
}

// finish waits for an exit with status 0.
func (c *child) finish() error {
	_ = c.in.Close()
	late := time.After(patience)
	for {
		select {
		case _, open := <-c.lines: // what is still said is of no interest, but must not block the driver
			if open {
				continue
			}
			if c.err != nil {
				return fmt.Errorf("%s: %w", c.name, c.err)
			}
			return nil
		case <-late:
			c.kill()
			return fmt.Errorf("%s: did not end within %s", c.name, patience)
		}
	}
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	for range c.lines { // until the driver has ended
	}
}
