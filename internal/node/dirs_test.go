package node

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
)

const threeDirs = "d/a,d/b,d/c"

// newDirsRig is a node with the directories d/a, which also holds the metadata log, d/b and d/c on a disk that can fail.
func newDirsRig(t *testing.T, settings ...string) *rig {
	t.Helper()
	r := newRig(t, append([]string{"log.dirs", threeDirs}, settings...)...)
	r.faulty = disk.NewFaulty(r.fs)
	r.restart()
	return r
}

// rest lets the node come to rest.
func (r *rig) rest() { r.w.Run(time.Second) }

// dirOf tells which directory a partition lives in, as DescribeLogDirs has it.
func (r *rig) dirs() map[string][]string {
	r.t.Helper()
	out := map[string][]string{}
	for _, d := range r.logDirs().Dirs {
		var names []string
		for _, topic := range d.Topics {
			for _, p := range topic.Partitions {
				names = append(names, kafka.TopicPartition{Topic: topic.Topic, Partition: p.Partition}.String())
			}
		}
		if d.ErrorCode != 0 {
			names = append(names, kafka.ErrorCode(d.ErrorCode).String())
		}
		out[d.Dir] = names
	}
	return out
}

func (r *rig) logDirs() *kmsg.DescribeLogDirsResponse {
	req := kmsg.NewPtrDescribeLogDirsRequest()
	req.Version = 4
	return ask[*kmsg.DescribeLogDirsResponse](r, req)
}

