package node

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// A node that starts from a snapshot of the metadata log shows what one shows that read every record.
func TestAStartFromASnapshotShowsTheSame(t *testing.T) {
	r := newRig(t, "metadata.log.max.record.bytes.between.snapshots", "500", "metadata.max.retention.bytes", "1000", "metadata.log.segment.bytes", "8388608")
	for n := range 20 {
		r.create(fmt.Sprintf("t%02d", n), 3, "retention.ms", fmt.Sprint(1000+n))
	}
	name := "t07"
	wantCode(t, ask[*kmsg.DeleteTopicsResponse](r, deletion(6, kmsg.DeleteTopicsRequestTopic{Topic: &name})).Topics[0].ErrorCode, kafka.ErrNone)
	r.alterWants(kafka.ErrNone, ofBroker, "", "=log.retention.bytes=12345")
	show := func() string {
		out := ""
		for _, topic := range ask[*kmsg.MetadataResponse](r, asking(12)).Topics {
			out += fmt.Sprintf("%s %x %d %s\n", *topic.Topic, topic.TopicID, len(topic.Partitions), *r.config(ofTopic, *topic.Topic, "retention.ms").Value)
		}
		return out + *r.config(ofBroker, "1", "log.retention.bytes").Value
	}
	before := show()
	r.w.Run(10 * time.Second)
	snapshots := 0
	entries, err := r.fs.List("data/__cluster_metadata-0")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name, ".checkpoint") && !strings.HasPrefix(e.Name, "00000000000000000000-") {
			snapshots++
		}
	}
	if snapshots == 0 {
		t.Fatal("no snapshot was taken")
	}
	for _, again := range []struct {
		how string
		do  func()
	}{{"kill -9", r.kill}, {"a clean restart", r.restart}} {
		again.do()
		if after := show(); after != before {
			t.Errorf("after %s:\n%s\nbefore:\n%s", again.how, after, before)
		}
	}
	wantCode(t, r.write("t03", 2, plain("x")).ErrorCode, kafka.ErrNone)
}
