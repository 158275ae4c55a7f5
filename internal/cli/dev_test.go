package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena"
)

// devSeam starts clusters as cmd/milena does.
func devSeam(ctx context.Context, o DevOptions) (DevCluster, error) {
	return milena.StartCluster(ctx, milena.ClusterConfig{Nodes: len(o.Addrs), Dir: o.Dir, Addrs: o.Addrs})
}

// A cluster is started, its nodes are killed, stopped and started by commands of other processes, and it ends when it is asked to.
func TestDev(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	ctx, stop := context.WithCancel(within(t))
	out, write := io.Pipe()
	var errs guarded
	ended := make(chan int, 1)
	go func() {
		ended <- Main(ctx, Process{Args: []string{"dev", "-n", "3", "--ephemeral", "--port", "0", "--json"}, Out: write, Err: &errs}, Seams{Dev: devSeam})
		write.Close()
	}()
	var d devDoc
	if err := json.NewDecoder(out).Decode(&d); err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	if d.Command != "dev" || d.Nodes != 3 || d.Dir != "" || strings.Count(d.BootstrapServer, ",") != 2 {
		t.Errorf("%+v", d)
	}
	c := &cluster{t, d.BootstrapServer}
	at := []string{"--port", strconv.Itoa(d.Port)}
	node := func(verb, id string) result {
		t.Helper()
		return run(t, "", append([]string{"dev", verb, id}, at...)...)
	}
	c.create("t")
	for _, verb := range []string{"kill", "stop"} {
		if r := node(verb, "2"); r.exit != exitOK || !strings.Contains(r.out, "node 2 ") {
			t.Errorf("%s: %+v", verb, r)
		}
		if r := node(verb, "2"); r.exit != exitFailed || !strings.Contains(r.err, "node 2 is down") {
			t.Errorf("%s: %+v", verb, r)
		}
		if r := c.run("cluster", "health", "--wait", "10ms"); r.exit != exitFound {
			t.Errorf("%+v", r)
		}
		if r := node("start", "2"); r.exit != exitOK {
			t.Errorf("%+v", r)
		}
	}
	if r := node("kill", "9"); r.exit != exitFailed || !strings.Contains(r.err, "no node 9") {
		t.Errorf("%+v", r)
	}
	if r := node("kill", "x"); r.exit != exitUsage {
		t.Errorf("%+v", r)
	}
	stop()
	if code := <-ended; code != exitOK {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	contains(t, "what it tells", errs.String(), "node 2 killed in", "node 2 stopped in", "node 2 started in", "stopping")
	if r := node("kill", "1"); r.exit != exitFailed || !strings.Contains(r.err, "no milena dev runs") {
		t.Errorf("after its end: %+v", r)
	}
}

func TestDevRefuses(t *testing.T) {
	for _, args := range [][]string{{"-n", "2"}, {"--port", "70000"}, {"x"}} {
		var errs guarded
		if code := Main(within(t), Process{Args: append([]string{"dev"}, args...), Out: io.Discard, Err: &errs}, Seams{Dev: devSeam}); code != exitUsage {
			t.Errorf("%q: exit %d, %s", args, code, errs.String())
		}
	}
	if r := run(t, "", "dev"); r.exit != exitFailed || !strings.Contains(r.err, "without a server") {
		t.Errorf("%+v", r)
	}
	var errs guarded
	fails := func(context.Context, DevOptions) (DevCluster, error) { return nil, errors.New("no disk") }
	if code := Main(within(t), Process{Args: []string{"dev", "--port", "0"}, Out: io.Discard, Err: &errs}, Seams{Dev: fails}); code != exitFailed {
		t.Errorf("exit %d, %s", code, errs.String())
	}
}

// A port that is taken is left for another, which is told.
func TestDevTakesAnotherPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addrs, moved := devAddrs(l.Addr().(*net.TCPAddr).Port, 1)
	if !moved || addrs[0] == l.Addr().String() {
		t.Errorf("%v, moved %v", addrs, moved)
	}
	var out guarded
	a := &app{out: newOutput(&out)}
	a.flags.output = "table"
	if err := errors.Join(a.tellDev(devDoc{BootstrapServer: "127.0.0.1:9093", Nodes: 3, Port: 9093, Dir: ".milena", ReadyMs: int64(time.Second / time.Millisecond)}, true), a.out.flush()); err != nil {
		t.Fatal(err)
	}
	contains(t, "what it prints", out.String(), "ready in 1 s", "3 nodes · data .milena", "127.0.0.1:9093", "is taken", "milena dev kill 2 --port 9093", "milena produce greetings -b 127.0.0.1:9093")
}
