package node_test

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// A topic that a client's Metadata makes is in its answer, on whatever node it asks: that waits until it knows what the controller did.
func TestATopicMadeByMetadataIsInTheAnswer(t *testing.T) {
	c := newThree(t, 3)
	for i := range 30 {
		name := fmt.Sprintf("made-%d", i)
		req := kmsg.NewPtrMetadataRequest()
		req.Version, req.AllowAutoTopicCreation = 9, true
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = &name
		req.Topics = append(req.Topics, topic)
		got := ask[*kmsg.MetadataResponse](c, int32(i%3)+1, req).Topics[0]
		if code := kafka.ErrorCode(got.ErrorCode); code != kafka.ErrNone || len(got.Partitions) != 1 {
			t.Fatalf("%s on node %d: %v, %d partitions", name, i%3+1, code, len(got.Partitions))
		}
	}
}
