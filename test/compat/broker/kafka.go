package broker

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// kafka is Apache Kafka as a combined node, alone or of a cluster, started with the flags of its own start script so that a
// comparison is fair. It has a dynamic quorum (kraft.version 1), as milena has.
type kafka struct {
	process
	opts      Options
	bootstrap string
	holding   bool // its turn, from Start to Stop or Kill9
	wants     int  // brokers it shows when it serves
}

func newKafka(opts Options) (Broker, error) {
	cp, err := classPath("simple")
	if err != nil {
		return nil, err
	}
	if opts.member == nil {
		if opts.member, err = alone(); err != nil {
			return nil, err
		}
	}
	if opts.Heap == "" {
		opts.Heap = "512m"
	}
	m := opts.member
	k := &kafka{opts: opts, bootstrap: m.at(), wants: m.brokers}
	for key, value := range map[string]string{
		"process.roles":                       m.roles,
		"controller.quorum.bootstrap.servers": m.servers(),
		"listeners":                           m.listeners(),
		"advertised.listeners":                m.listeners(),
		"controller.listener.names":           "CONTROLLER",
		"listener.security.protocol.map":      "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"log.dirs":                            opts.logDirs(),
	} {
		k.opts.Overrides[key] = value
	}
	if opts.Static {
		delete(k.opts.Overrides, "controller.quorum.bootstrap.servers")
		k.opts.Overrides["controller.quorum.voters"] = m.voters(false)
	}
	k.process = process{
		name: "kafka",
		cpus: opts.CPUs,
		logs: filepath.Join(opts.Dir, "kafka.log"),
		argv: []string{
			"java", "-Xmx" + opts.Heap, "-Xms" + opts.Heap, "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
			"-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true",
			"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", cp, "kafka.Kafka", k.properties(),
		},
	}
	return k, nil
}

func (k *kafka) properties() string { return filepath.Join(k.opts.Dir, "server.properties") }

func (k *kafka) Name() string      { return "kafka" }
func (k *kafka) Bootstrap() string { return k.bootstrap }
func (k *kafka) DataDir() string   { return first(k.opts.Overrides["log.dirs"]) }
func (k *kafka) Began() time.Time  { return k.began }
func (k *kafka) Pid() int          { return k.pid() }
func (k *kafka) Logs() string      { return k.logs }

func (k *kafka) Configuration() []string {
	lines := make([]string, 0, len(k.opts.Overrides))
	for key, value := range k.opts.Overrides {
		lines = append(lines, key+"="+value)
	}
	sort.Strings(lines)
	return lines
}

func (k *kafka) Start(ctx context.Context) error {
	if err := k.takeTurn(); err != nil {
		return err
	}
	if err := k.format(); err != nil {
		k.endTurn()
		return err
	}
	if err := k.start(); err != nil {
		k.endTurn()
		return err
	}
	if err := waitReady(ctx, &k.process, k.opts.member, k.bootstrap, k.wants); err != nil {
		_ = k.Kill9()
		return err
	}
	k.wants = 1 // others of its cluster may be down when it is started again
	return nil
}

// takeTurn waits until no other process of this user runs Apache Kafka.
func (k *kafka) takeTurn() error {
	if k.holding {
		return nil
	}
	if err := k.opts.member.turn.take(); err != nil {
		return err
	}
	k.holding = true
	return nil
}

func (k *kafka) endTurn() {
	if k.holding {
		k.opts.member.turn.end()
		k.holding = false
	}
}

// format writes the configuration and formats the directory once.
func (k *kafka) format() error {
	text := strings.Join(k.Configuration(), "\n") + "\n"
	if err := os.WriteFile(k.properties(), []byte(text), 0o644); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(k.DataDir(), "meta.properties")); err == nil {
		return nil
	}
	cp, err := ToolsClassPath()
	if err != nil {
		return err
	}
	// A fixed cluster id, so that golden data and comparisons don't change with it.
	args := []string{"-Xmx256m", "-cp", cp, "kafka.tools.StorageTool", "format", "-t", "bWlsZW5hLWNvbXBhdC0xMQ", "-c", k.properties()}
	switch {
	case k.opts.Static:
	case k.opts.member.roles == brokers:
		args = append(args, "--no-initial-controllers")
	case len(k.opts.member.control) == 1:
		args = append(args, "--standalone")
	default:
		args = append(args, "--initial-controllers", k.opts.member.voters(true))
	}
	cmd := exec.Command("java", args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("kafka: format: %w\n%s", err, out)
	}
	return nil
}

// Stop ends the JVM with SIGTERM; its exit status after a clean shutdown is 143.
func (k *kafka) Stop() error {
	defer k.endTurn()
	return k.stop(0, 143)
}

func (k *kafka) Kill9() error {
	defer k.endTurn()
	return k.kill9()
}