func (r *rig) wantDirs(want map[string][]string) {
	r.t.Helper()
	got := r.dirs()
	for dir, names := range want {
		if !slices.Equal(got[dir], names) {
			r.t.Errorf("%s has %q, want %q", dir, got[dir], names)
		}
	}
	if len(got) != len(want) {
		r.t.Errorf("directories %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// metadataOf returns a partition as Metadata shows it.
func (r *rig) metadataOf(topic string, partition int32) kmsg.MetadataResponseTopicPartition {
	r.t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 12
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	req.Topics = append(req.Topics, t)
	for _, p := range ask[*kmsg.MetadataResponse](r, req).Topics[0].Partitions {
		if p.Partition == partition {
			return p
		}
	}
	r.t.Fatalf("no partition %s-%d", topic, partition)
	return kmsg.MetadataResponseTopicPartition{}
}

func (r *rig) wantOffline(topic string, partition int32, want bool) {
	r.t.Helper()
	p := r.metadataOf(topic, partition)
	code, leader, offline, isr := kafka.ErrNone, int32(1), []int32{}, []int32{1}
	if want {
		code, leader, offline, isr = kafka.ErrLeaderNotAvailable, -1, []int32{1}, []int32{} // it is eligible (KIP-966)
	}
	if kafka.ErrorCode(p.ErrorCode) != code || p.Leader != leader || !slices.Equal(p.OfflineReplicas, offline) || !slices.Equal(p.ISR, isr) {
		r.t.Errorf("%s-%d: %v, leader %d, offline %v, isr %v; offline wanted: %v", topic, partition, kafka.ErrorCode(p.ErrorCode), p.Leader, p.OfflineReplicas, p.ISR, want)
	}
}

// spread writes one record into each of the partitions.
func (r *rig) spread(topic string, value string, partitions ...int32) {
	r.t.Helper()
	for _, p := range partitions {
		wantCode(r.t, r.write(topic, p, plain(value)).ErrorCode, kafka.ErrNone)
	}
}

func (r *rig) wantValues(topic string, partition int32, want ...string) {
	r.t.Helper()
	p := r.read(topic, partition, 0)
	wantCode(r.t, p.ErrorCode, kafka.ErrNone)
	if got := values(r.t, p.RecordBatches); !slices.Equal(got, want) {
		r.t.Errorf("%s-%d has %q, want %q", topic, partition, got, want)
	}
}

// The next partition goes where the fewest are, and the controller learns where that is.
func TestPartitionsSpreadOverTheDirectories(t *testing.T) {
	r := newDirsRig(t)
	r.create("t", 4)
	r.create("u", 2)
	r.spread("t", "x", 0, 1, 2, 3)
	r.rest()
	want := map[string][]string{"d/a": {"t-0", "t-3"}, "d/b": {"t-1", "u-0"}, "d/c": {"t-2", "u-1"}}
	r.wantDirs(want)
	img := r.n.feed.Image()
	for name, dir := range map[string]string{"t": "d/b", "u": "d/c"} {
		p, _ := img.TopicNamed(name).Partition(1)
		if id := r.n.storage.WithID(p.Directory(1)); id == nil || id.Path != dir {
			t.Errorf("the metadata has %s-1 in %v", name, p.Directory(1))
		}
	}
	r.restart()
	r.wantDirs(want)
	r.wantValues("t", 2, "x")
	for _, d := range r.logDirs().Dirs {
		if d.TotalBytes < 0 || d.UsableBytes < 0 {
			t.Errorf("%s has %d of %d bytes left", d.Dir, d.UsableBytes, d.TotalBytes)
		}
	}
}

// deaths are the ways in which the disk under d/b can fail a running node.
var deaths = map[string]struct {
	fault disk.Fault
	hit   func(r *rig) // makes the node run into it
}{
	"write":  {disk.Fault{Op: disk.OpWrite, Path: "d/b/t-1", Err: disk.ErrIO}, func(r *rig) { r.write("t", 1, plain("lost")) }},
	"fsync":  {disk.Fault{Op: disk.OpSync, Path: "d/b/t-1", Err: disk.ErrIO}, func(r *rig) { r.write("t", 1, plain("lost")) }},
	"read":   {disk.Fault{Op: disk.OpRead, Path: "d/b/t-1", Err: disk.ErrIO}, func(r *rig) { r.read("t", 1, 0) }},
	"create": {disk.Fault{Op: disk.OpOpen, Path: "d/b/u", Err: disk.ErrIO}, func(r *rig) { r.write("u", 1, plain("lost")) }},
	"mkdir":  {disk.Fault{Op: disk.OpMkdirAll, Path: "d/b/u", Err: disk.ErrIO}, func(r *rig) { r.write("u", 1, plain("lost")) }},
	"checkpoint write": {disk.Fault{Op: disk.OpWrite, Path: "d/b/replication-offset", Err: disk.ErrIO},
		func(r *rig) { r.spread("t", "more", 1); r.w.Run(10 * time.Second) }},
	"checkpoint rename": {disk.Fault{Op: disk.OpRename, Path: "d/b/recovery-point", Err: disk.ErrIO},
		func(r *rig) { r.spread("t", "more", 1); r.w.Run(2 * time.Minute) }},
	"deletion": {disk.Fault{Op: disk.OpRename, Path: "d/b/v-1", Err: disk.ErrIO}, func(r *rig) { r.drop("v") }},
}

func (r *rig) drop(topic string) {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TimeoutMillis = 6, 1000
	t := kmsg.NewDeleteTopicsRequestTopic()
	t.Topic = &topic
	req.Topics = append(req.Topics, t)
	ask[*kmsg.DeleteTopicsResponse](r, req)
}

// One directory dies, in each way that it can: what is in it goes offline, the others serve, and after a restart with the
// disk repaired every acknowledged record is there again.
func TestADirectoryDies(t *testing.T) {
	for name, c := range deaths {
		t.Run(name, func(t *testing.T) {
			r := newDirsRig(t)
			r.create("t", 3)
			r.create("v", 3)
			r.spread("t", "kept", 0, 1, 2)
			r.spread("v", "kept", 1)
			r.create("u", 3)
			r.rest()
			r.restart() // so that what is read comes from the disk
			r.faulty.Add(c.fault)
			c.hit(r)
			r.rest()
			if r.gaveUp != nil {
				t.Fatalf("the whole node gave up: %v", r.gaveUp)
			}
			r.wantOffline("t", 1, true)
			wantCode(t, r.write("t", 1, plain("refused")).ErrorCode, kafka.ErrKafkaStorageError)
			wantCode(t, r.read("t", 1, 0).ErrorCode, kafka.ErrKafkaStorageError)
			for _, p := range []int32{0, 2} {
				r.wantOffline("t", p, false)
				r.spread("t", "after", p)
				r.wantValues("t", p, "kept", "after")
			}
			if got := r.dirs()["d/b"]; !slices.Equal(got, []string{"KAFKA_STORAGE_ERROR"}) {
				t.Errorf("d/b is described as %q", got)
			}
			s := r.n.Gauges().Standing()
			if !s.Dirs[1].Offline || s.Dirs[0].Offline || s.Dirs[2].Offline || s.Replicas.Offline < 2 {
				t.Errorf("gauges: %+v, %d replicas offline", s.Dirs, s.Replicas.Offline)
			}
			r.said("WARN Stopping serving replicas in dir d/b with uuid ", " because the log directory has failed.")
			r.said("ERROR Error in log directory d/b", "input/output error")
			r.said("WARN Logs for partitions ", "t-1", " are offline due to failure on log directory d/b")
			r.create("w", 4)
			r.rest()
			if got := r.dirs(); slices.ContainsFunc(got["d/b"], func(n string) bool { return strings.HasPrefix(n, "w-") }) {
				t.Errorf("new partitions in a dead directory: %q", got)
			}
			r.spread("w", "new", 0, 1, 2, 3)
			r.restart()
			r.wantOffline("t", 1, false)
			if got := values(t, r.read("t", 1, 0).RecordBatches); len(got) == 0 || got[0] != "kept" {
				t.Errorf("after the restart t-1 has %q", got)
			}
			r.spread("t", "again", 1)
			r.wantValues("t", 0, "kept", "after")
			r.wantValues("w", 3, "new")
		})
	}
}

// Whoever waits on a partition when its directory dies hears of it at once and not after the timeout.
func TestWaitersHearOfADeadDirectory(t *testing.T) {
	r := newDirsRig(t)
	r.create("t", 3)
	r.spread("t", "x", 0, 1, 2)
	waits := r.connect("PLAINTEXT")
	fetch := fetching("t", 1, 1)
	fetch.MaxWaitMillis = 600_000
	waits.send(fetch)
	r.rest()
	r.faulty.Add(disk.Fault{Op: disk.OpSync, Path: "d/b", Err: disk.ErrIO})
	produce := r.connect("PLAINTEXT")
	produce.send(producing("t", 1, -1, plain("lost")))
	for what, c := range map[string]*link{"fetch": waits, "produce": produce} {
		if f := c.receive(time.Second); f == nil {
			t.Errorf("the %s is not answered", what)
		}
	}
}

// A failed sync is final: that a later one would be good again proves nothing (S5).
func TestADirectoryStaysDeadUntilTheNextStart(t *testing.T) {
	r := newDirsRig(t)
	r.create("t", 3)
	r.spread("t", "x", 1)
	r.faulty.Add(disk.Fault{Op: disk.OpSync, Path: "d/b", Err: disk.ErrIO, Times: 1})
	wantCode(t, r.write("t", 1, plain("lost")).ErrorCode, kafka.ErrKafkaStorageError)
	r.faulty.Heal()
	r.w.Run(5 * time.Minute)
	wantCode(t, r.write("t", 1, plain("refused")).ErrorCode, kafka.ErrKafkaStorageError)
	if !r.n.storage.Volumes[0].Held() || r.n.storage.Volumes[1].Held() {
		t.Error("the lock of the dead directory is to be given back, and no other")
	}
}

func TestWithoutTheMetadataDirectoryTheNodeEnds(t *testing.T) {
	r := newDirsRig(t)
	r.create("t", 3)
	r.faulty.Add(disk.Fault{Op: disk.OpSync, Path: "d/a/t-0", Err: disk.ErrIO})
	r.main.send(producing("t", 0, -1, plain("lost")))
	r.rest()
	if r.gaveUp == nil || !strings.Contains(r.gaveUp.Error(), "Shutdown broker because the metadata log dir d/a has failed") {
		t.Errorf("gave up with %v", r.gaveUp)
	}
}

func TestWithoutAnyDirectoryTheNodeEnds(t *testing.T) {
	r := newRig(t, "log.dirs", "d/b,d/c", "metadata.log.dir", "d/m")
	r.faulty = disk.NewFaulty(r.fs)
	r.restart()
	r.create("t", 2)
	r.rest()
	r.wantDirs(map[string][]string{"d/b": {"t-0"}, "d/c": {"t-1"}})
	r.faulty.Add(disk.Fault{Op: disk.OpWrite, Path: "d/b/t-0", Err: disk.ErrIO})
	r.faulty.Add(disk.Fault{Op: disk.OpWrite, Path: "d/c/t-1", Err: disk.ErrIO})
	wantCode(t, r.write("t", 0, plain("lost")).ErrorCode, kafka.ErrKafkaStorageError)
	r.rest()
	if r.gaveUp != nil {
		t.Fatalf("with one directory left: %v", r.gaveUp)
	}
	r.main.send(producing("t", 1, -1, plain("lost")))
	r.rest()
	if r.gaveUp == nil || !strings.Contains(r.gaveUp.Error(), "Shutdown broker because all log dirs in d/b, d/c have failed") {
		t.Errorf("gave up with %v", r.gaveUp)
	}
}
