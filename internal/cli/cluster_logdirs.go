package cli

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/wire"
)

// logDirsOf asks a broker for its log directories and what is in them: of some topics' partitions, or of all for none. With followers,
// one of ours tells of those of what it leads, too. Nobody is asked twice: a broker that does not answer is what is to be told.
func logDirsOf(ctx context.Context, c *kgo.Client, broker int32, partitions map[string][]int32, followers bool) ([]kmsg.DescribeLogDirsResponseDir, error) {
	req := kmsg.NewPtrDescribeLogDirsRequest()
	for topic, list := range partitions {
		t := kmsg.NewDescribeLogDirsRequestTopic()
		t.Topic, t.Partitions = topic, list
		req.Topics = append(req.Topics, t)
	}
	if followers {
		wire.AskForFollowers(req)
	}
	resp, err := c.Broker(int(broker)).Request(ctx, req)
	if err != nil {
		return nil, err
	}
	return resp.(*kmsg.DescribeLogDirsResponse).Dirs, nil
}
