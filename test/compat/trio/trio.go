// Package trio is the suite of Apache Kafka's operators' tools against three nodes: topics, reassignment, leader election, the metadata
// quorum, features, log directories, throttles, while nodes die and come back. Every step is a command line, and what it prints and how
// it ends is held word for word to what three nodes of Apache Kafka made it print: golden/kafka.txt. Where ours differ for a reason, the
// answer of ours stands in golden/milena.txt with the reason above it; a reason without an answer says that ours is chance.
//
// `run` lists the suite. GOLDEN=write writes down what is seen instead of comparing it: golden/kafka.txt against Apache Kafka, and
// against milena what differs from that. What is no property of the system (ports, ids, epochs of elections, sizes) is taken out of the
// answers before: tidy.go.
package trio

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/suite"
)

// Suites lists the suite.
func Suites() []suite.Suite {
	return []suite.Suite{{Name: "cluster", About: "the operators' tools of Apache Kafka against three nodes, word for word", Run: run}}
}

// patience bounds how long a step waits for the answer that it wants. It is a bound on a hang, not a measurement.
const patience = 2 * time.Minute

// step is a command line, or something that is done between two.
type step struct {
	name string
	do   func(ctx context.Context, t *trio) error
	// line is a tool and its arguments, separated by blanks. {nodes} are all bootstrap servers, {node1} one of them, {controllers} and
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
	dir   string
	names *strings.Replacer // in answers
	words *strings.Replacer // in command lines
}

func run(ctx context.Context, s *suite.Session) error {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Minute)
	defer cancel()
	c, err := broker.NewCluster(s.System, 3, broker.Options{Dir: filepath.Join(s.Dir, "nodes"), Overrides: map[string]string{
		"auto.leader.rebalance.enable": "false", "auto.create.topics.enable": "false", "log.segment.delete.delay.ms": "100",
		"broker.session.timeout.ms": "6000", "broker.heartbeat.interval.ms": "1000", "offsets.topic.num.partitions": "1",
	}}, nil)
	if err != nil {
		return err
	}
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
	if t.tools, err = startJVM(ctx); err != nil {
		return err
	}
	defer t.tools.close()
	book, err := openBook(s.System)
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
	for i, addr := range t.Bootstrap() {
		pairs = append(pairs, filepath.Dir(t.Nodes()[i].DataDir()), fmt.Sprintf("{home%d}", i+1), addr, fmt.Sprintf("{node%d}", i+1))
	}
	for i, addr := range t.Controllers() {
		pairs = append(pairs, addr, fmt.Sprintf("{controller%d}", i+1))
	}
	for i := range t.Nodes() {
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
		a, err := t.tools.run(words[0], args)
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
