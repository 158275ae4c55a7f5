package node

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// alterDir asks for a replica to be moved and returns the code.
func (r *rig) alterDir(topic string, partition int32, dir string) kafka.ErrorCode {
	r.t.Helper()
	req := kmsg.NewPtrAlterReplicaLogDirsRequest()
	req.Version = 2
	req.Dirs = []kmsg.AlterReplicaLogDirsRequestDir{{Dir: dir, Topics: []kmsg.AlterReplicaLogDirsRequestDirTopic{{Topic: topic, Partitions: []int32{partition}}}}}
	got := ask[*kmsg.AlterReplicaLogDirsResponse](r, req).Topics
	if len(got) != 1 || got[0].Topic != topic || len(got[0].Partitions) != 1 || got[0].Partitions[0].Partition != partition {
		r.t.Fatalf("the answer is %+v", got)
	}
	return kafka.ErrorCode(got[0].Partitions[0].ErrorCode)
}

func (r *rig) moves(topic string, partition int32, dir string) {
	r.t.Helper()
	if code := r.alterDir(topic, partition, dir); code != kafka.ErrNone {
		r.t.Fatalf("moving %s-%d to %s: %v", topic, partition, dir, code)
	}
}

// copies lists what is on its way, as DescribeLogDirs has it: "d/b t-0 lag 3".
func (r *rig) copies() (out []string) {
	r.t.Helper()
	for _, d := range r.logDirs().Dirs {
		for _, topic := range d.Topics {
			for _, p := range topic.Partitions {
				if p.IsFuture {
					out = append(out, fmt.Sprintf("%s %s-%d lag %d", d.Dir, topic.Topic, p.Partition, p.OffsetLag))
				}
			}
		}
	}
	return out
}

// named lists what in a directory begins with a name.
func (r *rig) named(dir, prefix string) (out []string) {
	r.t.Helper()
	entries, err := r.fs.List(dir)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name, prefix) {
			out = append(out, e.Name)
		}
	}
	return out
}

// wantHome wants a replica served from one directory, which the metadata knows, and nothing of it in the others.
func (r *rig) wantHome(topic string, partition int32, dir string) {
	r.t.Helper()
	name := fmt.Sprintf("%s-%d", topic, partition)
	for d, names := range r.dirs() {
		if slices.Contains(names, name) != (d == dir) {
			r.t.Errorf("%s has %q; %s is to be in %s", d, names, name, dir)
		}
		for _, n := range r.named(d, name) {
			if n != name && !strings.HasSuffix(n, "-delete") || n == name && d != dir {
				r.t.Errorf("%s has %s", d, n)
			}
		}
	}
	p, _ := r.n.feed.Image().TopicNamed(topic).Partition(partition)
	if v := r.n.storage.WithID(p.Directory(1)); v == nil || v.Path != dir {
		r.t.Errorf("the metadata has %s in %v", name, p.Directory(1))
	}
}

// throttle sets replica.alter.log.dirs.io.max.bytes.per.second.
func (r *rig) throttle(rate string) {
	r.t.Helper()
	r.alterWants(kafka.ErrNone, kmsg.ConfigResourceTypeBroker, "1", "=replica.alter.log.dirs.io.max.bytes.per.second="+rate)
}

// many writes records that are easy to tell apart, 40 kB each, and returns them.
func (r *rig) many(topic string, partition int32, from, n int) (out []string) {
	r.t.Helper()
	for i := range n {
		v := fmt.Sprintf("%06d %s", from+i, strings.Repeat("x", 40_000))
		r.spread(topic, v, partition)
		out = append(out, v)
	}
	return out
}

// all reads every record of a partition from an offset on.
func (r *rig) all(topic string, partition int32, at int64) (out []string) {
	r.t.Helper()
	for {
		p := r.read(topic, partition, at)
		wantCode(r.t, p.ErrorCode, kafka.ErrNone)
		if len(p.RecordBatches) == 0 {
			return out
		}
		out = append(out, values(r.t, p.RecordBatches)...)
		for rest := p.RecordBatches; len(rest) > 0; {
			b, more, err := record.Next(rest)
			if err != nil {
				r.t.Fatal(err)
			}
			at, rest = int64(b.NextOffset()), more
		}
	}
}

func (r *rig) wantAll(topic string, partition int32, want []string) {
	r.t.Helper()
	if got := r.all(topic, partition, 0); !slices.Equal(got, want) {
		r.t.Fatalf("%s-%d has %d records, want %d", topic, partition, len(got), len(want))
	}
}

