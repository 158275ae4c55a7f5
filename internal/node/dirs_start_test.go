package node

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/world"
)

func (r *rig) file(path string) string {
	r.t.Helper()
	f := must.Get(r.fs.Open(path, 0))
	b := make([]byte, must.Get(f.Size()))
	must.Get(f.ReadAt(b, 0))
	must.OK(f.Close())
	return string(b)
}

func (r *rig) put(path, text string) {
	r.t.Helper()
	f := must.Get(r.fs.Open(path, disk.Write|disk.Create|disk.Trunc))
	must.Get(f.WriteAt([]byte(text), 0))
	must.OK(f.Close())
}

// What is wrong with one directory stops the start before anything is written in another: at the next start, put right,
// all of them still count as cleanly closed.
func TestDirectoriesThatDoNotBelongTogetherAreRefused(t *testing.T) {
	id := func(r *rig, dir, key, value string) {
		var lines []string
		for line := range strings.Lines(r.file(dir + "/meta.properties")) {
			if strings.HasPrefix(line, key+"=") {
				line = key + "=" + value + "\n"
			}
			lines = append(lines, line)
		}
		r.put(dir+"/meta.properties", strings.Join(lines, ""))
	}
	for name, c := range map[string]struct {
		spoil func(r *rig)
		says  string
		code  kafka.ErrorCode
	}{
		"another cluster": {func(r *rig) { id(r, "d/c", "cluster.id", "GGGGGGGGGGGGGGGGGGGGGG") },
			"d/c belongs to cluster GGGGGGGGGGGGGGGGGGGGGG, and d/a to ", kafka.ErrInconsistentClusterId},
		"another node": {func(r *rig) { id(r, "d/c", "node.id", "7") }, "d/c belongs to node.id 7, this is node 1", kafka.ErrInconsistentClusterId},
		"a copy": {func(r *rig) { r.put("d/c/meta.properties", r.file("d/b/meta.properties")) },
			"d/b and d/c both have the directory.id ", kafka.ErrInconsistentClusterId},
		"a second metadata log": {func(r *rig) { must.OK(r.fs.MkdirAll("d/c/__cluster_metadata-0")) },
			"Found unexpected metadata location in data directory `d/c/__cluster_metadata-0` (the configured metadata directory is d/a).", kafka.ErrInconsistentClusterId},
		"the metadata log is elsewhere": {func(r *rig) { r.set["metadata.log.dir"] = "d/c" }, "Found unexpected metadata location in data directory `d/a/__cluster_metadata-0`", kafka.ErrInconsistentClusterId},
		"the metadata log's is not mounted": {func(r *rig) { must.OK(r.fs.Rename("d/a", "d/away")) },
			"No `meta.properties` found in d/a, which is to hold the metadata log, while d/b belongs to cluster ", kafka.ErrKafkaStorageError},
		"named twice":             {func(r *rig) { r.set["log.dirs"] = "d/a,d/b,d/../d/b" }, "Duplicate log directory found: d/a, d/b, d/b", kafka.ErrInvalidConfig},
		"whose it is, is unknown": {func(r *rig) { must.OK(r.fs.Remove("d/c/meta.properties")) }, "d/c holds 1 partitions but no meta.properties", kafka.ErrInconsistentClusterId},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "log.dirs", threeDirs)
			r.create("t", 3)
			r.spread("t", "x", 0, 1, 2)
			r.halt()
			r.proc.Kill()
			r.fs = r.fs.Killed()
			c.spoil(r)
			marked := r.marked()
			r.proc = world.NewProcess(r.w)
			_, err := Start(r.options(), func(error) { t.Error("ready is called after an error") })
			if err == nil || !strings.Contains(err.Error(), c.says) || fault.CodeOf(err) != c.code {
				t.Fatalf("%v, want %v: %s", err, c.code, c.says)
			}
			if got := r.marked(); len(marked) != 3 || !slices.Equal(got, marked) {
				t.Errorf("cleanly closed are %q, and were %q", got, marked)
			}
			for _, dir := range marked {
				if l, err := r.fs.Lock(dir + "/.lock"); err != nil {
					t.Errorf("%s: %v", dir, err)
				} else {
					must.OK(l.Close())
				}
			}
		})
	}
}

