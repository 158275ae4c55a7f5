// Package text is the suite that sends a million lines of real text into one partition through one tool and takes them
// out through another, byte for byte and in order: kcat in and the Java console consumer out, and the other way round.
//
// `run` lists it. The text is Debian's package index, which install/install.sh fetches.
package text

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/javatools"
	"github.com/milena-io/milena/test/compat/suite"
)

const lines = 1_000_000

// Suites lists the suite.
func Suites() []suite.Suite {
	return []suite.Suite{{Name: "text", About: "a million lines through kcat and the Java console tools, byte for byte", Run: run}}
}

// passage is one way of the text through one topic.
type passage struct {
	topic   string
	in, out func(ctx context.Context, bootstrap, topic string) (*exec.Cmd, error)
}

func run(ctx context.Context, s *suite.Session) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	text, err := broker.Install("text")
	if err != nil {
		return err
	}
	node, err := broker.New(s.System, broker.Options{Dir: filepath.Join(s.Dir, "broker"),
		Overrides: map[string]string{"auto.create.topics.enable": "false"}})
	if err != nil {
		return err
	}
	if err := node.Start(ctx); err != nil {
		return err
	}
	defer node.Kill9()
	client, err := kgo.NewClient(kgo.SeedBrokers(node.Bootstrap()))
	if err != nil {
		return err
	}
	defer client.Close()
	for _, p := range []struct {
		name string
		passage
	}{
		{"in through kcat, out through kafka-console-consumer", passage{"from-kcat", kcatIn, consoleOut}},
		{"in through kafka-console-producer, out through kcat", passage{"from-console", consoleIn, kcatOut}},
	} {
		s.Case(p.name, func() error {
			made, err := kadm.NewClient(client).CreateTopic(ctx, 1, 1, nil, p.topic)
			if err != nil {
				return err
			}
			if made.Err != nil {
				return made.Err
			}
			return p.pass(ctx, node.Bootstrap(), text)
		})
	}
	s.Case("the broker stops cleanly", node.Stop)
	return nil
}

func (p passage) pass(ctx context.Context, bootstrap, text string) error {
	in, err := p.in(ctx, bootstrap, p.topic)
	if err != nil {
		return err
	}
	file, err := os.Open(text)
	if err != nil {
		return err
	}
	defer file.Close()
	var notes bytes.Buffer
	in.Stdin, in.Stderr = file, &notes
	if err := in.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", in.Args[0], err, notes.String())
	}
	out, err := p.out(ctx, bootstrap, p.topic)
	if err != nil {
		return err
	}
	notes.Reset()
	out.Stderr = &notes
	got, err := out.StdoutPipe()
	if err != nil {
		return err
	}
	if err := out.Start(); err != nil {
		return err
	}
	difference := compare(text, got)
	_, _ = io.Copy(io.Discard, got)
	if err := out.Wait(); err != nil {
		return fmt.Errorf("%s: %w\n%s", out.Args[0], err, notes.String())
	}
	return difference
}

// compare reads got to its end and names the first line that differs.
func compare(text string, got io.Reader) error {
	want, err := os.Open(text)
	if err != nil {
		return err
	}
	defer want.Close()
	wantSum, gotSum := sha256.New(), sha256.New()
	w, g := bufio.NewReaderSize(io.TeeReader(want, wantSum), 1<<16), bufio.NewReaderSize(io.TeeReader(got, gotSum), 1<<16)
	for n := 1; ; n++ {
		a, errA := w.ReadBytes('\n')
		b, errB := g.ReadBytes('\n')
		if !bytes.Equal(a, b) {
			return fmt.Errorf("line %d is %q, want %q", n, b, a)
		}
		if errA == io.EOF && errB == io.EOF {
			if n != lines+1 {
				return fmt.Errorf("%d lines, want %d", n-1, lines)
			}
			break
		}
		if errA != nil || errB != nil {
			return fmt.Errorf("line %d: %v, %v", n, errA, errB)
		}
	}
	if !bytes.Equal(wantSum.Sum(nil), gotSum.Sum(nil)) {
		return fmt.Errorf("the checksums differ")
	}
	return nil
}

func kcat(ctx context.Context, args ...string) (*exec.Cmd, error) {
	program, err := broker.Install("kcat")
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	if libraries, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(program)), "lib", "*-linux-gnu")); err == nil && len(libraries) == 1 {
		cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+libraries[0])
	}
	return cmd, nil
}

func kcatIn(ctx context.Context, bootstrap, topic string) (*exec.Cmd, error) {
	return kcat(ctx, "-P", "-b", bootstrap, "-t", topic, "-p", "0", "-X", "enable.idempotence=true")
}

func kcatOut(ctx context.Context, bootstrap, topic string) (*exec.Cmd, error) {
	return kcat(ctx, "-C", "-b", bootstrap, "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q")
}

func consoleIn(ctx context.Context, bootstrap, topic string) (*exec.Cmd, error) {
	return javatools.Command(ctx, "kafka-console-producer", "--bootstrap-server", bootstrap, "--topic", topic)
}

func consoleOut(ctx context.Context, bootstrap, topic string) (*exec.Cmd, error) {
	return javatools.Command(ctx, "kafka-console-consumer", "--bootstrap-server", bootstrap, "--topic", topic,
		"--from-beginning", "--max-messages", fmt.Sprint(lines), "--timeout-ms", "60000")
}