// A replica moves with its records, offsets, producers and start, and goes on.
func TestAReplicaMoves(t *testing.T) {
	r := newDirsRig(t)
	r.logs.info = true
	r.create("t", 3, "segment.bytes", "1048576")
	want := r.many("t", 0, 0, 50)
	wantCode(t, r.write("t", 0, idempotent(7, 0, 0, "once")).ErrorCode, kafka.ErrNone)
	want = append(want, "once")
	r.moves("t", 0, "d/b")
	r.rest()
	r.wantHome("t", 0, "d/b")
	r.wantAll("t", 0, want)
	again := r.write("t", 0, idempotent(7, 0, 0, "once"))
	if wantCode(t, again.ErrorCode, kafka.ErrNone); again.BaseOffset != 50 {
		t.Errorf("the retry is at %d", again.BaseOffset)
	}
	want = append(want, r.many("t", 0, 50, 5)...)
	r.said("INFO Moved t-0 from d/a to d/b")
	r.w.Run(2 * time.Minute) // past file.delete.delay.ms
	if left := r.named("d/a", "t-0"); len(left) > 0 {
		t.Errorf("d/a has %q", left)
	}
	if left := r.named("d/b/t-0", "milena"); len(left) > 0 {
		t.Errorf("d/b/t-0 has %q", left)
	}
	r.kill()
	r.rest()
	r.wantHome("t", 0, "d/b")
	r.wantAll("t", 0, want)
	r.restart()
	r.wantAll("t", 0, want)
	r.moves("t", 0, "d/a") // and back
	r.rest()
	r.wantHome("t", 0, "d/a")
	r.wantAll("t", 0, want)
}

// Clients write and read on while a replica moves, slowly: nothing that was acknowledged is lost, doubled or out of order.
func TestRecordsFlowWhileAReplicaMoves(t *testing.T) {
	r := newDirsRig(t)
	r.create("t", 3, "segment.bytes", "1048576")
	want := r.many("t", 0, 0, 100)
	r.throttle("500000")
	r.moves("t", 0, "d/c")
	tail := r.connect("PLAINTEXT")
	seen, unacked := false, []string(nil)
	for i := range 30 {
		want = append(want, r.many("t", 0, 100+i, 1)...)
		r.w.Run(300 * time.Millisecond)
		for _, c := range r.copies() {
			seen = seen || strings.HasPrefix(c, "d/c t-0 lag ") && !strings.HasSuffix(c, " 0")
		}
		tail.send(producing("t", 0, 0, plain(fmt.Sprint("unacked ", i))))
		unacked = append(unacked, fmt.Sprint("unacked ", i))
	}
	if !seen {
		t.Error("DescribeLogDirs shows no copy that is behind")
	}
	r.w.Run(time.Minute)
	r.wantHome("t", 0, "d/c")
	if left := r.copies(); len(left) > 0 {
		t.Errorf("still on their way: %q", left)
	}
	check := func() {
		var acked, others []string
		for _, v := range r.all("t", 0, 0) {
			if strings.HasPrefix(v, "unacked") {
				others = append(others, v)
			} else {
				acked = append(acked, v)
			}
		}
		if !slices.Equal(acked, want) || !slices.Equal(others, unacked) {
			t.Errorf("%d records of one connection and %d of the other, want %d and %d in their order", len(acked), len(others), len(want), len(unacked))
		}
	}
	check()
	r.kill()
	check()
}

// The throttle holds for all moves together.
func TestMovesKeepToTheThrottle(t *testing.T) {
	r := newDirsRig(t)
	r.create("t", 3)
	r.many("t", 0, 0, 100) // 4 MB
	r.many("t", 1, 0, 100)
	r.throttle("1000000")
	began := r.w.Now().Mono
	r.moves("t", 0, "d/c")
	r.moves("t", 1, "d/c")
	r.w.RunUntil(time.Minute, func() bool { return len(r.n.storage.Copies(r.n.storage.Volumes[2])) == 0 })
	if took := r.w.Now().Mono - began; took < 6*time.Second || took > 12*time.Second {
		t.Errorf("8 MB at 1 MB a second took %v", took)
	}
	r.wantHome("t", 1, "d/c")
}

