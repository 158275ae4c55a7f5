package node

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/world"
)

const secondProcess = "MILENA_TEST_SECOND_PROCESS"

func onDisk(w world.World, dir string, settings ...string) Options {
	set := map[string]string{
		"node.id": "1", "process.roles": "broker,controller", "listeners": "PLAINTEXT://one:9092", "log.dirs": filepath.ToSlash(dir),
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT", "controller.listener.names": "CONTROLLER",
	}
	for i := 0; i < len(settings); i += 2 {
		set[settings[i]] = settings[i+1]
	}
	return Options{
		World: w, FS: disk.NewOS(), Logger: slog.New(slog.DiscardHandler), Values: config.Values{Scope: config.Broker, Set: set},
	}
}

// snapshot is every file under a directory: its bytes, and when it and its directory were changed.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		var b []byte
		if !d.IsDir() && d.Name() != ".lock" { // on some systems nobody else may read a lock
			if b, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		out[path] = fmt.Sprintf("%v %v %d %x", info.Mode(), info.ModTime(), info.Size(), b)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestBadInputSecondProcess: another process on the same directory, of the same node or of another one, is refused before it
// touches a byte. The first node's world stands still meanwhile, so that any change is the other's.
func TestBadInputSecondProcess(t *testing.T) {
	if dir := os.Getenv(secondProcess); dir != "" {
		_, err := Start(onDisk(world.NewReal(), dir, "node.id", os.Getenv(secondProcess+"_ID")), func(error) {})
		fmt.Printf("refused: %v\n", err)
		return
	}
	dir := filepath.Join(t.TempDir(), "data")
	w := world.NewVirtual(5)
	r := &rig{t: t, w: w}
	var ready *error
	n, err := Start(onDisk(w, dir), func(err error) { ready = &err })
	if err != nil {
		t.Fatal(err)
	}
	if !w.RunUntil(time.Minute, func() bool { return ready != nil }) || *ready != nil {
		t.Fatalf("the node doesn't get ready: %v", ready)
	}
	r.n = n
	r.healthy()
	before := snapshot(t, dir)
	if len(before) < 10 {
		t.Fatalf("only %d files", len(before))
	}
	for _, id := range []string{"1", "2"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestBadInputSecondProcess$", "-test.v")
		cmd.Env = append(os.Environ(), secondProcess+"="+dir, secondProcess+"_ID="+id)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if said := string(out); !strings.Contains(said, "refused: ") || !strings.Contains(said, disk.ErrLocked.Error()) || !strings.Contains(said, "data") {
			t.Fatalf("the second process says %s", said)
		}
		after := snapshot(t, dir)
		for path, was := range before {
			if after[path] != was {
				t.Errorf("%s was changed by a second process of node %s", path, id)
			}
		}
		if len(after) != len(before) {
			t.Errorf("%d files instead of %d", len(after), len(before))
		}
	}
	r.healthy()
	stopped := false
	n.Stop(func(err error) {
		if err != nil {
			t.Error(err)
		}
		stopped = true
	})
	if !w.RunUntil(time.Minute, func() bool { return stopped }) {
		t.Fatal("the node doesn't stop")
	}
	if _, err := os.Stat(filepath.Join(dir, ".kafka_cleanshutdown")); err != nil {
		t.Errorf("the stop was not clean: %v", err)
	}
}
