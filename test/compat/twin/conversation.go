package twin

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// everything is the whole conversation. Later parts build on what earlier ones left.
func (t *talk) everything(ctx context.Context) error {
	for _, part := range []func() error{
		t.apiVersions, t.createTopics, t.metadata, t.createPartitions, t.describeTopicPartitions, t.initProducerID,
		t.produce, t.listOffsets, t.fetch, t.offsetForLeaderEpoch, t.describeProducers, t.deleteRecords, t.describeLogDirs,
		t.findCoordinator, t.groups, t.groupErrors, t.manageGroups, t.configs, t.listConfigResources, t.describeCluster, t.describeQuorum,
		t.updateFeatures, t.deleteTopics, t.wrongVersions,
	} {
		if err := part(); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (t *talk) apiVersions() error {
	return t.each(kmsg.ApiVersions, func(v int16) error {
		req := kmsg.NewPtrApiVersionsRequest()
		req.ClientSoftwareName, req.ClientSoftwareVersion = "twin", "1.0"
		if _, err := t.ask("good", versioned(req, v)); err != nil {
			return err
		}
		if v < 3 {
			return nil
		}
		bad := kmsg.NewPtrApiVersionsRequest()
		bad.ClientSoftwareName, bad.ClientSoftwareVersion = "not a valid name!", ""
		_, err := t.ask("bad software name", versioned(bad, v))
		return err
	})
}

// wrongVersions asks for versions no broker has. Kafka closes the connection, but answers ApiVersions.
func (t *talk) wrongVersions() error {
	for _, req := range []kmsg.Request{versioned(kmsg.NewPtrMetadataRequest(), 77), versioned(kmsg.NewPtrHeartbeatRequest(), 60)} {
		if _, err := t.ask("unknown version", req); err != nil {
			return err
		}
	}
	return nil
}

// fixed is a topic with its id.
type fixed struct {
	name string
	id   [16]byte
}

// lookup learns a topic's id without keeping the answer.
func (t *talk) lookup(name string) (fixed, error) {
	req := versioned(kmsg.NewPtrMetadataRequest(), 12)
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr(name)
	req.Topics = append(req.Topics, topic)
	for range 2000 {
		resp, err := t.exchange(req)
		if err != nil || resp == nil {
			return fixed{}, fmt.Errorf("metadata of %s: %v", name, err)
		}
		// Apache Kafka answers CreateTopics before its metadata shows the topic.
		if got := resp.(*kmsg.MetadataResponse).Topics[0]; got.ErrorCode == 0 && len(got.Partitions) > 0 && got.Partitions[0].Leader == 1 {
			return fixed{name, got.TopicID}, nil
		}
	}
	return fixed{}, fmt.Errorf("topic %s never shows", name)
}
