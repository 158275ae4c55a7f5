package twin

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// partitionEdges are CreatePartitions requests for base-v2, which has three. None of them adds one.
func (t *talk) partitionEdges() error {
	return t.each(kmsg.CreatePartitions, func(v int16) error {
		for _, s := range []struct {
			name, topic string
			count       int32
			assign      [][]int32 // null when nil
			validate    bool
			times       int
		}{
			{"to zero", "base-v2", 0, nil, false, 1}, {"to a negative count", "base-v2", -1, nil, false, 1},
			{"a topic twice", "base-v2", 9, nil, false, 2}, {"only validated", "base-v2", 9, nil, true, 1},
			{"far beyond the limit", "base-v2", 20000, nil, true, 1},
			{"too few assigned", "base-v2", 5, [][]int32{{1}}, false, 1}, {"too many assigned", "base-v2", 4, [][]int32{{1}, {1}}, false, 1},
			{"none assigned", "base-v2", 4, [][]int32{}, false, 1}, {"assigned to nobody", "base-v2", 4, [][]int32{{}}, false, 1},
			{"assigned to one twice", "base-v2", 4, [][]int32{{1, 1}}, false, 1}, {"shrink, assigned", "base-v2", 2, [][]int32{{1}}, false, 1},
			{"empty name", "", 2, nil, false, 1}, {"bad name", "bad name", 2, nil, false, 1}, {"the metadata topic", "__cluster_metadata", 2, nil, false, 1},
			{"no topic", "", 0, nil, false, 0},
		} {
			req := versioned(kmsg.NewPtrCreatePartitionsRequest(), v)
			req.ValidateOnly, req.TimeoutMillis = s.validate, 20000
			topic := kmsg.NewCreatePartitionsRequestTopic()
			topic.Topic, topic.Count = s.topic, s.count
			if s.assign != nil {
				topic.Assignment = []kmsg.CreatePartitionsRequestTopicAssignment{}
			}
			for _, replicas := range s.assign {
				a := kmsg.NewCreatePartitionsRequestTopicAssignment()
				a.Replicas = replicas
				topic.Assignment = append(topic.Assignment, a)
			}
			for range s.times {
				req.Topics = append(req.Topics, topic)
			}
			if _, err := t.ask(s.name, req); err != nil {
				return err
			}
		}
		return nil
	})
}

// cursors are DescribeTopicPartitions requests from odd cursors and with limits that end exactly at a topic.
func (t *talk) cursors() error {
	two := []string{"base-v2", "base-v4"}
	for _, s := range []struct {
		name   string
		limit  int32
		topic  string
		from   int32
		topics []string
	}{
		{"a negative cursor", 10, "base-v2", -1, two}, {"a negative cursor, every topic", 10, "base-v2", -1, nil},
		{"a cursor beyond the partitions", 10, "base-v2", 77, two}, {"a cursor at the count", 10, "base-v2", 3, two},
		{"a cursor on a missing topic", 10, "base-v2x", 1, two}, {"a cursor on a missing topic, every topic", 3, "base-v2x", 1, nil},
		{"a cursor on a missing topic that is asked", 10, "base-v2x", 1, []string{"base-v2", "base-v2x", "base-v4"}},
		{"a cursor after all", 10, "zzz", 1, two}, {"a cursor after all, every topic", 10, "zzz", 1, nil}, {"a cursor on the empty name", 10, "", 0, two},
		{"a limit at the first's end", 3, "", 0, two}, {"a limit at the last's end", 6, "base-v2", 0, two},
		{"a limit before an unknown", 3, "base-v2", 0, []string{"base-v2", "unknown"}},
		{"a limit before a bad name", 3, "base-v2", 0, []string{"base-v2", "zbad name"}},
		{"a limit of zero", 0, "base-v2", 0, two}, {"a limit below zero", -5, "base-v2", 0, two},
		{"a topic twice", 10, "base-v2", 1, []string{"base-v2", "base-v2"}}, {"bad names", 10, "", 0, []string{"bad name", "unknown", ""}},
		{"out of order", 100, "", 0, []string{"base-v7", "base-v2", "unknown", "base-v4"}},
	} {
		req := kmsg.NewPtrDescribeTopicPartitionsRequest()
		req.ResponsePartitionLimit = s.limit
		for _, name := range s.topics {
			topic := kmsg.NewDescribeTopicPartitionsRequestTopic()
			topic.Topic = name
			req.Topics = append(req.Topics, topic)
		}
		c := kmsg.NewDescribeTopicPartitionsRequestCursor()
		c.Topic, c.Partition = s.topic, s.from
		req.Cursor = &c
		resp, err := t.ask(s.name, req)
		if err != nil {
			return err
		}
		if resp == nil {
			continue
		}
		var order []string // a cursor means something only in the order of names
		for _, topic := range resp.(*kmsg.DescribeTopicPartitionsResponse).Topics {
			name := "null"
			if topic.Topic != nil {
				name = *topic.Topic
			}
			order = append(order, name)
		}
		t.note("order of topics", fmt.Sprintf("%q", order))
	}
	return nil
}
