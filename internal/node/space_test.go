package node

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/world"
)

const volumeBytes = 16 << 20

// boundedRig is a rig on a volume of 16 MiB, of which one is the reserve.
func boundedRig(t *testing.T, settings ...string) *rig {
	r := unbooted(t, append([]string{"log.segment.bytes", "1048576", "log.retention.check.interval.ms", "3600000"}, settings...)...)
	r.logs.info = true
	r.volume = disk.NewBounded(r.fs, volumeBytes)
	r.boot()
	return r
}

// fillUp produces until it is refused, and returns the values that were acknowledged.
func (r *rig) fillUp(topic string) (want []string) {
	r.t.Helper()
	for i := range 1000 {
		v := fmt.Sprint(i, strings.Repeat("x", 100_000))
		p := r.write(topic, 0, plain(v))
		if p.ErrorCode == 0 {
			want = append(want, v)
			continue
		}
		wantCode(r.t, p.ErrorCode, kafka.ErrKafkaStorageError)
		if p.ErrorMessage == nil || !strings.Contains(*p.ErrorMessage, "data") || !strings.Contains(*p.ErrorMessage, "bytes") {
			r.t.Errorf("message %v names no directory or bytes", p.ErrorMessage)
		}
		return want
	}
	r.t.Fatal("the volume never fills")
	return nil
}

// reads returns everything of a topic's only partition.
func (r *rig) reads(topic string) (got []string) {
	r.t.Helper()
	for {
		p := r.read(topic, 0, int64(len(got)))
		wantCode(r.t, p.ErrorCode, kafka.ErrNone)
		if len(p.RecordBatches) == 0 {
			return got
		}
		got = append(got, values(r.t, p.RecordBatches)...)
	}
}

func (r *rig) wantRecords(topic string, want []string) {
	r.t.Helper()
	if got := r.reads(topic); strings.Join(got, " ") != strings.Join(want, " ") {
		r.t.Fatalf("%d records are read, %d were acknowledged", len(got), len(want))
	}
}

// S6: on a full disk clients' records are refused, everything else goes on, and records are taken again by themselves.
func TestFullDisk(t *testing.T) {
	r := boundedRig(t)
	r.create("a", 1)
	r.coordinate("g")
	want := r.fillUp("a")
	r.said("The log directory data is full")
	if n := len(want); n < 120 {
		t.Errorf("only %d records found room", n)
	}
	for i := range 200 { // groups go on
		r.commit("g", "a", 0, int64(i))
		if got := r.committed("a", 0); got != int64(i) {
			t.Fatalf("committed %d, want %d", got, i)
		}
	}
	r.create("b", 3) // so does administration
	wantCode(t, r.write("b", 0, plain("x")).ErrorCode, kafka.ErrKafkaStorageError)
	r.w.Run(3 * time.Minute) // and what happens now and then
	r.wantRecords("a", want)
	if d := (gauges{r.n}).dirs()[0]; !d.Full || d.ReserveBytes >= volumeBytes/16 {
		t.Errorf("the metrics say %+v", d)
	}
	r.kill() // a restart on the full disk
	r.wantRecords("a", want)
	wantCode(t, r.write("a", 0, plain("x")).ErrorCode, kafka.ErrKafkaStorageError)
	r.restart()
	r.wantRecords("a", want)

	r.volume.Resize(2 * volumeBytes)
	r.w.Run(3 * time.Second)
	r.said("has room again")
	for _, v := range []string{"after", "all"} {
		wantCode(t, r.write("a", 0, plain(v)).ErrorCode, kafka.ErrNone)
		want = append(want, v)
	}
	wantCode(t, r.write("b", 0, plain("x")).ErrorCode, kafka.ErrNone)
	r.wantRecords("a", want)
	r.restart()
	r.wantRecords("a", want)
	if e, err := r.fs.Stat("data/" + disk.ReserveFile); err != nil || e.Size != volumeBytes/8 {
		t.Errorf("the reserve is %+v, %v", e, err)
	}
}

// A deleted topic's files go at once when the disk is full, so that deleting is the way out.
func TestFullDiskDelete(t *testing.T) {
	for _, way := range []string{"topic", "records", "retention", "before"} {
		t.Run(way, func(t *testing.T) {
			r := boundedRig(t)
			r.create("a", 1)
			r.create("b", 1)
			r.create("c", 1)
			for range 20 {
				wantCode(t, r.write("c", 0, plain(strings.Repeat("x", 100_000))).ErrorCode, kafka.ErrNone)
			}
			if way == "before" {
				r.deleteTopic("c") // its files wait out file.delete.delay.ms
			}
			r.fillUp("a")
			switch way {
			case "topic":
				r.deleteTopic("a")
			case "records":
				r.deleteRecords("a")
				r.w.Run(time.Hour + time.Minute) // until retention looks
			case "retention":
				r.alterWants(kafka.ErrNone, kmsg.ConfigResourceTypeTopic, "a", "=retention.bytes=1048576")
				r.w.Run(time.Hour + time.Minute)
			}
			r.w.Run(3 * time.Second)
			r.said("has room again")
			wantCode(t, r.write("b", 0, plain("x")).ErrorCode, kafka.ErrNone)
		})
	}
}

func (r *rig) deleteTopic(name string) {
	r.t.Helper()
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TimeoutMillis, req.TopicNames = 5, 1000, []string{name}
	wantCode(r.t, ask[*kmsg.DeleteTopicsResponse](r, req).Topics[0].ErrorCode, kafka.ErrNone)
}

