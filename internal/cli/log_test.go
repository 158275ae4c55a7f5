package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/milena-io/milena"
	"github.com/milena-io/milena/internal/inspect"
)

// TestLogsOfARunningServer reads a directory while its server runs and after it stopped, and a damaged copy.
func TestLogsOfARunningServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	b, err := milena.Start(context.Background(), milena.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t, b.Addr()}
	c.create("orders")
	c.produce("orders", "a\nb\n"+strings.Repeat("c", 500)+"\n", "-k", "key", "-z", "lz4")
	verified := func() verifyDoc {
		t.Helper()
		return decode[verifyDoc](t, c.ok("log", "verify", dir, "--records", "-o", "json"), "log.verify")
	}
	if d := verified(); !d.OK || d.Records < 3 || d.Partitions < 2 {
		t.Errorf("beside the server: %+v", d)
	}
	listed := func() inspect.ListedPartition {
		t.Helper()
		d := decode[listingDoc](t, c.ok("log", "ls", dir, "-o", "json"), "log.ls")
		for _, p := range d.Partitions {
			if p.Dir == "orders-0" && d.OK {
				return p
			}
		}
		t.Fatalf("%+v", d)
		return inspect.ListedPartition{}
	}
	if p := listed(); p.Start != 0 || p.End != 3 || len(p.Segments) != 1 {
		t.Errorf("beside the server: %+v", p)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if p := listed(); p.End != 3 || p.HighWatermark != 3 || p.RecoveryPoint != 3 || p.MaxTimestampMs < 1 {
		t.Errorf("after the server: %+v", p)
	}
	text := c.ok("log", "ls", dir)
	contains(t, "the list", text, "PARTITION", "orders-0", "__cluster_metadata-0", "ok")
	contains(t, "the list of segments", c.ok("log", "ls", dir+"/orders-0", "--segments"), "TIMEINDEX", "orders-0")
	if names := c.ok("log", "ls", dir, "-o", "name"); !strings.Contains(names, "orders-0\n") {
		t.Errorf("%q", names)
	}
	if d := verified(); !d.OK || d.Records < 3 {
		t.Errorf("after the server: %+v", d)
	}

	segment := filepath.Join(dir, "orders-0", "00000000000000000000.log")
	text = c.ok("log", "dump", segment, "--records")
	contains(t, "the dump", text, "Dumping ", "Log starting offset: 0", "baseOffset: 0 lastOffset: 2 count: 3", "compresscodec: lz4", "isvalid: true", "key: key payload: b")
	types := 0
	for _, line := range strings.Split(strings.TrimSpace(c.ok("log", "dump", dir, "--records", "-o", "json")), "\n") {
		var e struct {
			Kind    string
			Decoded struct{ Type string }
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Kind == "" {
			t.Fatalf("%q: %v", line, err)
		}
		if e.Decoded.Type == "TOPIC_RECORD" || e.Decoded.Type == "LeaderChange" {
			types++
		}
	}
	if types < 2 {
		t.Errorf("the metadata log shows %d of a leader change and a topic", types)
	}

	preview := decode[compactionDoc](t, c.ok("log", "compact-preview", dir, "-o", "json"), "log.compact-preview")
	if len(preview.Partitions) == 0 || len(preview.Problems) > 0 {
		t.Errorf("%+v", preview)
	}
	contains(t, "the preview", c.ok("log", "compact-preview", dir+"/orders-0"), "PARTITION", "orders-0", "no")
	if r := c.run("log", "compact-preview", dir, "--dirty-ratio", "2"); r.exit != exitUsage {
		t.Errorf("%+v", r)
	}

	data, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.WriteFile(segment, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r := c.run("log", "verify", dir)
	if r.exit != exitFound || !strings.Contains(r.out, "00000000000000000000.log: byte 0: offset 0: CRC mismatch") || !strings.Contains(r.out, "1 problem") {
		t.Errorf("%+v", r)
	}
	r = c.run("log", "dump", segment, "--records")
	if r.exit != exitFound || !strings.Contains(r.out, "isvalid: false") || !strings.Contains(r.err, "byte 0") {
		t.Errorf("%+v", r)
	}
	if r := c.run("log", "verify", dir+"x"); r.exit != exitFailed || r.out != "" || r.err == "" {
		t.Errorf("%+v", r)
	}
}
