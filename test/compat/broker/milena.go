package broker

import (
	"context"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"sync"
	"time"
)

// milena is this checkout's binary as one node.
type milena struct {
	process
	opts      Options
	bootstrap string
	wants     int // brokers it shows when it serves
}

func newMilena(opts Options) (Broker, error) {
	binary := opts.Binary
	if binary == "" {
		built, err := Build()
		if err != nil {
			return nil, err
		}
		binary = built
	}
	if k, ok := opts.Shared.(*kafka); ok {
		m := &milena{opts: opts, bootstrap: k.bootstrap, wants: 1}
		m.opts.Overrides = k.opts.Overrides
		argv := []string{binary, "start", k.properties(), "--override", "milena.metrics.listeners="}
		m.process = process{name: "milena", cpus: opts.CPUs, logs: filepath.Join(opts.Dir, "milena.log"), argv: argv}
		return m, nil
	}
	m := &milena{opts: opts, wants: 1}
	if of := opts.member; of != nil {
		m.join(of)
	} else {
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		m.bootstrap = fmt.Sprintf("127.0.0.1:%d", port)
		m.opts.Overrides["listeners"] = "PLAINTEXT://" + m.bootstrap
	}
	m.opts.Overrides["log.dirs"] = opts.logDirs()
	if _, ok := m.opts.Overrides["milena.metrics.listeners"]; !ok {
		m.opts.Overrides["milena.metrics.listeners"] = ""
	}
	argv := []string{binary, "start"}
	for _, line := range m.Configuration() {
		argv = append(argv, "--override", line)
	}
	m.process = process{name: "milena", cpus: opts.CPUs, logs: filepath.Join(opts.Dir, "milena.log"), argv: argv}
	return m, nil
}

// join makes it a node of a cluster.
func (m *milena) join(of *member) {
	m.bootstrap, m.wants = of.at(), of.brokers
	for key, value := range map[string]string{
		"process.roles":                  of.roles,
		"listeners":                      of.listeners(),
		"controller.listener.names":      "CONTROLLER",
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"controller.quorum.voters":       of.voters(false),
	} {
		m.opts.Overrides[key] = value
	}
}

func (m *milena) Name() string      { return "milena" }
func (m *milena) Bootstrap() string { return m.bootstrap }
func (m *milena) DataDir() string   { return first(m.opts.Overrides["log.dirs"]) }
func (m *milena) Began() time.Time  { return m.began }
func (m *milena) Pid() int          { return m.pid() }
func (m *milena) Logs() string      { return m.logs }
func (m *milena) Stop() error       { return m.stop(0) }
func (m *milena) Kill9() error      { return m.kill9() }

func (m *milena) Configuration() []string {
	lines := make([]string, 0, len(m.opts.Overrides))
	for key, value := range m.opts.Overrides {
		lines = append(lines, key+"="+value)
	}
	sort.Strings(lines)
	return lines
}

func (m *milena) Start(ctx context.Context) error {
	if err := m.start(); err != nil {
		return err
	}
	if err := waitReady(ctx, &m.process, m.opts.member, m.bootstrap, m.wants); err != nil {
		_ = m.Kill9()
		return err
	}
	m.wants = 1 // others of its cluster may be down when it is started again
	return nil
}

var built = sync.OnceValues(func() (string, error) {
	if binary := os.Getenv("MILENA_BINARY"); binary != "" {
		return binary, nil
	}
	root := filepath.Dir(filepath.Dir(Home()))
	dir := filepath.Join(Cache(), fmt.Sprintf("milena-%08x", crc32.ChecksumIEEE([]byte(root))))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "milena")
	// Packages are tested side by side: each builds to a name of its own and puts the result in place at once.
	part := fmt.Sprintf("%s.%d", binary, os.Getpid())
	cmd := exec.Command("go", "build", "-o", part, "./cmd/milena")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./cmd/milena: %w\n%s", err, out)
	}
	return binary, os.Rename(part, binary)
})

// Build builds milena from this checkout, once a process, and returns the binary; $MILENA_BINARY names one instead.
func Build() (string, error) { return built() }
