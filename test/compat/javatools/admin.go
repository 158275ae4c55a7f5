package javatools

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func (b *bench) topics() error {
	return steps(
		func() error { return b.create("one", 2, "--config", "retention.ms=123456") },
		func() error {
			return b.expect([]string{"PartitionCount: 2", "ReplicationFactor: 1", "retention.ms=123456", "Leader: 1", "Isr: 1"},
				"kafka-topics", "--describe", "--topic", "one")
		},
		func() error { return b.expect([]string{"one"}, "kafka-topics", "--list") },
		func() error {
			return b.expect(nil, "kafka-topics", "--alter", "--topic", "one", "--partitions", "4")
		},
		func() error {
			return b.expect([]string{"PartitionCount: 4"}, "kafka-topics", "--describe", "--topic", "one")
		},
		func() error {
			// What is refused must be refused in words the tool prints.
			out, err := b.tool("kafka-topics", "--create", "--topic", "one", "--partitions", "1")
			if err == nil {
				return fmt.Errorf("a topic was created twice:\n%s", out)
			}
			return contains("create twice", err.Error(), "already exists")
		},
		func() error { return b.create("short-lived", 1) },
		func() error { return b.expect(nil, "kafka-topics", "--delete", "--topic", "short-lived") },
		func() error {
			out, err := b.tool("kafka-topics", "--list")
			if err == nil && strings.Contains(out, "short-lived") {
				return fmt.Errorf("a deleted topic is listed:\n%s", out)
			}
			return err
		},
	)
}

func (b *bench) configs() error {
	topic := []string{"--entity-type", "topics", "--entity-name", "one"}
	node := []string{"--entity-type", "brokers", "--entity-name", "1"}
	alter := func(who []string, more ...string) func() error {
		return func() error {
			return b.expect([]string{"Completed updating "}, "kafka-configs", append(append([]string{"--alter"}, who...), more...)...)
		}
	}
	shows := func(who []string, wants ...string) func() error {
		return func() error {
			return b.expect(wants, "kafka-configs", append([]string{"--describe"}, who...)...)
		}
	}
	return steps(
		alter(topic, "--add-config", "max.message.bytes=777777,cleanup.policy=[compact,delete]"),
		shows(topic, "max.message.bytes=777777", "cleanup.policy=compact,delete", "retention.ms=123456"),
		alter(topic, "--delete-config", "cleanup.policy,max.message.bytes"),
		func() error {
			out, err := b.tool("kafka-configs", append([]string{"--describe"}, topic...)...)
			if err == nil && strings.Contains(out, "777777") {
				return fmt.Errorf("a deleted config is shown:\n%s", out)
			}
			return err
		},
		alter(node, "--add-config", "log.cleaner.threads=2"),
		shows(node, "log.cleaner.threads=2"),
		alter(node, "--delete-config", "log.cleaner.threads"),
		alter([]string{"--entity-type", "brokers", "--entity-default"}, "--add-config", "log.retention.ms=86400000"),
		shows([]string{"--entity-type", "brokers", "--entity-default"}, "log.retention.ms=86400000"),
		func() error {
			return b.expect([]string{"node.id=1", "log.dirs="}, "kafka-configs", append([]string{"--describe", "--all"}, node...)...)
		},
	)
}

func (b *bench) offsets() error {
	const topic = "offsets"
	lines := strings.Repeat("line\n", 30)
	request := filepath.Join(b.dir, "delete-records.json")
	text := fmt.Sprintf(`{"partitions":[{"topic":%q,"partition":0,"offset":12}],"version":1}`, topic)
	return steps(
		func() error { return b.create(topic, 1) },
		func() error {
			_, err := Feed(b.ctx, lines, "kafka-console-producer", "--bootstrap-server", b.node.Bootstrap(), "--topic", topic)
			return err
		},
		func() error { return b.expect([]string{"offsets:0:30"}, "kafka-get-offsets", "--topic", topic) },
		func() error { return os.WriteFile(request, []byte(text), 0o644) },
		func() error {
			return b.expect([]string{"low_watermark: 12"}, "kafka-delete-records", "--offset-json-file", request)
		},
		func() error {
			return b.expect([]string{"offsets:0:12"}, "kafka-get-offsets", "--topic", topic, "--time", "earliest")
		},
		func() error {
			return b.expect([]string{"offsets:0:30"}, "kafka-get-offsets", "--topic", topic, "--time", "latest")
		},
		func() error {
			return b.expect([]string{"offsets:0:"}, "kafka-get-offsets", "--topic", topic, "--time", "max-timestamp")
		},
		func() error {
			return b.expect([]string{"offsets:0:12"}, "kafka-get-offsets", "--topic", topic, "--time", "1")
		},
		func() error {
			out, err := b.tool("kafka-console-consumer", "--topic", topic, "--from-beginning", "--max-messages", "18", "--timeout-ms", "20000")
			if err == nil && strings.Count(out, "line\n") != 18 {
				return fmt.Errorf("%d lines after DeleteRecords, want 18", strings.Count(out, "line\n"))
			}
			return err
		},
	)
}

func (b *bench) versions() error {
	return b.expect([]string{"(id: 1 rack: null isFenced: false)", "Produce(0): ", "Fetch(1): ", "ApiVersions(18): ", "CreateTopics(19): "},
		"kafka-broker-api-versions")
}

func (b *bench) logDirs() error {
	return b.expect([]string{`"broker":1`, `"partition":"one-3"`, fmt.Sprintf(`"logDir":%q`, b.node.DataDir())},
		"kafka-log-dirs", "--describe", "--topic-list", "one")
}

func (b *bench) cluster() error {
	return steps(
		func() error {
			return b.expect([]string{"ClusterId:", "LeaderId:", "LeaderEpoch:", "HighWatermark:", "CurrentVoters:"},
				"kafka-metadata-quorum", "describe", "--status")
		},
		func() error {
			return b.expect([]string{"NodeId", "Leader", "LogEndOffset"}, "kafka-metadata-quorum", "describe", "--replication")
		},
		func() error {
			return b.expect([]string{"metadata.version", "kraft.version"}, "kafka-features", "describe")
		},
		func() error {
			out, err := Run(b.ctx, "kafka-cluster", "cluster-id", "--bootstrap-server", b.node.Bootstrap())
			if err != nil {
				return err
			}
			return contains("kafka-cluster", out, "Cluster ID: ")
		},
	)
}
