package javatools

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/suite"
)

// Suites lists the suite.
func Suites() []suite.Suite {
	return []suite.Suite{
		{Name: "java-tools", About: "every command-line tool of Apache Kafka that applies, exercised", Run: run},
		{Name: "compaction", About: "one history compacted by the broker and by Apache Kafka: kafka-dump-log shows the same records", Run: runCompaction},
		{Name: "log-dirs", About: "two log directories, as kafka-log-dirs and kafka-topics see them; one of them goes and comes back", Run: runDirs},
		{Name: "dir-moves", About: "kafka-reassign-partitions moves replicas between log directories while records flow", Run: runMoves},
	}
}

// bench is what the cases share: the broker, and a way to run a tool against it.
type bench struct {
	ctx  context.Context
	node broker.Broker
	dir  string
}

func run(ctx context.Context, s *suite.Session) error {
	ctx, cancel := context.WithTimeout(ctx, 12*time.Minute)
	defer cancel()
	node, err := broker.New(s.System, broker.Options{Dir: filepath.Join(s.Dir, "broker"), Overrides: map[string]string{
		"offsets.topic.num.partitions": "2", "auto.create.topics.enable": "false", "log.segment.delete.delay.ms": "100",
	}})
	if err != nil {
		return err
	}
	if err := node.Start(ctx); err != nil {
		return err
	}
	defer node.Kill9()
	b := &bench{ctx: ctx, node: node, dir: s.Dir}
	for _, c := range []struct {
		name string
		run  func() error
	}{
		{"kafka-topics", b.topics},
		{"kafka-configs", b.configs},
		{"kafka-console-producer and -consumer: keys, nulls, headers, every codec", b.console},
		{"kafka-consumer-groups and kafka-groups", b.groups},
		{"kafka-get-offsets and kafka-delete-records", b.offsets},
		{"kafka-producer-perf-test and kafka-consumer-perf-test", b.perf},
		{"kafka-e2e-latency", b.latency},
		{"kafka-verifiable-producer, and three kafka-verifiable-consumers of which one is killed", b.verifiable},
		{"kafka-verifiable-producer over a restart of the broker", b.verifiableRestart},
		{"kafka-broker-api-versions", b.versions},
		{"kafka-log-dirs", b.logDirs},
		{"kafka-metadata-quorum, kafka-features and kafka-cluster", b.cluster},
		{"the broker stops cleanly", node.Stop},
		{"kafka-dump-log reads every file", b.dump},
	} {
		s.Case(c.name, c.run)
	}
	return nil
}

// tool runs a tool against the broker.
func (b *bench) tool(tool string, args ...string) (string, error) {
	return Run(b.ctx, tool, append([]string{"--bootstrap-server", b.node.Bootstrap()}, args...)...)
}

// expect runs a tool and wants every text in its output.
func (b *bench) expect(wants []string, tool string, args ...string) error {
	out, err := b.tool(tool, args...)
	if err != nil {
		return err
	}
	return contains(tool+" "+strings.Join(args, " "), out, wants...)
}

func contains(what, out string, wants ...string) error {
	for _, want := range wants {
		if !strings.Contains(out, want) {
			return fmt.Errorf("%s: no %q in\n%s", what, want, out)
		}
	}
	return nil
}

// steps runs functions until one fails.
func steps(all ...func() error) error {
	for _, step := range all {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// create makes a topic with kafka-topics and waits until --describe shows it: Apache Kafka answers earlier than that.
func (b *bench) create(topic string, partitions int, more ...string) error {
	args := append([]string{"--create", "--topic", topic, "--partitions", fmt.Sprint(partitions)}, more...)
	if err := b.expect([]string{"Created topic " + topic + "."}, "kafka-topics", args...); err != nil {
		return err
	}
	return b.expect([]string{"Topic: " + topic}, "kafka-topics", "--describe", "--topic", topic)
}
