package twin

import "github.com/twmb/franz-go/pkg/kmsg"

// offsetEdges are ListOffsets requests that name a partition twice, and the epoch of time.
func (t *talk) offsetEdges() error {
	return t.each(kmsg.ListOffsets, func(v int16) error {
		for _, s := range []struct {
			name  string
			parts [][2]int64 // partition and timestamp
		}{
			{"a partition twice", [][2]int64{{0, -1}, {0, -2}}}, {"a partition twice, another once", [][2]int64{{0, -1}, {0, -2}, {1, -2}}},
			{"time zero", [][2]int64{{0, 0}}}, {"no partition", nil},
		} {
			req := versioned(kmsg.NewPtrListOffsetsRequest(), v)
			req.ReplicaID, req.TimeoutMillis = -1, 10000
			topic := kmsg.NewListOffsetsRequestTopic()
			topic.Topic = "records"
			for _, x := range s.parts {
				p := kmsg.NewListOffsetsRequestTopicPartition()
				p.Partition, p.CurrentLeaderEpoch, p.Timestamp = int32(x[0]), -1, x[1]
				topic.Partitions = append(topic.Partitions, p)
			}
			req.Topics = append(req.Topics, topic)
			if _, err := t.ask(s.name, req); err != nil {
				return err
			}
		}
		return nil
	})
}

// deletedRecords are DeleteRecords requests up to the high watermark and for topics that may not lose records this way.
func (t *talk) deletedRecords() error {
	if err := t.coordinator(); err != nil { // so that the offsets topic is there
		return err
	}
	return t.each(kmsg.DeleteRecords, func(v int16) error {
		for _, s := range []struct {
			name, topic string
			offset      int64
		}{
			{"up to the high watermark", "records", -1}, {"up to the high watermark again", "records", -1}, {"below the high watermark's sign", "records", -2},
			{"an internal topic", "__consumer_offsets", -1}, {"a compacted topic, high watermark", "compacted", -1},
			{"a topic compacted and deleted", "both", 0}, {"a bad name", "bad name", 0},
		} {
			req := versioned(kmsg.NewPtrDeleteRecordsRequest(), v)
			req.TimeoutMillis = 20000
			topic := kmsg.NewDeleteRecordsRequestTopic()
			topic.Topic = s.topic
			p := kmsg.NewDeleteRecordsRequestTopicPartition()
			p.Offset = s.offset
			topic.Partitions = append(topic.Partitions, p)
			req.Topics = append(req.Topics, topic)
			if _, err := t.ask(s.name, req); err != nil {
				return err
			}
		}
		return nil
	})
}

// describeEdges are DescribeProducers and DescribeLogDirs requests about nothing and about what is not there.
func (t *talk) describeEdges() error {
	for _, s := range []struct {
		name, topic string
		partitions  []int32
	}{{"an unknown topic", "unknown", []int32{0}}, {"no partition", "records", nil}, {"a bad name", "bad name", []int32{0}}, {"a negative partition", "records", []int32{-1}}} {
		req := kmsg.NewPtrDescribeProducersRequest()
		topic := kmsg.NewDescribeProducersRequestTopic()
		topic.Topic, topic.Partitions = s.topic, s.partitions
		req.Topics = append(req.Topics, topic)
		if _, err := t.ask(s.name, req); err != nil {
			return err
		}
	}
	return t.each(kmsg.DescribeLogDirs, func(v int16) error {
		none := versioned(kmsg.NewPtrDescribeLogDirsRequest(), v)
		none.Topics = []kmsg.DescribeLogDirsRequestTopic{}
		if _, err := t.ask("no topic", none); err != nil {
			return err
		}
		unknown := versioned(kmsg.NewPtrDescribeLogDirsRequest(), v)
		topic := kmsg.NewDescribeLogDirsRequestTopic()
		topic.Topic, topic.Partitions = "unknown", []int32{0}
		unknown.Topics = append(unknown.Topics, topic)
		_, err := t.ask("an unknown topic", unknown)
		return err
	})
}
