package node

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
)

// said wants one line with all parts.
func (r *rig) said(parts ...string) {
	r.t.Helper()
	r.w.RunUntil(2*newsDelay, func() bool { return false })
	if got := r.logs.with(parts...); len(got) != 1 {
		r.t.Errorf("%q is told %d times:\n%s", parts, len(got), strings.Join(r.logs.all, "\n"))
	}
}

func purging(topic string, to map[int32]int64) *kmsg.DeleteRecordsRequest {
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Version, req.TimeoutMillis = 2, 1000
	t := kmsg.NewDeleteRecordsRequestTopic()
	t.Topic = topic
	for number := range to {
		p := kmsg.NewDeleteRecordsRequestTopicPartition()
		p.Partition, p.Offset = number, to[number]
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	return req
}

func TestWhatMakesAndDestroysDataIsTold(t *testing.T) {
	r := newRig(t, "log.retention.check.interval.ms", "1000", "log.segment.delete.delay.ms", "0")
	r.logs.info = true
	id := r.create("t", 3)
	r.said("INFO Created topic t ", "partitions=3", "topicId="+kafka.UUID(id).String())
	for p := range int32(3) {
		r.write("t", p, plain("a value"))
	}
	r.said("INFO Created log for 3 partitions of t")
	r.create("one", 1)
	r.write("one", 0, plain("a"))
	r.said("INFO Created log for one-0")
	ask[*kmsg.DeleteRecordsResponse](r, purging("one", map[int32]int64{0: 1}))
	r.said("INFO Incremented log start offset of one-0 due to DeleteRecords logStart=1")
	r.logs.forget()
	ask[*kmsg.DeleteRecordsResponse](r, purging("one", map[int32]int64{0: 1}))
	ask[*kmsg.DeleteRecordsResponse](r, purging("t", map[int32]int64{0: 1, 1: 1}))
	r.said("INFO Incremented log start offset of 2 partitions of t")
	if got := r.logs.with("log start offset of one-0"); len(got) > 0 {
		t.Errorf("nothing moved: %q", got)
	}
	r.create("short", 1, "retention.ms", "1")
	r.write("short", 0, plain("a value"))
	r.said("INFO Deleted 1 segment of short-0: 1 older than retention.ms", "logStart=1")
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TimeoutMillis, req.TopicNames = 5, 1000, []string{"t"}
	wantCode(t, ask[*kmsg.DeleteTopicsResponse](r, req).Topics[0].ErrorCode, kafka.ErrNone)
	r.said("INFO Deleted topic t ", "partitions=3")
	r.said("INFO Deleted log for 3 partitions of t")
	r.logs.forget()
	r.restart()
	for _, again := range []string{"Created", "Deleted", "Formatted", "cleanly", "Recovered"} {
		if got := r.logs.with(again); len(got) > 0 {
			t.Errorf("a clean restart tells of old things: %q", got)
		}
	}
}

func TestAnUncleanStopIsTold(t *testing.T) {
	r := newRig(t)
	r.create("t", 2)
	r.write("t", 0, plain("whole"))
	r.write("t", 1, plain("whole"))
	r.logs.info = true
	r.logs.forget()
	path := "data/t-1/00000000000000000000.log"
	r.proc.Kill()
	r.fs = r.fs.Killed()
	f, err := r.fs.Open(path, disk.Write)
	if err != nil {
		t.Fatal(err)
	}
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("torn"), size); err != nil {
		t.Fatal(err)
	}
	r.boot()
	r.said("WARN data was not shut down cleanly; recovering 3 logs")
	r.said("INFO Recovered the log of t-1: 4 bytes of what was being written were cut off", "end=1", "reason=")
	r.said("INFO Recovered 3 logs", "bytesCut=4", "failed=0")
	if got := r.logs.with("log of t-0"); len(got) > 0 {
		t.Errorf("nothing was cut: %q", got)
	}
}

// TestAShortRecoveryTellsNothing opens logs after an unclean stop; the gauge knows how many are left.
func TestAShortRecoveryTellsNothing(t *testing.T) {
	r := newRig(t)
	r.logs.info = true
	r.create("t", 3)
	r.logs.forget()
	all := r.n.replicas.All()
	r.n.upkeep.Recover(all)
	if left := r.n.Gauges().Standing().Dirs[0].Unrecovered; left != int64(len(all)) {
		t.Errorf("%d logs are to be recovered, the gauge says %d", len(all), left)
	}
	r.w.Run(time.Second)
	if left := r.n.Gauges().Standing().Dirs[0].Unrecovered; left != 0 {
		t.Errorf("%d logs are left when all are recovered", left)
	}
	if got := r.logs.with("Recovering logs"); len(got) != 0 {
		t.Errorf("a short recovery tells %q", got)
	}
}

func TestANewDirectoryIsTold(t *testing.T) {
	r := newRig(t, "listeners", "PLAINTEXT://one:9092,INTERNAL://two:9093,CONTROLLER://one:9094")
	r.logs.info = true
	r.proc.Kill()
	r.fs = r.fs.Killed()
	if err := r.fs.RemoveAll("data"); err != nil {
		t.Fatal(err)
	}
	r.boot()
	r.said("INFO Formatted data", "cluster="+r.n.ClusterID())
	if got := r.logs.with("Recovered"); len(got) > 0 {
		t.Errorf("there is nothing to recover: %q", got)
	}
}

func TestPendingNewsAreToldBeforeTheEnd(t *testing.T) {
	r := newRig(t)
	r.logs.info = true
	r.create("t", 1)
	r.write("t", 0, plain("a"))
	stopped := false
	r.n.Stop(func(error) { stopped = true })
	if !r.w.RunUntil(newsDelay/2, func() bool { return stopped }) {
		t.Fatal("the node doesn't stop")
	}
	if got := r.logs.with("Created log for t-0"); len(got) != 1 {
		t.Errorf("%q", r.logs.all)
	}
}
