package broker

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// Home is the folder of this module, found from this very file, so that a suite works from whatever folder it runs in.
func Home() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(file))
}

// Cache is the folder downloads and built binaries are kept in, outside the checkout.
func Cache() string {
	if dir := os.Getenv("MILENA_CACHE"); dir != "" {
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(os.TempDir(), "milena-cache")
	}
	return filepath.Join(home, ".cache", "milena")
}

var installed struct {
	sync.Mutex
	paths map[string]string
}

// Install makes sure that what is there and returns where: "kafka", "java", "python", "node", "kcat" or "strace", as
// install/install.sh names them.
func Install(what string) (string, error) {
	installed.Lock()
	defer installed.Unlock()
	if path := installed.paths[what]; path != "" {
		return path, nil
	}
	cmd := exec.Command(filepath.Join(Home(), "install", "install.sh"), what)
	cmd.Env = append(os.Environ(), "MILENA_CACHE="+Cache())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("install %s: %w\n%s", what, err, stderr.String())
	}
	for _, line := range strings.Split(string(out), "\n") {
		if name, path, ok := strings.Cut(line, "="); ok {
			if installed.paths == nil {
				installed.paths = map[string]string{}
			}
			installed.paths[name] = path
		}
	}
	if path := installed.paths[what]; path != "" {
		return path, nil
	}
	return "", fmt.Errorf("install %s: the script did not say where it is", what)
}

// Libraries is the folder with the libraries of a program that Install has unpacked, for LD_LIBRARY_PATH; "" for one of the
// machine's own.
func Libraries(program string) string {
	found, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(program)), "lib", "*-linux-gnu"))
	if err != nil || len(found) == 0 || !strings.HasPrefix(program, Cache()) {
		return ""
	}
	return found[0]
}

// ToolsClassPath is the class path of Apache Kafka's tools, silent about logging.
func ToolsClassPath() (string, error) { return classPath("nop") }

func classPath(binding string) (string, error) {
	kafka, err := Install("kafka")
	if err != nil {
		return "", err
	}
	return filepath.Join(kafka, "lib", "*") + ":" + filepath.Join(kafka, binding, "*"), nil
}

// Version reads one pinned version from versions.env.
func Version(name string) (string, error) {
	data, err := os.ReadFile(filepath.Join(Home(), "versions.env"))
	if err != nil {
		return "", err
	}
	for _, line := range strings.Split(string(data), "\n") {
		if key, value, ok := strings.Cut(line, "="); ok && key == name {
			return value, nil
		}
	}
	return "", fmt.Errorf("versions.env has no %s", name)
}
