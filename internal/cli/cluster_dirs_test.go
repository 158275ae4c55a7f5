package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/milena-io/milena"
	"github.com/milena-io/milena/internal/must"
)

// A log directory that is not there is told by its path, and the replicas in it by their brokers.
func TestOfflineDirectoriesAreShown(t *testing.T) {
	root := t.TempDir()
	a, b := filepath.Join(root, "a"), filepath.Join(root, "b")
	start := func() (*cluster, *milena.Broker) {
		n := must.Get(milena.Start(within(t), milena.Config{Dir: root, Settings: map[string]string{"log.dirs": a + "," + b}}))
		t.Cleanup(func() { _ = n.Close() })
		return &cluster{t, n.Addr()}, n
	}
	c, n := start()
	c.create("t", "-p", "2")
	c.produce("t", "x\ny\nz\n", "-p", "0")
	c.produce("t", "u\n", "-p", "1")
	here := c.ok("consume", "t", "-p", "0")
	d := decode[clusterDoc](t, c.ok("cluster", "info", "-o", "json"), "cluster.info")
	dirs := d.Brokers[0].LogDirs
	if len(dirs) != 2 || dirs[0].Path != filepath.ToSlash(a) || dirs[1].Path != filepath.ToSlash(b) || dirs[0].Offline || dirs[1].Offline ||
		dirs[0].Partitions != 1 || dirs[1].Partitions != 1 || dirs[0].UsableBytes <= 0 || dirs[0].TotalBytes < dirs[0].UsableBytes {
		t.Errorf("%+v", dirs)
	}
	contains(t, "a healthy cluster", c.ok("cluster", "info"), "LOG DIRECTORY", filepath.ToSlash(b), "online")
	must.OK(n.Close())
	must.OK(os.Rename(b, filepath.Join(root, "away")))
	must.OK(os.WriteFile(b, nil, 0o600)) // what is no directory cannot be opened as one
	c, n = start()
	contains(t, "a cluster with a dead directory", c.ok("cluster", "info"), "1 offline", filepath.ToSlash(b), "OFFLINE")
	contains(t, "its topic", c.ok("topic", "describe", "t"), "OFFLINE", "none")
	if got := c.ok("consume", "t", "-p", "0"); got != here || got != c.ok("consume", "t", "-p", "0", "--since", "1h") {
		t.Errorf("of the partition that is online %q is read, %q was written", got, here)
	}
	if r := c.run("consume", "t"); r.exit == exitOK || !strings.Contains(r.err, "t[1]") || !strings.Contains(r.err, "LEADER_NOT_AVAILABLE") {
		t.Errorf("reading all: exit %d\n%s", r.exit, r.err)
	}
	must.OK(n.Close())
	must.OK(os.Remove(b))
	must.OK(os.Rename(filepath.Join(root, "away"), b))
	c, _ = start()
	d = decode[clusterDoc](t, c.ok("cluster", "info", "-o", "json"), "cluster.info")
	if d.Offline != 0 || d.Brokers[0].LogDirs[1].Offline {
		t.Errorf("with the directory back: %+v", d)
	}
}
