// Package migrate is the suite of the way in and out: Apache Kafka writes a data directory, milena starts on it in place
// with Kafka's own server.properties, gives it back, Kafka goes on with it, and milena once more. After each step every
// record, offset, topic id, config and group is what it was, and what was done under the one is seen by the other.
//
// `run` lists it, once for each kraft.version and way of stopping. It needs both systems.
package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/suite"
)

// Suites lists the suite in its variants.
func Suites() []suite.Suite {
	variant := func(name, about string, static, kill bool) suite.Suite {
		return suite.Suite{Name: name, About: about, Run: func(ctx context.Context, s *suite.Session) error { return run(ctx, s, static, kill) }}
	}
	return []suite.Suite{
		variant("migrate", "Kafka to milena to Kafka to milena on one directory, static voters (kraft.version 0)", true, false),
		variant("migrate-dynamic", "the same with dynamic voters (kraft.version 1)", false, false),
		variant("migrate-killed", "the same, and every change of hands from Kafka is a kill -9", false, true),
	}
}

// trip is one directory on its way.
type trip struct {
	s              *suite.Session
	kafka, milena  broker.Broker
	binary, config string
	kill           bool
	now            state // as the last system left it
	round          int
}

func run(ctx context.Context, s *suite.Session, static, kill bool) error {
	if s.System == "kafka" {
		s.Case("both systems", func() error { return suite.Skip("it runs on Apache Kafka and milena in turn: run it with milena") })
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	dir := filepath.Join(s.Dir, "node")
	k, err := broker.New("kafka", broker.Options{Dir: dir, Static: static, Overrides: map[string]string{
		"auto.create.topics.enable": "false", "log.segment.bytes": "1048576", "metadata.log.max.record.bytes.between.snapshots": "20000",
		"log.initial.task.delay.ms": "0", "log.cleaner.backoff.ms": "200",
	}})
	if err != nil {
		return err
	}
	m, err := broker.New("milena", broker.Options{Dir: dir, Shared: k})
	if err != nil {
		return err
	}
	binary, err := broker.Build()
	if err != nil {
		return err
	}
	defer func() { _, _ = k.Kill9(), m.Kill9() }()
	t := &trip{s: s, kafka: k, milena: m, binary: binary, config: filepath.Join(dir, "server.properties"), kill: kill}
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"Apache Kafka writes the directory", t.begin},
		{"milena refuses while Apache Kafka runs", t.refusedWhileRunning},
		{"Apache Kafka stops", t.leaveKafka},
		{"migrate check finds nothing in the way", t.check},
		{"milena serves everything, in place", t.enterMilena},
		{"milena changes things and stops", t.leaveMilena},
		{"migrate return", t.giveBack},
		{"Apache Kafka serves everything, with the changes", t.enterKafka},
		{"Apache Kafka changes things and stops", t.leaveKafka},
		{"milena serves everything again", t.enterMilena},
		{"milena is killed, and recovers", t.killMilena},
	}
	for _, step := range steps {
		if !s.Case(step.name, func() error { return step.do(ctx) }) {
			return nil // nothing after it would mean anything
		}
	}
	return nil
}

func (t *trip) begin(ctx context.Context) error {
	if err := t.kafka.Start(ctx); err != nil {
		return err
	}
	if err := write(ctx, t.kafka.Bootstrap(), t.kill); err != nil {
		return err
	}
	return t.note(ctx, t.kafka)
}

// note remembers what a system shows.
func (t *trip) note(ctx context.Context, b broker.Broker) error {
	var err error
	t.now, err = read(ctx, b.Bootstrap())
	return err
}

func (t *trip) refusedWhileRunning(context.Context) error {
	out, err := exec.Command(t.binary, "migrate", "check", t.kafka.DataDir()).CombinedOutput()
	if code := exitCode(err); code != 5 {
		return fmt.Errorf("exit code %d, want 5\n%s", code, out)
	}
	return nil
}

func exitCode(err error) int {
	var e *exec.ExitError
	if errors.As(err, &e) {
		return e.ExitCode()
	}
	return 0
}

func (t *trip) leaveKafka(ctx context.Context) error {
	if t.round++; t.round > 1 {
		if err := change(ctx, t.kafka.Bootstrap(), t.round); err != nil {
			return err
		}
		if err := t.note(ctx, t.kafka); err != nil {
			return err
		}
	}
	if t.kill {
		return t.kafka.Kill9()
	}
	return t.kafka.Stop()
}

func (t *trip) check(context.Context) error {
	out, err := exec.Command(t.binary, "migrate", "check", "--config", t.config, "-o", "json").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	var d struct {
		OK      bool   `json:"ok"`
		Clean   bool   `json:"clean"`
		RanLast string `json:"ran_last"`
	}
	if err := json.Unmarshal(out, &d); err != nil || !d.OK || d.Clean == t.kill || d.RanLast != "Apache Kafka" {
		return fmt.Errorf("%v in\n%s", err, out)
	}
	return nil
}

func (t *trip) enterMilena(ctx context.Context) error { return t.enter(ctx, t.milena) }
func (t *trip) enterKafka(ctx context.Context) error  { return t.enter(ctx, t.kafka) }

// enter starts a system and compares what it shows with what the last one showed.
func (t *trip) enter(ctx context.Context, b broker.Broker) error {
	if err := b.Start(ctx); err != nil {
		return err
	}
	// Apache Kafka lists no group of a partition that it has not loaded yet, and does not say so.
	for deadline := time.Now().Add(patience); ; {
		got, err := read(ctx, b.Bootstrap())
		if err == nil {
			err = t.now.same(got)
		}
		if err == nil || ctx.Err() != nil || time.Now().After(deadline) {
			return err
		}
	}
}

// patience bounds the wait for what a system shows. It is a bound on a hang, not a measurement.
const patience = 30 * time.Second

func (t *trip) leaveMilena(ctx context.Context) error {
	t.round++
	if err := change(ctx, t.milena.Bootstrap(), t.round); err != nil {
		return err
	}
	if err := t.note(ctx, t.milena); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"topic", "alter", "plain", "--config", "milena.durability=cache"},
		{"topic", "alter", "codecs", "--config", "milena.validate=header"},
	} {
		if out, err := exec.Command(t.binary, append(args, "-b", t.milena.Bootstrap())...).CombinedOutput(); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
	}
	return t.milena.Stop()
}

func (t *trip) giveBack(context.Context) error {
	for i, want := range []int{2, 0} { // the second time nothing is left to do
		out, err := exec.Command(t.binary, "migrate", "return", t.kafka.DataDir(), "-o", "json").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
		var d struct {
			Keys []string `json:"deleted_keys"`
		}
		if err := json.Unmarshal(out, &d); err != nil || len(d.Keys) != want {
			return fmt.Errorf("time %d: %v, %d keys deleted, want %d\n%s", i+1, err, len(d.Keys), want, out)
		}
	}
	return filepath.WalkDir(t.kafka.DataDir(), nothingOfOurs)
}

func (t *trip) killMilena(ctx context.Context) error {
	if err := t.milena.Kill9(); err != nil {
		return err
	}
	if err := t.enterMilena(ctx); err != nil {
		return err
	}
	if err := t.milena.Stop(); err != nil {
		return err
	}
	out, err := exec.Command(t.binary, "log", "verify", t.milena.DataDir()).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
