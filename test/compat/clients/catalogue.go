package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/driver"
)

// Catalogue is every client, for suites of their own.
func Catalogue() []driver.Client { return catalogue() }

func catalogue() []driver.Client {
	return []driver.Client{
		{Name: "kcat", Prepare: kcat, TextOnly: true, OwnTimestamps: true, CommitsByItself: true},
		{Name: "franz-go", Prepare: func() ([]string, error) { return build("franz", ".", "./drivers/franz", "0") }},
		{Name: "confluent-go", Prepare: func() ([]string, error) {
			return build("confluentgo", filepath.Join("drivers", "confluentgo"), ".", "1")
		}},
		{Name: "kafkajs", Prepare: kafkajs, NoNullHeaders: true},
		{Name: "confluent-py", Prepare: func() ([]string, error) { return python("confluent.py") }, Settings: true},
		{Name: "aiokafka", Prepare: func() ([]string, error) { return python("aio.py") }},
		{Name: "java", Prepare: java, Settings: true},
	}
}

// build builds a Go driver in the folder of its module.
func build(name, module, pkg, cgo string) ([]string, error) {
	binary := filepath.Join(broker.Cache(), "drivers", fmt.Sprintf("%s.%d", name, os.Getpid()))
	cmd := exec.Command("go", "build", "-o", binary, pkg)
	cmd.Dir = filepath.Join(broker.Home(), module)
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	final := filepath.Join(broker.Cache(), "drivers", name)
	return []string{final}, os.Rename(binary, final)
}

func kcat() ([]string, error) {
	program, err := broker.Install("kcat")
	if err != nil {
		return nil, err
	}
	argv, err := build("kcat", ".", "./drivers/kcat", "0")
	if err != nil {
		return nil, err
	}
	return append([]string{"env", "KCAT=" + program, "LD_LIBRARY_PATH=" + broker.Libraries(program)}, argv...), nil
}

func kafkajs() ([]string, error) {
	dir, err := broker.Install("node")
	if err != nil {
		return nil, err
	}
	return []string{"env", "MODULES=" + filepath.Join(dir, "node_modules"), "node",
		filepath.Join(broker.Home(), "drivers", "kafkajs", "driver.js")}, nil
}

func python(script string) ([]string, error) {
	dir, err := broker.Install("python")
	if err != nil {
		return nil, err
	}
	return []string{filepath.Join(dir, "bin", "python"), "-B", "-u",
		filepath.Join(broker.Home(), "drivers", "python", script)}, nil
}

func java() ([]string, error) {
	classes, err := broker.Install("java")
	if err != nil {
		return nil, err
	}
	tools, err := broker.ToolsClassPath()
	if err != nil {
		return nil, err
	}
	return []string{"java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classes + ":" + tools, "Driver"}, nil
}
