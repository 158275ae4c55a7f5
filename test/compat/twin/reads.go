package twin

import "github.com/twmb/franz-go/pkg/kmsg"

func (t *talk) listOffsets() error {
	return t.each(kmsg.ListOffsets, func(v int16) error {
		for _, step := range []struct {
			name      string
			topic     string
			partition int32
			epoch     int32
			timestamp int64
			least     int16
		}{
			{"latest", "records", 0, -1, -1, 1}, {"earliest", "records", 0, -1, -2, 1}, {"max timestamp", "records", 0, -1, -3, 7},
			{"earliest local", "records", 0, -1, -4, 8}, {"latest tiered", "records", 0, -1, -5, 9}, {"earliest pending upload", "records", 0, -1, -6, 11},
			{"an old time", "records", 0, -1, 1, 1}, {"a time to come", "records", 0, -1, 1 << 50, 1}, {"no such special", "records", 0, -1, -77, 1},
			{"max timestamp before its version", "records", 0, -1, -3, 1}, {"unknown topic", "unknown", 0, -1, -1, 1},
			{"unknown partition", "records", 9, -1, -1, 1}, {"the epoch", "records", 0, 0, -1, 4}, {"an epoch to come", "records", 0, 50, -1, 4},
			{"empty, latest", "made-v2", 0, -1, -1, 1}, {"empty, max timestamp", "made-v2", 0, -1, -3, 7}, {"empty, a time", "made-v2", 0, -1, 1, 1},
		} {
			if v < step.least {
				continue
			}
			for isolation := int8(0); isolation <= 1 && (isolation == 0 || v >= 2); isolation++ {
				req := versioned(kmsg.NewPtrListOffsetsRequest(), v)
				req.ReplicaID, req.IsolationLevel, req.TimeoutMillis = -1, isolation, 10000
				topic := kmsg.NewListOffsetsRequestTopic()
				topic.Topic = step.topic
				p := kmsg.NewListOffsetsRequestTopicPartition()
				p.Partition, p.CurrentLeaderEpoch, p.Timestamp = step.partition, step.epoch, step.timestamp
				topic.Partitions = append(topic.Partitions, p)
				req.Topics = append(req.Topics, topic)
				if _, err := t.ask(step.name, req); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// part is one partition of a Fetch.
type part struct {
	topic     fixed
	partition int32
	epoch     int32
	offset    int64
	maxBytes  int32
}

func fetchOf(v int16, parts ...part) *kmsg.FetchRequest {
	req := versioned(kmsg.NewPtrFetchRequest(), v)
	req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch = -1, 20, 1, 1<<20, -1
	for _, p := range parts {
		topic := kmsg.NewFetchRequestTopic()
		topic.Topic, topic.TopicID = p.topic.name, p.topic.id
		one := kmsg.NewFetchRequestTopicPartition()
		one.Partition, one.CurrentLeaderEpoch, one.FetchOffset, one.PartitionMaxBytes = p.partition, p.epoch, p.offset, p.maxBytes
		topic.Partitions = append(topic.Partitions, one)
		req.Topics = append(req.Topics, topic)
	}
	return req
}

func (t *talk) fetch() error {
	records, err := t.lookup("records")
	if err != nil {
		return err
	}
	unknown := fixed{"unknown", [16]byte{7}}
	return t.each(kmsg.Fetch, func(v int16) error {
		for _, step := range []struct {
			name string
			req  *kmsg.FetchRequest
		}{
			{"from the start", fetchOf(v, part{records, 0, -1, 0, 1 << 20})},
			{"the middle of a batch", fetchOf(v, part{records, 0, -1, 1, 1 << 20})},
			{"one byte at most", fetchOf(v, part{records, 0, -1, 0, 1})},
			{"a limit between two batches", fetchOf(v, part{records, 0, -1, 0, 250})},
			{"beyond the end", fetchOf(v, part{records, 0, -1, 1 << 40, 1 << 20})},
			{"below zero", fetchOf(v, part{records, 0, -1, -3, 1 << 20})},
			{"the epoch", fetchOf(v, part{records, 0, 0, 0, 1 << 20})},
			{"an epoch to come", fetchOf(v, part{records, 0, 40, 0, 1 << 20})},
			{"unknown topic", fetchOf(v, part{unknown, 0, -1, 0, 1 << 20})},
			{"unknown partition", fetchOf(v, part{records, 9, -1, 0, 1 << 20})},
			{"two partitions", fetchOf(v, part{records, 0, -1, 0, 1 << 20}, part{records, 1, -1, 0, 1 << 20})},
			{"an unknown session", session(v, 4711, 3, part{records, 0, -1, 0, 1 << 20})},
			{"a bad session epoch", session(v, 0, 5, part{records, 0, -1, 0, 1 << 20})},
		} {
			if _, err := t.ask(step.name, step.req); err != nil {
				return err
			}
		}
		if v < 7 {
			return nil
		}
		return t.fetchSession(v, records)
	})
}

func session(v int16, id, epoch int32, parts ...part) *kmsg.FetchRequest {
	req := fetchOf(v, parts...)
	req.SessionID, req.SessionEpoch = id, epoch
	return req
}

// fetchSession opens a session, fetches again without naming anything, forgets the partition and closes.
func (t *talk) fetchSession(v int16, records fixed) error {
	open := session(v, 0, 0, part{records, 1, -1, 0, 1 << 20})
	resp, err := t.ask("a session, first", open)
	if err != nil || resp == nil {
		return err
	}
	id := resp.(*kmsg.FetchResponse).SessionID
	forget := kmsg.NewFetchRequestForgottenTopic()
	forget.Topic, forget.TopicID, forget.Partitions = records.name, records.id, []int32{1}
	last := session(v, id, 3)
	last.ForgottenTopics = append(last.ForgottenTopics, forget)
	for _, step := range []struct {
		name string
		req  *kmsg.FetchRequest
	}{{"a session, again", session(v, id, 1)}, {"a session, at the end", session(v, id, 2, part{records, 1, -1, 4, 1 << 20})},
		{"a session, forgetting", last}, {"a session, closing", session(v, id, -1)}} {
		if _, err := t.ask(step.name, step.req); err != nil {
			return err
		}
	}
	return nil
}

func (t *talk) offsetForLeaderEpoch() error {
	return t.each(kmsg.OffsetForLeaderEpoch, func(v int16) error {
		for _, step := range []struct {
			name, topic          string
			partition, cur, want int32
		}{{"the epoch", "records", 0, -1, 0}, {"an epoch to come", "records", 0, -1, 9}, {"a wrong current epoch", "records", 0, 44, 0},
			{"no epoch", "records", 0, -1, -1}, {"unknown topic", "unknown", 0, -1, 0}, {"unknown partition", "records", 8, -1, 0}} {
			req := versioned(kmsg.NewPtrOffsetForLeaderEpochRequest(), v)
			req.ReplicaID = -1
			topic := kmsg.NewOffsetForLeaderEpochRequestTopic()
			topic.Topic = step.topic
			p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
			p.Partition, p.CurrentLeaderEpoch, p.LeaderEpoch = step.partition, step.cur, step.want
			topic.Partitions = append(topic.Partitions, p)
			req.Topics = append(req.Topics, topic)
			if _, err := t.ask(step.name, req); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *talk) describeProducers() error {
	req := kmsg.NewPtrDescribeProducersRequest()
	for name, partitions := range map[string][]int32{"records": {1, 9}} {
		topic := kmsg.NewDescribeProducersRequestTopic()
		topic.Topic, topic.Partitions = name, partitions
		req.Topics = append(req.Topics, topic)
	}
	_, err := t.ask("known and unknown", req)
	return err
}

func (t *talk) describeLogDirs() error {
	return t.each(kmsg.DescribeLogDirs, func(v int16) error {
		req := versioned(kmsg.NewPtrDescribeLogDirsRequest(), v)
		topic := kmsg.NewDescribeLogDirsRequestTopic()
		topic.Topic, topic.Partitions = "records", []int32{0, 1, 9}
		req.Topics = append(req.Topics, topic)
		if _, err := t.ask("one topic", req); err != nil {
			return err
		}
		_, err := t.ask("everything", versioned(kmsg.NewPtrDescribeLogDirsRequest(), v))
		return err
	})
}
