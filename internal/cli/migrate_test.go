package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/milena-io/milena"

	"github.com/milena-io/milena/internal/golden"
)

// kafkaDir puts a golden data directory of Apache Kafka on the disk.
func kafkaDir(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "kafka")
	for _, e := range golden.Read(t, "../migrate/testdata/kafka-4.3.1/"+name+".tar.gz") {
		to := filepath.Join(dir, filepath.FromSlash(e.Name))
		if e.Dir {
			continue
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, e.Data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestMigrateInAndOut(t *testing.T) {
	dir := kafkaDir(t, "static")
	c := &cluster{t: t}
	d := decode[migrateCheckDoc](t, c.ok("migrate", "check", dir, "-o", "json"), "migrate.check")
	if !d.OK || d.RanLast != "Apache Kafka" || !d.Clean || d.KRaftVersion != 0 || d.Groups != 1 || d.Features["transaction.version"] != 2 {
		t.Errorf("%+v", d)
	}
	if _, err := os.Stat(filepath.Join(dir, ".lock")); err == nil {
		t.Error("who only looks has made a lock file")
	}
	b, err := milena.Start(context.Background(), milena.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c.addr = b.Addr()
	c.ok("topic", "alter", "work", "--config", "milena.durability=cache")
	if r := c.run("migrate", "return", dir); r.exit != exitLocked {
		t.Errorf("beside the server: %+v", r)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	contains(t, "the rehearsal", c.ok("migrate", "return", dir, "--dry-run"), "work/milena.durability", "nothing was changed")
	contains(t, "the way out", c.ok("migrate", "return", dir), "1 milena.* key deleted", "Apache Kafka can start")
	contains(t, "the second time", c.ok("migrate", "return", dir), "0 milena.* keys deleted, 0 files of ours removed")
	if d := decode[migrateCheckDoc](t, c.ok("migrate", "check", dir, "-o", "json"), "migrate.check"); !d.OK || d.RanLast != "Milena" || !d.Clean {
		t.Errorf("afterwards: %+v", d)
	}
}

func TestMigrateRefuses(t *testing.T) {
	c := &cluster{t: t}
	dir := kafkaDir(t, "refused")
	r := c.run("migrate", "check", dir)
	if r.exit != exitFound {
		t.Errorf("exit code %d, want %d", r.exit, exitFound)
	}
	contains(t, "what is refused", r.out, "User:alice", "bob", "carol", "modern (consumer)", "kafka-acls.sh")
	if r := c.run("migrate", "return", dir); r.exit != exitFailed {
		t.Errorf("a directory that was not shut down cleanly was given back: %+v", r)
	}
	config := filepath.Join(t.TempDir(), "server.properties")
	text := "process.roles=broker,controller\nnode.id=7\nlog.dirs=" + filepath.ToSlash(kafkaDir(t, "static")) + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := c.run("migrate", "check", "--config", config); r.exit != exitFound {
		t.Errorf("another node's directory: %+v", r)
	} else {
		contains(t, "whose it is", r.out, "node.id is 7", "node 1")
	}
	if r := c.run("migrate", "check"); r.exit != exitUsage {
		t.Errorf("of what? %+v", r)
	}
}
