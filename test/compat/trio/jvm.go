package trio

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/javatools"
)

// jvm runs Apache Kafka's tools, one after the other, in one process: drivers/java/Tools.java.
type jvm struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startJVM(ctx context.Context) (*jvm, error) {
	classes, err := broker.Install("java")
	if err != nil {
		return nil, err
	}
	tools, err := broker.ToolsClassPath()
	if err != nil {
		return nil, err
	}
	j := &jvm{cmd: exec.CommandContext(ctx, "java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classes+":"+tools, "Tools")}
	j.cmd.Stderr = os.Stderr
	if j.in, err = j.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := j.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	j.out = bufio.NewReader(out)
	return j, j.cmd.Start()
}

// answer is how a tool ended, and what it printed on both streams.
type answer struct {
	Status int    `json:"status"`
	Out    string `json:"out"`
}

func (j *jvm) run(tool string, args []string) (answer, error) {
	line, err := json.Marshal(struct {
		Class string   `json:"class"`
		Args  []string `json:"args"`
	}{javatools.Class(tool), args})
	if err != nil {
		return answer{}, err
	}
	if _, err := j.in.Write(append(line, '\n')); err != nil {
		return answer{}, err
	}
	var a answer
	reply, err := j.out.ReadBytes('\n')
	if err != nil {
		return answer{}, fmt.Errorf("the JVM of the tools: %w", err)
	}
	return a, json.Unmarshal(reply, &a)
}

func (j *jvm) close() error { return errors.Join(j.in.Close(), j.cmd.Wait()) }
