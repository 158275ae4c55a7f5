package node

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/staterecord"
)

// A leader that was away from the metadata hears in one change that min.insync.replicas was raised and that the ISR has shrunk, or the
// other way round that the ISR has grown and min.insync.replicas was lowered. In between it must not commit alone what the others lack:
// the controller goes on counting on them.
func TestAMinISRThatWasRaisedCountsBeforeAnISRThatShrank(t *testing.T) {
	text := func(s string) *string { return &s }
	minISR := func(n string) staterecord.Record {
		return &staterecord.Config{ResourceType: staterecord.ResourceTopic, ResourceName: "t", Name: "min.insync.replicas", Value: text(n)}
	}
	both, alone := []kafka.NodeID{1, 2}, []kafka.NodeID{1}
	for _, c := range []struct {
		name     string
		isr      []kafka.NodeID // before
		min      string
		then     []kafka.NodeID
		thenMin  string
		advances bool
	}{
		{"raised while the ISR shrank", both, "1", alone, "2", false},
		{"lowered while the ISR grew", alone, "2", both, "1", false},
		{"only the ISR shrank", both, "1", alone, "1", true},
		{"only lowered", alone, "2", alone, "1", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			id := kafka.TopicID{0, 0, 0, 7}
			now := r.applies(r.n.feed.Image(), &staterecord.Topic{Name: "t", TopicID: id}, minISR(c.min),
				&staterecord.Partition{TopicID: id, Replicas: both, ISR: c.isr, Leader: 1, Directories: make([]kafka.DirectoryID, 2)})
			p := must.Get(r.n.replicas.ByName(kafka.TopicPartition{Topic: "t"}))
			wantCode(t, askOn[*kmsg.ProduceResponse](r.connect("PLAINTEXT"), producing("t", 0, 1, plain("v"))).Topics[0].Partitions[0].ErrorCode, kafka.ErrNone)
			r.rest() // until it is durable here
			if s := p.Standing(); s.High != 0 || s.End != 1 {
				t.Fatalf("before the change the high watermark is %d of %d", s.High, s.End)
			}
			moved := staterecord.NewPartitionChange(id, 0)
			moved.ISR = c.then
			r.applies(now, minISR(c.thenMin), moved)
			if got := p.Standing().High == 1; got != c.advances {
				t.Errorf("the high watermark moved: %t", got)
			}
		})
	}
}
