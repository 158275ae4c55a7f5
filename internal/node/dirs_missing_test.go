package node

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/world"
)

// reopen stops the node cleanly, changes what is on its disk or in its configuration, and starts it again.
func (r *rig) reopen(change func()) {
	r.t.Helper()
	r.halt()
	r.proc.Kill()
	r.fs = r.fs.Killed()
	change()
	r.boot()
}

// A directory that is not named any more, or whose mount is not there, takes its partitions offline: they are made anew
// nowhere, through any number of starts, and with the directory their records are back.
func TestPartitionsOfAMissingDirectoryStayOffline(t *testing.T) {
	for name, c := range map[string]struct{ without, with func(r *rig) }{
		"not named": {
			func(r *rig) { r.set["log.dirs"] = "d/a,d/c" }, func(r *rig) { r.set["log.dirs"] = threeDirs },
		},
		"not mounted": {
			func(r *rig) { must.OK(r.fs.Rename("d/b", "d/away")) },
			func(r *rig) { must.OK(r.fs.RemoveAll("d/b")); must.OK(r.fs.Rename("d/away", "d/b")) },
		},
		"unreadable": {
			func(r *rig) { r.set["log.dirs"] = "d/a,file/b,d/c" }, func(r *rig) { r.set["log.dirs"] = threeDirs },
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "log.dirs", threeDirs)
			f := must.Get(r.fs.Open("file", disk.Write|disk.Create))
			must.OK(f.Close())
			r.create("t", 3)
			r.spread("t", "kept", 0, 1, 2)
			r.reopen(func() { c.without(r) })
			for range 2 {
				r.wantOffline("t", 1, true)
				wantCode(t, r.write("t", 1, plain("refused")).ErrorCode, kafka.ErrKafkaStorageError)
				wantCode(t, r.read("t", 1, 0).ErrorCode, kafka.ErrKafkaStorageError)
				r.spread("t", "more", 0, 2)
				r.said("WARN t-1 are offline: their log directory ", " is not among log.dirs, or not mounted")
				r.logs.forget()
				r.create(fmt.Sprint("new", r.w.Now().Mono), 4)
				r.rest()
				for _, d := range r.logDirs().Dirs {
					for _, topic := range d.Topics {
						if topic.Topic == "t" && slices.ContainsFunc(topic.Partitions, func(p kmsg.DescribeLogDirsResponseDirTopicPartition) bool { return p.Partition == 1 }) {
							t.Errorf("t-1 was made anew in %s", d.Dir)
						}
					}
				}
				if n := r.n.Gauges().Standing().Replicas.Offline; n != 1 {
					t.Errorf("%d replicas are offline", n)
				}
				r.restart()
			}
			r.reopen(func() { c.with(r) })
			r.wantOffline("t", 1, false)
			r.wantValues("t", 1, "kept")
			r.spread("t", "again", 1)
			r.wantValues("t", 1, "kept", "again")
		})
	}
}

// Which directory a new partition went to is known to the node before the controller knows it. When the node dies between,
// and the directory is missing at the next start, the partition must not begin anew elsewhere: what was acknowledged is in
// what is missing.
func TestNoPlaceIsForgottenInACrash(t *testing.T) {
	for seed := range uint64(10) {
		r := unbooted(t, "log.dirs", threeDirs)
		r.w = world.NewVirtual(seed)
		r.boot()
		r.n.replicas.moves.sending = true // the request that tells the controller never gets there
		r.create("t", 3)
		r.spread("t", "acked", 1)
		p := must.Get(r.n.replicas.ByName(kafka.TopicPartition{Topic: "t", Partition: 1}))
		missing := r.n.storage.Of(p).Path
		r.proc.Kill()
		r.fs = r.fs.PowerCut()
		if missing == "d/a" {
			t.Fatal("t-1 is beside the metadata log, which cannot be missing")
		}
		r.set["log.dirs"] = strings.Replace(threeDirs, ","+missing, "", 1)
		r.boot()
		r.restart() // nor at the start after that
		wantCode(t, r.write("t", 1, plain("while it is missing")).ErrorCode, kafka.ErrKafkaStorageError)
		r.reopen(func() { r.set["log.dirs"] = threeDirs })
		r.rest()
		r.wantValues("t", 1, "acked")
		r.spread("t", "also where nothing was", 0, 1, 2)
	}
}

// An operator may move a partition's files to another directory while the node is down, as with Apache Kafka.
func TestFilesThatWereMovedByHandAreFound(t *testing.T) {
	r := newRig(t, "log.dirs", threeDirs)
	r.create("t", 3)
	r.spread("t", "x", 1)
	r.reopen(func() { must.OK(r.fs.Rename("d/b/t-1", "d/c/t-1")) })
	r.rest()
	r.wantDirs(map[string][]string{"d/a": {"t-0"}, "d/b": nil, "d/c": {"t-1", "t-2"}})
	r.wantValues("t", 1, "x")
	p, _ := r.n.feed.Image().TopicNamed("t").Partition(1)
	if v := r.n.storage.WithID(p.Directory(1)); v == nil || v.Path != "d/c" {
		t.Errorf("the metadata has it in %v", p.Directory(1))
	}
	r.restart()
	r.wantValues("t", 1, "x")
}

// Two copies of one partition are for the operator to choose from: none is served, and both stay.
func TestTwoCopiesOfAPartitionAreLeftAlone(t *testing.T) {
	r := newRig(t, "log.dirs", threeDirs)
	r.create("t", 3)
	r.spread("t", "x", 1)
	r.reopen(func() { r.copyTree("d/b/t-1", "d/c/t-1") })
	r.rest()
	wantCode(t, r.write("t", 1, plain("refused")).ErrorCode, kafka.ErrKafkaStorageError)
	for _, dir := range []string{"d/b/t-1", "d/c/t-1"} {
		if _, err := r.fs.Stat(dir); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
	}
	r.said("ERROR Duplicate log directories for t-1 are found in both d/b and d/c.")
	r.reopen(func() { must.OK(r.fs.RemoveAll("d/c/t-1")) })
	r.wantValues("t", 1, "x")
}

func (r *rig) copyTree(from, to string) {
	r.t.Helper()
	must.OK(r.fs.MkdirAll(to))
	for _, e := range must.Get(r.fs.List(from)) {
		in := must.Get(r.fs.Open(from+"/"+e.Name, 0))
		b := make([]byte, e.Size)
		if len(b) > 0 {
			must.Get(in.ReadAt(b, 0))
		}
		out := must.Get(r.fs.Open(to+"/"+e.Name, disk.Write|disk.Create))
		must.Get(out.WriteAt(b, 0))
		must.OK(in.Close())
		must.OK(out.Close())
	}
}

// A topic that was deleted while one of its directories was away is gone also when that comes back.
func TestATopicDeletedMeanwhileDoesNotComeBack(t *testing.T) {
	r := newRig(t, "log.dirs", threeDirs)
	r.create("t", 3)
	r.spread("t", "old", 0, 1, 2)
	r.reopen(func() { r.set["log.dirs"] = "d/a,d/c" })
	r.drop("t")
	r.create("t", 3)
	r.spread("t", "new", 0, 1, 2)
	r.reopen(func() { r.set["log.dirs"] = threeDirs })
	r.rest()
	for p := range int32(3) {
		r.wantValues("t", p, "new")
	}
	strays := 0
	for _, e := range must.Get(r.fs.List("d/b")) {
		if strings.HasSuffix(e.Name, "-stray") {
			strays++
		}
	}
	if strays != 1 {
		t.Errorf("%d directories set aside in d/b", strays)
	}
}
