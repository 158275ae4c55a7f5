// Package trio is the suite of the operators' tools against three nodes, Apache Kafka's and our own command line, which works with either
// system: topics, reassignment, leader election, the metadata quorum, features, log directories, throttles, while nodes die and come back. Every step is a command line, and what it prints and how
// it ends is held word for word to what three nodes of Apache Kafka made it print: golden/kafka.txt. Where ours differ for a reason, the
// answer of ours stands in golden/milena.txt with the reason above it; a reason without an answer says that ours is chance.
//
// `run` lists the suite. GOLDEN=write writes down what is seen instead of comparing it: golden/kafka.txt against Apache Kafka, and
// against milena what differs from that. What is no property of the system (ports, ids, epochs of elections, sizes) is taken out of the
// answers before: tidy.go.
package trio

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/suite"
)

// Suites lists the suite.
func Suites() []suite.Suite {
	return []suite.Suite{
		{Name: "cluster", About: "the operators' tools, Apache Kafka's and ours, against three nodes, word for word", Run: together},
		{Name: "cluster-apart", About: "likewise against three controllers and three brokers", Run: apart},
	}
}

// patience bounds how long a step waits for the answer that it wants. It is a bound on a hang, not a measurement.
const patience = 2 * time.Minute

// step is a command line, or something that is done between two.
type step struct {
	name string
	do   func(ctx context.Context, t *trio) error
	// line is a tool, a class of Apache Kafka's or milena, and its arguments, separated by blanks. {nodes} are all bootstrap servers, {node1} one of them, {controllers} and
	// {controller1} the controllers' listeners, {dir} the folder with the files of the script.
	line string
	// until is asked of each answer until it says yes: what follows from something that takes its time.
	until func(out string) bool
	// tidy takes out of an answer what is no property of the system, on top of what is taken out of each.
	tidy func(out string) string
}

// trio is what the steps work on.
type trio struct {
	*broker.Cluster
	tools *jvm
	ours  string // milena's binary
	dir   string
	names *strings.Replacer // in answers
	words *strings.Replacer // in command lines
}

func options(s *suite.Session) broker.Options {
	return broker.Options{Dir: filepath.Join(s.Dir, "nodes"), Overrides: map[string]string{
		"auto.leader.rebalance.enable": "false", "auto.create.topics.enable": "false", "log.segment.delete.delay.ms": "100",
		"broker.session.timeout.ms": "6000", "broker.heartbeat.interval.ms": "1000", "offsets.topic.num.partitions": "1",
	}}
}

func together(ctx context.Context, s *suite.Session) error {
	c, err := broker.NewCluster(s.System, 3, options(s), nil)
	if err != nil {
		return err
	}
	return run(ctx, s, c, "", script)
}

func apart(ctx context.Context, s *suite.Session) error {
	c, err := broker.NewApart(s.System, 3, options(s))
	if err != nil {
		return err
	}
	return run(ctx, s, c, "apart-", scriptApart)
}

// run asks a cluster everything in a script; golden is what the names of the files with the answers begin with.
func run(ctx context.Context, s *suite.Session, c *broker.Cluster, golden string, script []step) error {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Minute)
	defer cancel()
	defer c.Kill9()
	if err := c.Start(ctx); err != nil {
		return err
	}
	t := &trio{Cluster: c, dir: s.Dir}
	t.rename()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	var err error
	if t.tools, err = startJVM(ctx); err != nil {
		return err
	}
	defer t.tools.close()
	if t.ours, err = broker.Build(); err != nil {
		return err
	}
	book, err := openBook(golden, s.System)
	if err != nil {
		return err
	}
	for _, one := range script {
		s.Case(one.name, func() error {
			if one.do != nil {
				return one.do(ctx, t)
			}
			if !book.waits(one.name) {
				one.until = nil
			}
			got, err := t.ask(ctx, one)
			if err != nil {
				book.failed[one.name] = true
				return err
			}
			return book.check(one.name, got)
		})
	}
	return book.close()
}

// rename makes the replacers between what is of this run and what it is called.
func (t *trio) rename() {
	pairs := []string{t.dir, "{dir}"}
	for i, n := range t.Nodes() {
		pairs = append(pairs, filepath.Dir(n.DataDir()), fmt.Sprintf("{home%d}", i+1))
	}
	for i, addr := range t.Bootstrap() {
		pairs = append(pairs, addr, fmt.Sprintf("{node%d}", i+1))
	}
	for i, addr := range t.Controllers() {
		pairs = append(pairs, addr, fmt.Sprintf("{controller%d}", i+1))
	}
	for i := range t.Brokers() {
		for _, addr := range []string{t.Bootstrap()[i], t.Controllers()[i]} {
			_, port, _ := strings.Cut(addr, ":")
			kind := "node"
			if addr == t.Controllers()[i] {
				kind = "controller"
			}
			pairs = append(pairs, port, fmt.Sprintf("{%s%d port}", kind, i+1))
		}
	}
	// Longer ones first: the folder of a node stands in that of the run.
	var names, words []string
	for i := 2; i < len(pairs); i += 2 {
		names = append(names, pairs[i], pairs[i+1])
		words = append(words, pairs[i+1], pairs[i])
	}
	t.names = strings.NewReplacer(append(names, pairs[0], pairs[1])...)
	t.words = strings.NewReplacer(append(words, pairs[1], pairs[0],
		"{nodes}", strings.Join(t.Bootstrap(), ","), "{controllers}", strings.Join(t.Controllers(), ","))...)
}

// ask runs a step's tool, until its answer is as it wants it.
func (t *trio) ask(ctx context.Context, one step) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	words := strings.Fields(one.line)
	args := make([]string, len(words)-1)
	for i, w := range words[1:] {
		args[i] = t.words.Replace(w)
	}
	for {
		a, err := t.run(ctx, words[0], args)
		if err != nil {
			return "", err
		}
		out := tidied(t.names.Replace(a.Out))
		if one.tidy != nil {
			out = one.tidy(out)
		}
		text := fmt.Sprintf("$ %s\n%s[%d]\n", one.line, out, a.Status)
		if one.until == nil || one.until(out) {
			return text, nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("the answer is still\n%s", text)
		case <-time.After(300 * time.Millisecond): // between two questions to another process, which tells of nothing by itself
		}
	}
}

// run runs one tool to its end.
func (t *trio) run(ctx context.Context, tool string, args []string) (answer, error) {
	if tool != "milena" {
		return t.tools.run(tool, args)
	}
	cmd := exec.CommandContext(ctx, t.ours, args...)
	cmd.Env = append(os.Environ(), "MILENA_BOOTSTRAP_SERVER="+strings.Join(t.Bootstrap(), ","))
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return answer{}, err
	}
	return answer{Status: cmd.ProcessState.ExitCode(), Out: string(out)}, nil
}