// What is answered to requests that cannot be carried out, in the words of Apache Kafka.
func TestMovesThatAreRefused(t *testing.T) {
	r := newDirsRig(t)
	r.create("t", 3)
	long := strings.Repeat("l", 249)
	r.create(long, 1)
	for _, c := range []struct {
		topic     string
		partition int32
		dir       string
		want      kafka.ErrorCode
	}{
		{"t", 0, "d/x", kafka.ErrLogDirNotFound},
		{"t", 0, "d/b/", kafka.ErrLogDirNotFound},
		{"none", 0, "d/b", kafka.ErrUnknownTopicOrPartition},
		{"t", 3, "d/b", kafka.ErrUnknownTopicOrPartition},
		{"t", -1, "d/b", kafka.ErrUnknownTopicOrPartition},
		{"__cluster_metadata", 0, "d/b", kafka.ErrUnknownTopicOrPartition},
		{long, 0, "d/b", kafka.ErrInvalidTopicException},
		{"t", 0, "d/a", kafka.ErrNone}, // where it is
	} {
		if got := r.alterDir(c.topic, c.partition, c.dir); got != c.want {
			t.Errorf("%.20s-%d to %s: %v, want %v", c.topic, c.partition, c.dir, got, c.want)
		}
	}
	r.rest()
	r.wantHome("t", 0, "d/a")
	r.faulty.Add(disk.Fault{Op: disk.OpSync, Path: "d/b", Err: disk.ErrIO})
	r.write("t", 1, plain("lost"))
	r.rest()
	for _, dir := range []string{"d/b", "d/c"} { // also to one that works: a copy might be in the other
		if got := r.alterDir("t", 0, dir); got != kafka.ErrKafkaStorageError {
			t.Errorf("with d/b offline, to %s: %v", dir, got)
		}
	}
	if got := r.alterDir("t", 1, "d/c"); got != kafka.ErrKafkaStorageError {
		t.Errorf("out of a dead directory: %v", got)
	}
}

// Who asks for the directory where the replica is calls the move back, and who asks for a third one changes it.
func TestAMoveIsCalledBack(t *testing.T) {
	r := newDirsRig(t)
	r.create("t", 3)
	want := r.many("t", 0, 0, 50)
	r.throttle("100000")
	r.moves("t", 0, "d/b")
	r.w.Run(3 * time.Second)
	if got := r.copies(); len(got) != 1 || !strings.HasPrefix(got[0], "d/b t-0 lag ") {
		t.Fatalf("on their way: %q", got)
	}
	r.moves("t", 0, "d/a")
	r.w.Run(3 * time.Second)
	r.wantHome("t", 0, "d/a")
	r.moves("t", 0, "d/b")
	r.w.Run(2 * time.Second)
	r.moves("t", 0, "d/c")
	r.moves("t", 0, "d/b")
	r.moves("t", 0, "d/c")
	r.throttle("1000000000")
	r.w.Run(10 * time.Second)
	r.wantHome("t", 0, "d/c")
	r.wantAll("t", 0, want)
}

// A partition that is not there yet is made where it is wanted.
func TestAPartitionIsMadeWhereItIsWanted(t *testing.T) {
	r := newDirsRig(t)
	for i := range int32(3) {
		if got := r.alterDir("t", i, "d/c"); got != kafka.ErrUnknownTopicOrPartition {
			t.Errorf("t-%d: %v", i, got)
		}
	}
	r.create("t", 3)
	r.spread("t", "x", 0, 1, 2)
	r.rest()
	r.wantDirs(map[string][]string{"d/a": nil, "d/b": nil, "d/c": {"t-0", "t-1", "t-2"}})
}

// A topic is deleted while one of its replicas moves: nothing of it stays, and one of the same name can move again.
func TestATopicIsDeletedWhileItMoves(t *testing.T) {
	r := newDirsRig(t)
	r.create("t", 3)
	r.many("t", 0, 0, 50)
	r.throttle("100000")
	r.moves("t", 0, "d/b")
	r.w.Run(3 * time.Second)
	r.drop("t")
	r.create("t", 3)
	r.rest()
	r.spread("t", "new", 0)
	r.w.Run(2 * time.Minute)
	for _, d := range []string{"d/a", "d/b"} {
		if left := slices.DeleteFunc(r.named(d, "t-0"), func(n string) bool { return n == "t-0" }); len(left) > 0 {
			t.Errorf("%s has %q", d, left)
		}
	}
	r.throttle("10000000")
	r.moves("t", 0, "d/c")
	r.rest()
	r.wantHome("t", 0, "d/c")
	r.wantValues("t", 0, "new")
}

