// Package broker starts and stops the broker a suite talks to: milena, built from this checkout, or Apache Kafka, the
// oracle every suite must be green on, so that a failure on milena means that milena is wrong.
//
// The suites, the golden data and the benchmark call it. It knows nothing of what is asked of the broker.
package broker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Broker is one node as a child process. A Broker keeps its port and its data directory over restarts.
// Its methods are not safe for concurrent use, except Bootstrap, DataDir and Name.
type Broker interface {
	// Name says which system this is: "kafka" or "milena".
	Name() string
	// Start starts the process and returns when it serves: when it answers Metadata with itself in it.
	Start(ctx context.Context) error
	// Stop asks for a clean stop and waits for it; anything but exit status 0 (for the JVM: 143) is an error.
	Stop() error
	// Kill9 kills the process and waits until it is gone.
	Kill9() error
	// Bootstrap is host:port of the client listener.
	Bootstrap() string
	// DataDir is the first log directory: topic-partition folders and __cluster_metadata-0 stand in it.
	DataDir() string
	// Pid is the process that runs, 0 when none does.
	Pid() int
	// Began is when the process that runs, or ran last, was started; formatting before it is not counted.
	Began() time.Time
	// Logs is the file the process writes its output to.
	Logs() string
	// Configuration is every key=value the node was started with, for reports.
	Configuration() []string
}

// Options say what a Broker is made of. The zero value is a fresh node on a free port.
type Options struct {
	Dir       string            // everything of this node: data, logs, configuration; made when missing
	Overrides map[string]string // server.properties keys on top of the ones both systems get from Defaults
	MoreDirs  []string          // log directories beside DataDir
	CPUs      string            // taskset list the process is pinned to; "" does not pin
	Heap      string            // JVM heap of Apache Kafka; "" is 512m
	Binary    string            // milena's binary; "" builds it from this checkout
	Static    bool              // Apache Kafka with controller.quorum.voters, which is kraft.version 0
	// Shared is a node of the other system whose data, port and server.properties this milena takes over.
	Shared Broker

	member *member // of a cluster; nil is a node of its own
}

// Defaults are the keys both systems are started with: one node, so that internal topics can exist, and short waits,
// so that a suite does not wait for a rebalance delay. What a suite compares must not depend on the difference.
func Defaults() map[string]string {
	return map[string]string{
		"node.id":                                          "1",
		"num.partitions":                                   "1",
		"offsets.topic.replication.factor":                 "1",
		"offsets.topic.num.partitions":                     "5",
		"transaction.state.log.replication.factor":         "1",
		"transaction.state.log.min.isr":                    "1",
		"transaction.state.log.num.partitions":             "5",
		"share.coordinator.state.topic.replication.factor": "1",
		"share.coordinator.state.topic.min.isr":            "1",
		"group.initial.rebalance.delay.ms":                 "0",
		// A killed Apache Kafka node waits out its own old session before it serves again: keep that short.
		"broker.session.timeout.ms":    "1500",
		"broker.heartbeat.interval.ms": "300",
	}
}

// New makes a broker of the system named, "kafka" or "milena". It starts nothing.
func New(system string, opts Options) (Broker, error) {
	if opts.Dir == "" {
		return nil, fmt.Errorf("broker: Options.Dir is empty")
	}
	if err := os.MkdirAll(opts.Dir, 0o755); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, err
	}
	opts.Dir = dir
	config := Defaults()
	for key, value := range opts.Overrides {
		config[key] = value
	}
	opts.Overrides = config
	switch system {
	case "kafka":
		return newKafka(opts)
	case "milena":
		return newMilena(opts)
	}
	return nil, fmt.Errorf("broker: no system is called %q", system)
}

// logDirs is log.dirs of a node.
func (o *Options) logDirs() string {
	return strings.Join(append([]string{filepath.Join(o.Dir, "data")}, o.MoreDirs...), ",")
}

// first is the first of a list of directories.
func first(dirs string) string {
	dir, _, _ := strings.Cut(dirs, ",")
	return dir
}
