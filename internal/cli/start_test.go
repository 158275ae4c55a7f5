package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
)

// TestADirectoryThatIsNotOurs holds the hints against what the log really says.
func TestADirectoryThatIsNotOurs(t *testing.T) {
	mem := disk.NewMem()
	mine := log.Meta{ClusterID: "A", NodeID: 7, DirectoryID: kafka.DirectoryID{15: 1}}
	d, err := log.OpenDir(mem, "data", log.Identity{ClusterID: "A", NodeID: 7})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Format(mine); err != nil {
		t.Fatal(err)
	}
	if err := d.Release(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		fs         disk.FS
		path       string
		id         log.Identity
		exit       int
		has, lacks string
	}{
		{mem, "data", log.Identity{ClusterID: "A", NodeID: 1}, exitLocked, "--override node.id=7", "CLUSTER_ID"},
		{mem, "data", log.Identity{ClusterID: "B", NodeID: 7}, exitLocked, "unset CLUSTER_ID", "node.id="},
		{disk.NewOS(), filepath.ToSlash(file), log.Identity{}, exitFailed, "--override log.dirs=", "CLUSTER_ID"},
		{disk.NewOS(), filepath.ToSlash(filepath.Join(file, "below")), log.Identity{}, exitFailed, "this user can make and write", "CLUSTER_ID"},
	} {
		start := func(context.Context, StartOptions) error {
			_, err := log.OpenDir(tc.fs, tc.path, tc.id)
			return err
		}
		var errs guarded
		code := Main(within(t), Process{Args: []string{"start"}, Err: &errs}, Seams{Start: start})
		if says := errs.String(); code != tc.exit || !strings.Contains(says, tc.has) || strings.Contains(says[strings.Index(says, "\n"):], tc.lacks) {
			t.Errorf("%s as %+v: exit %d, %q", tc.path, tc.id, code, says)
		}
	}
}