func (r *rig) deleteRecords(topic string) {
	r.t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Version, req.TimeoutMillis = 2, 1000
	tt := kmsg.NewDeleteRecordsRequestTopic()
	tt.Topic = topic
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Offset = -1
	tt.Partitions = append(tt.Partitions, p)
	req.Topics = append(req.Topics, tt)
	wantCode(r.t, ask[*kmsg.DeleteRecordsResponse](r, req).Topics[0].Partitions[0].ErrorCode, kafka.ErrNone)
}

// Retries of an idempotent producer's batch that was written are answered on a full disk, too: the batch is there.
func TestFullDiskAnswersRetries(t *testing.T) {
	r := boundedRig(t)
	r.create("a", 1)
	first := idempotent(1000, 0, 0, "x")
	wantCode(t, r.write("a", 0, bytes.Clone(first)).ErrorCode, kafka.ErrNone)
	r.fillUp("a")
	again := r.write("a", 0, first)
	wantCode(t, again.ErrorCode, kafka.ErrNone)
	if again.BaseOffset != 0 {
		t.Errorf("the retry is at offset %d", again.BaseOffset)
	}
}

// A start on a full directory hears of that before it has any replica; retention looks at them once there are some.
func TestAFullDirectoryBeforeThereAreReplicas(t *testing.T) {
	r := boundedRig(t, "log.retention.bytes", "4194304", "log.segment.delete.delay.ms", "0")
	r.create("a", 1)
	for range 80 {
		wantCode(t, r.write("a", 0, plain(strings.Repeat("x", 100_000))).ErrorCode, kafka.ErrNone)
	}
	r.volume.Resize(8 << 20)
	r.kill()
	r.w.Run(3 * time.Second) // retention looks once an hour, and when the directory becomes full
	r.said("is full")
	r.said("has room again")
	wantCode(t, r.write("a", 0, plain("after")).ErrorCode, kafka.ErrNone)
}

// Topics that are made on a full disk don't use up what deleting needs: they are refused, the node goes on and starts again.
func TestFullDiskRefusesTopicsBeforeItsReserveIsGone(t *testing.T) {
	r := boundedRig(t)
	r.create("a", 1)
	r.coordinate("g")
	want := r.fillUp("a")
	make := func(name string) kmsg.CreateTopicsResponseTopic {
		req := kmsg.NewPtrCreateTopicsRequest()
		req.Version, req.TimeoutMillis = 7, 1000
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 100, 1
		req.Topics = append(req.Topics, topic)
		return ask[*kmsg.CreateTopicsResponse](r, req).Topics[0]
	}
	made := 0
	for ; made < 1000; made++ {
		got := make(fmt.Sprint("t", made))
		if got.ErrorCode == 0 {
			continue
		}
		wantCode(t, got.ErrorCode, kafka.ErrKafkaStorageError)
		if got.ErrorMessage == nil || !strings.Contains(*got.ErrorMessage, "reserve") {
			t.Errorf("the message is %v", got.ErrorMessage)
		}
		break
	}
	if made < 10 || made == 1000 {
		t.Fatalf("%d topics were made", made)
	}
	r.kill()
	wantCode(t, make("more").ErrorCode, kafka.ErrKafkaStorageError)
	r.commit("g", "a", 0, 1)
	r.wantRecords("a", want)
	for i := range made {
		r.deleteTopic(fmt.Sprint("t", i))
	}
	r.deleteTopic("a")
	r.w.Run(3 * time.Second)
	r.said("has room again")
	wantCode(t, make("more").ErrorCode, kafka.ErrNone)
}

// A start without room for the note of its incarnation does not register: it would lose its place with the next. It does so once there
// is room, and when that comes too late it fails and says what to do.
func TestAStartWithoutRoomForItsNoteWaits(t *testing.T) {
	for _, late := range []bool{false, true} {
		r := newRig(t)
		r.create("a", 1)
		r.faulty, r.sick = disk.NewFaulty(r.fs), []disk.Fault{{Op: disk.OpWrite, Path: ".milena-incarnations", Err: disk.ErrNoSpace}}
		r.proc.Kill()
		r.fs = r.fs.Killed()
		r.proc = world.NewProcess(r.w)
		ready := make(chan error, 1)
		n, err := Start(r.options(), func(err error) { ready <- err })
		if err != nil {
			t.Fatal(err)
		}
		if r.w.RunUntil(30*time.Second, func() bool { return len(ready) > 0 }) {
			t.Fatalf("it is ready, or gave up: %v", <-ready)
		}
		for b := range n.feed.Image().Brokers() {
			if !b.Fenced && b.Incarnation == n.session.incarnation {
				t.Error("it is registered")
			}
		}
		r.said("The broker does not register")
		if !late {
			r.faulty.Heal()
		}
		if !r.w.RunUntil(time.Minute, func() bool { return len(ready) > 0 }) {
			t.Fatal("it waits for ever")
		}
		err = <-ready
		if !late && err != nil {
			t.Errorf("there is room, and it starts not: %v", err)
		}
		if late && (err == nil || !strings.Contains(err.Error(), "log directory data is full") || !strings.Contains(err.Error(), "free some")) {
			t.Errorf("it fails with %v", err)
		}
	}
}