// A topic that is made again may be asked to move while its predecessor's replica is still being called back.
func TestATopicMadeAgainMovesAtOnce(t *testing.T) {
	r := newDirsRig(t)
	r.create("t", 3)
	r.many("t", 0, 0, 50)
	r.throttle("100000")
	for _, to := range []string{"d/c", "d/b"} { // where nobody went, and where the predecessor went
		r.moves("t", 0, "d/b")
		r.w.Run(3 * time.Second)
		if got := r.copies(); len(got) != 1 {
			t.Fatalf("on their way: %q", got)
		}
		r.drop("t")
		r.create("t", 3)
		r.spread("t", "new", 0)
		r.moves("t", 0, to)
		r.spread("t", "newer", 0)
		r.w.Run(200 * time.Millisecond)
		r.deleteTo("t", 0, 1)
		r.w.Run(2 * time.Minute)
		r.wantHome("t", 0, to)
		r.kill()
		r.throttle("100000")
		wantCode(t, r.read("t", 0, 0).ErrorCode, kafka.ErrOffsetOutOfRange)
		if got := r.all("t", 0, 1); !slices.Equal(got, []string{"newer"}) {
			t.Errorf("%q", got)
		}
		r.moves("t", 0, "d/a")
		r.w.Run(2 * time.Minute)
		r.drop("t")
		r.create("t", 3)
		r.many("t", 0, 0, 50)
	}
}

// deleteTo is DeleteRecords of what stands below an offset.
func (r *rig) deleteTo(topic string, partition int32, at int64) {
	r.t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Version, req.TimeoutMillis = 2, 1000
	req.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: partition, Offset: at}}}}
	wantCode(r.t, ask[*kmsg.DeleteRecordsResponse](r, req).Topics[0].Partitions[0].ErrorCode, kafka.ErrNone)
}

// DeleteRecords counts while a replica moves, also below where the copy has come to.
func TestRecordsAreDeletedWhileTheyMove(t *testing.T) {
	for _, at := range []int64{5, 45} {
		r := newDirsRig(t)
		r.create("t", 3, "segment.bytes", "1048576")
		want := r.many("t", 0, 0, 50)
		r.throttle("400000")
		r.moves("t", 0, "d/b")
		r.w.Run(2 * time.Second)
		r.deleteTo("t", 0, at)
		r.w.Run(time.Minute)
		r.wantHome("t", 0, "d/b")
		wantCode(t, r.read("t", 0, at-1).ErrorCode, kafka.ErrOffsetOutOfRange)
		r.kill()
		wantCode(t, r.read("t", 0, at-1).ErrorCode, kafka.ErrOffsetOutOfRange)
		if got := r.all("t", 0, at); !slices.Equal(got, want[at:]) {
			t.Errorf("after DeleteRecords to %d there are %d records, want %d", at, len(got), len(want[at:]))
		}
	}
}

// A restart in the middle of a move goes on with it, after a clean stop and after a kill.
func TestAMoveGoesOnAfterARestart(t *testing.T) {
	for _, clean := range []bool{true, false} {
		r := newDirsRig(t)
		r.create("t", 3, "segment.bytes", "1048576")
		want := r.many("t", 0, 0, 50)
		r.throttle("400000")
		r.moves("t", 0, "d/b")
		r.w.Run(2 * time.Second)
		want = append(want, r.many("t", 0, 50, 3)...)
		if clean {
			r.restart()
			if marked := r.marked(); len(marked) != 0 {
				t.Errorf("markers are left in %q", marked)
			}
		} else {
			r.kill()
		}
		if got := r.copies(); len(got) != 1 || !strings.HasPrefix(got[0], "d/b t-0 lag ") {
			t.Errorf("clean %v: on their way: %q", clean, got)
		}
		r.wantAll("t", 0, want)
		want = append(want, r.many("t", 0, 53, 3)...)
		r.w.Run(30 * time.Second)
		r.wantHome("t", 0, "d/b")
		r.wantAll("t", 0, want)
	}
}

// What waits for its turn goes on after a restart, too.
func TestAMoveThatWaitsGoesOnAfterARestart(t *testing.T) {
	for _, clean := range []bool{true, false} {
		r := newDirsRig(t, "num.replica.alter.log.dirs.threads", "1")
		r.create("t", 3)
		want := [][]string{r.many("t", 0, 0, 50), nil, nil}
		for p := int32(1); p < 3; p++ {
			r.moves("t", p, "d/a")
			r.w.Run(10 * time.Second)
			want[p] = r.many("t", p, 0, 20)
		}
		r.throttle("100000")
		for p := range int32(3) {
			r.moves("t", p, "d/b")
		}
		r.w.Run(time.Second)
		if clean {
			r.restart()
		} else {
			r.kill()
		}
		if got := r.copies(); len(got) != 3 {
			t.Errorf("clean %v: on their way: %q", clean, got)
		}
		r.throttle("1000000000")
		r.w.Run(30 * time.Second)
		for p := range int32(3) {
			r.wantHome("t", p, "d/b")
			r.wantAll("t", p, want[p])
		}
	}
}