// marked lists the directories that count as cleanly closed.
func (r *rig) marked() (dirs []string) {
	for _, e := range must.Get(r.fs.List("d")) {
		if _, err := r.fs.Stat("d/" + e.Name + "/.kafka_cleanshutdown"); err == nil {
			dirs = append(dirs, "d/"+e.Name)
		}
	}
	return dirs
}

// A directory that is new beside others is formatted for the same cluster, with an id of its own.
func TestANewDirectoryJoins(t *testing.T) {
	r := newRig(t, "log.dirs", "d/a")
	r.create("t", 2)
	r.spread("t", "x", 0, 1)
	r.reopen(func() { r.set["log.dirs"] = "d/a,d/b" })
	r.create("u", 2)
	r.rest()
	r.wantDirs(map[string][]string{"d/a": {"t-0", "t-1"}, "d/b": {"u-0", "u-1"}})
	r.wantValues("t", 1, "x")
	a, b := r.file("d/a/meta.properties"), r.file("d/b/meta.properties")
	if a == b || !strings.Contains(b, "cluster.id="+r.n.ClusterID()+"\n") || !strings.Contains(b, "node.id=1\n") {
		t.Errorf("d/a: %q\nd/b: %q", a, b)
	}
	if got := len(r.n.feed.Image().Broker(1).LogDirs); got != 2 {
		t.Errorf("%d directories are registered", got)
	}
}

// A disk that fails while the node starts is like one that fails later, but for the metadata log's.
func TestADirectoryThatIsDeadAtTheStart(t *testing.T) {
	for name, fault := range map[string]disk.Fault{
		"lock":       {Op: disk.OpLock, Path: "d/b"},
		"properties": {Path: "d/b/meta.properties"},
		"marker":     {Op: disk.OpRemove, Path: "d/b/.kafka_cleanshutdown"},
		"checkpoint": {Op: disk.OpRead, Path: "d/b/recovery-point"},
		"list":       {Op: disk.OpList, Path: "d/b"},
		"everything": {Path: "d/b"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newDirsRig(t)
			r.create("t", 3)
			r.spread("t", "kept", 0, 1, 2)
			r.halt()
			r.proc.Kill()
			r.fs = r.fs.Killed()
			fault.Err = disk.ErrIO
			r.sick = []disk.Fault{fault}
			r.boot()
			r.sick = nil
			r.wantOffline("t", 1, true)
			wantCode(t, r.write("t", 1, plain("refused")).ErrorCode, kafka.ErrKafkaStorageError)
			r.spread("t", "more", 0, 2)
			r.said("ERROR Failed to create or validate data directory d/b")
			r.restart()
			r.wantValues("t", 1, "kept")
			r.halt()
			r.proc.Kill()
			r.fs = r.fs.Killed()
			fault.Path = strings.Replace(fault.Path, "d/b", "d/a", 1)
			r.sick = []disk.Fault{fault}
			r.proc = world.NewProcess(r.w)
			if _, err := Start(r.options(), func(error) {}); err == nil || !strings.Contains(err.Error(), "input/output error") {
				t.Errorf("without the metadata log's directory: %v", err)
			}
		})
	}
}

// A broker that cannot tell its controller of a dead directory stops: others would wait for replicas that are not there.
func TestADeadDirectoryThatNobodyHearsOfEndsTheNode(t *testing.T) {
	r := newDirsRig(t, "log.dir.failure.timeout.ms", "5000")
	r.create("t", 3)
	r.rest()
	r.n.session.mu.Lock()
	r.n.session.epoch = -1 // nobody to tell
	r.n.session.mu.Unlock()
	r.faulty.Add(disk.Fault{Op: disk.OpSync, Path: "d/b", Err: disk.ErrIO})
	r.main.send(producing("t", 1, -1, plain("lost")))
	r.w.Run(4 * time.Second)
	if r.gaveUp != nil {
		t.Fatalf("gave up too early: %v", r.gaveUp)
	}
	r.w.Run(2 * time.Second)
	if r.gaveUp == nil || !strings.Contains(r.gaveUp.Error(), "Shutting down because couldn't communicate offline log dir ") {
		t.Errorf("gave up with %v", r.gaveUp)
	}
}
