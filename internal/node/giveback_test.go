package node

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/world"
)

// A node whose disk failed cannot be closed cleanly, but closing it gives back what it holds: the next one takes the same
// directory in the same process.
func TestNodeOfAFailedDiskGivesItsDirectoryBack(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	wantCode(t, r.write("a", 0, plain("kept")).ErrorCode, kafka.ErrNone)
	r.restart()
	r.proc.Kill()
	r.fs = r.fs.Killed()
	faulty := disk.NewFaulty(r.fs)
	proc := world.NewProcess(r.w)
	started, failed := false, false
	n, err := Start(Options{
		World: proc, FS: faulty, Values: config.Values{Scope: config.Broker, Set: r.set}, Logger: slog.New(r.logs),
		Failed: func(error) { failed = true },
	}, func(error) { started = true })
	if err != nil {
		t.Fatal(err)
	}
	r.w.RunUntil(time.Minute, func() bool { return started })
	r.n, r.proc = n, proc
	r.main = r.connect("PLAINTEXT")
	faulty.Add(disk.Fault{Op: disk.OpWrite, Path: "a-0", Err: disk.ErrNoSpace})
	if code := kafka.ErrorCode(r.write("a", 0, plain("lost")).ErrorCode); code == kafka.ErrNone {
		t.Fatal("a record that was not written is acknowledged")
	}
	r.w.RunUntil(time.Minute, func() bool { return failed })
	var end error
	stopped := false
	n.Stop(func(err error) { end, stopped = err, true })
	if !r.w.RunUntil(time.Minute, func() bool { return stopped }) || !errors.Is(end, disk.ErrNoSpace) {
		t.Fatalf("stopped %v: %v", stopped, end)
	}
	r.boot() // refused while the directory is locked
	if got := r.read("a", 0, 0).HighWatermark; got != 1 {
		t.Errorf("%d records are there", got)
	}
}

// What is asked for a thousand times in one request is answered once: the answer would be ten thousand times the question.
func TestRepeatedQuestionsAreAnsweredOnce(t *testing.T) {
	r := newRig(t)
	configs := kmsg.NewPtrDescribeConfigsRequest()
	configs.Version, configs.IncludeDocumentation, configs.IncludeSynonyms = 4, true, true
	groups := kmsg.NewPtrDescribeGroupsRequest()
	groups.Version = 5
	offsets := kmsg.NewPtrOffsetFetchRequest()
	offsets.Version = 9
	for range 1000 {
		c := kmsg.NewDescribeConfigsRequestResource()
		c.ResourceType, c.ResourceName = kmsg.ConfigResourceTypeBroker, "1"
		configs.Resources = append(configs.Resources, c)
		groups.Groups = append(groups.Groups, "g")
		o := kmsg.NewOffsetFetchRequestGroup()
		o.Group = "g"
		offsets.Groups = append(offsets.Groups, o)
	}
	if n := len(ask[*kmsg.DescribeConfigsResponse](r, configs).Resources); n != 1 {
		t.Errorf("%d answers about one broker", n)
	}
	if n := len(ask[*kmsg.DescribeGroupsResponse](r, groups).Groups); n != 1 {
		t.Errorf("%d answers about one group", n)
	}
	if n := len(ask[*kmsg.OffsetFetchResponse](r, offsets).Groups); n != 1 {
		t.Errorf("%d answers about all offsets of one group", n)
	}
}
