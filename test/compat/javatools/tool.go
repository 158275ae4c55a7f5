// Package javatools runs Apache Kafka's own command-line tools, and holds the suite that exercises each of them.
//
// `run` lists the suite; the text suite borrows the console producer and consumer. The tools are the unmodified classes
// of the pinned release; the package only builds their command lines and reads their output.
package javatools

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/milena-io/milena/test/compat/broker"
)

// patience bounds one tool. It is a bound on a hang, not a measurement.
const patience = 120 * time.Second

// Class is the class of a tool, by the name of its script.
func Class(tool string) string {
	const tools = "org.apache.kafka.tools."
	switch tool {
	case "kafka-topics":
		return tools + "TopicCommand"
	case "kafka-configs":
		return "kafka.admin.ConfigCommand"
	case "kafka-console-producer":
		return tools + "ConsoleProducer"
	case "kafka-console-consumer":
		return tools + "consumer.ConsoleConsumer"
	case "kafka-consumer-groups":
		return tools + "consumer.group.ConsumerGroupCommand"
	case "kafka-groups":
		return tools + "GroupsCommand"
	case "kafka-producer-perf-test":
		return tools + "ProducerPerformance"
	case "kafka-consumer-perf-test":
		return tools + "ConsumerPerformance"
	case "kafka-e2e-latency":
		return tools + "EndToEndLatency"
	case "kafka-get-offsets":
		return tools + "GetOffsetShell"
	case "kafka-delete-records":
		return tools + "DeleteRecordsCommand"
	case "kafka-broker-api-versions":
		return tools + "BrokerApiVersionsCommand"
	case "kafka-verifiable-producer":
		return tools + "VerifiableProducer"
	case "kafka-verifiable-consumer":
		return tools + "VerifiableConsumer"
	case "kafka-dump-log":
		return tools + "DumpLogSegments"
	case "kafka-log-dirs":
		return tools + "LogDirsCommand"
	case "kafka-reassign-partitions":
		return tools + "reassign.ReassignPartitionsCommand"
	case "kafka-metadata-quorum":
		return tools + "MetadataQuorumCommand"
	case "kafka-features":
		return tools + "FeatureCommand"
	case "kafka-cluster":
		return tools + "ClusterTool"
	case "kafka-leader-election":
		return tools + "LeaderElectionCommand"
	case "kafka-replica-verification":
		return tools + "ReplicaVerificationTool"
	}
	panic("no tool is called " + tool)
}

// Command is a tool ready to start. It ends, at the latest, with ctx.
func Command(ctx context.Context, tool string, args ...string) (*exec.Cmd, error) {
	cp, err := broker.ToolsClassPath()
	if err != nil {
		return nil, err
	}
	java := []string{"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", cp, Class(tool)}
	return exec.CommandContext(ctx, "java", append(java, args...)...), nil
}

// Run runs a tool to its end and returns its output. A status other than 0 is an error.
func Run(ctx context.Context, tool string, args ...string) (string, error) {
	return Feed(ctx, "", tool, args...)
}

// Feed is Run with input.
func Feed(ctx context.Context, input, tool string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd, err := Command(ctx, tool, args...)
	if err != nil {
		return "", err
	}
	var out, notes bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &notes
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s%s", tool, strings.Join(args, " "), err, out.String(), notes.String())
	}
	return out.String(), nil
}
