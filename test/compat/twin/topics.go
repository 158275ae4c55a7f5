package twin

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func newTopic(name string, partitions int32, replicas int16, configs ...string) kmsg.CreateTopicsRequestTopic {
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, replicas
	for i := 0; i+1 < len(configs); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = configs[i], kmsg.StringPtr(configs[i+1])
		topic.Configs = append(topic.Configs, c)
	}
	return topic
}

func (t *talk) create(name string, v int16, validate bool, topics ...kmsg.CreateTopicsRequestTopic) error {
	req := versioned(kmsg.NewPtrCreateTopicsRequest(), v)
	req.Topics, req.TimeoutMillis, req.ValidateOnly = topics, 20000, validate
	_, err := t.ask(name, req)
	return err
}

func (t *talk) createTopics() error {
	assigned := func(name string, partition int32, replicas ...int32) kmsg.CreateTopicsRequestTopic {
		topic := newTopic(name, -1, -1)
		a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		a.Partition, a.Replicas = partition, replicas
		topic.ReplicaAssignment = append(topic.ReplicaAssignment, a)
		return topic
	}
	err := t.each(kmsg.CreateTopics, func(v int16) error {
		made := fmt.Sprintf("made-v%d", v)
		for _, step := range []struct {
			name     string
			validate bool
			topics   []kmsg.CreateTopicsRequestTopic
		}{
			{"only validated", true, []kmsg.CreateTopicsRequestTopic{newTopic("validated", 3, 1)}},
			{"two", false, []kmsg.CreateTopicsRequestTopic{newTopic(made, 2, 1, "retention.ms", "3600000"), assigned(made+"-assigned", 0, 1)}},
			{"exists", false, []kmsg.CreateTopicsRequestTopic{newTopic(made, 2, 1)}},
			{"empty request", false, nil},
			{"twice in one request", false, []kmsg.CreateTopicsRequestTopic{newTopic("twice", 1, 1), newTopic("twice", 1, 1)}},
			{"bad name", false, []kmsg.CreateTopicsRequestTopic{newTopic("bad name", 1, 1)}},
			{"empty name", false, []kmsg.CreateTopicsRequestTopic{newTopic("", 1, 1)}},
			{"long name", false, []kmsg.CreateTopicsRequestTopic{newTopic(strings.Repeat("n", 250), 1, 1)}},
			{"dots", false, []kmsg.CreateTopicsRequestTopic{newTopic("..", 1, 1)}},
			{"collides", false, []kmsg.CreateTopicsRequestTopic{newTopic("made.v"+fmt.Sprint(v), 1, 1), newTopic(strings.ReplaceAll(made, "-", "_"), 1, 1)}},
			{"no partitions", false, []kmsg.CreateTopicsRequestTopic{newTopic("bad-count", 0, 1)}},
			{"no replicas", false, []kmsg.CreateTopicsRequestTopic{newTopic("bad-factor", 1, 0)}},
			{"too many replicas", false, []kmsg.CreateTopicsRequestTopic{newTopic("bad-factor", 1, 3)}},
			{"assigned to an unknown broker", false, []kmsg.CreateTopicsRequestTopic{assigned("bad-broker", 0, 9)}},
			{"assigned with a gap", false, []kmsg.CreateTopicsRequestTopic{assigned("bad-gap", 1, 1)}},
			{"unknown config", false, []kmsg.CreateTopicsRequestTopic{newTopic("bad-config", 1, 1, "no.such.key", "1")}},
			{"bad config value", false, []kmsg.CreateTopicsRequestTopic{newTopic("bad-config", 1, 1, "retention.ms", "soon")}},
			{"bad cleanup policy", false, []kmsg.CreateTopicsRequestTopic{newTopic("bad-config", 1, 1, "cleanup.policy", "burn")}},
			{"defaults", false, []kmsg.CreateTopicsRequestTopic{newTopic("default-v"+fmt.Sprint(v), -1, -1)}},
		} {
			if v < 4 && step.name == "defaults" {
				continue
			}
			if err := t.create(step.name, v, step.validate, step.topics...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := t.create("for records", 7, false, newTopic("records", 2, 1), newTopic("small", 1, 1, "max.message.bytes", "200"),
		newTopic("compacted", 1, 1, "cleanup.policy", "compact"), newTopic("stamped", 1, 1, "message.timestamp.type", "LogAppendTime")); err != nil {
		return err
	}
	for _, name := range []string{"records", "small", "compacted", "stamped", "made-v7", "default-v7"} {
		if _, err := t.lookup(name); err != nil {
			return err
		}
	}
	return nil
}

func (t *talk) metadata() error {
	known, err := t.lookup("made-v7")
	if err != nil {
		return err
	}
	return t.each(kmsg.Metadata, func(v int16) error {
		for _, step := range []struct {
			name   string
			least  int16
			topics []reference
		}{
			{"every topic", 1, nil},
			{"no topic", 0, []reference{}},
			{"one topic", 0, []reference{byName("made-v7")}},
			{"known and unknown", 0, []reference{byName("made-v6"), byName("unknown"), byName("bad name")}},
			{"by id", 12, []reference{byID(known.id)}},
			{"by an unknown id", 12, []reference{byID([16]byte{1, 2, 3})}},
		} {
			if v < step.least {
				continue
			}
			req := about(v, false, step.topics...)
			req.IncludeClusterAuthorizedOperations = v == 8
			if _, err := t.ask(step.name, req); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *talk) createPartitions() error {
	return t.each(kmsg.CreatePartitions, func(v int16) error {
		for _, step := range []struct {
			name, topic string
			count       int32
			assign      []int32
		}{
			{"grow", "made-v7", 3 + int32(v), nil},
			{"the same", "made-v7", 3 + int32(v), nil},
			{"shrink", "made-v7", 1, nil},
			{"unknown topic", "unknown", 4, nil},
			{"assigned", "made-v6", 3 + int32(v), []int32{1}},
			{"assigned to an unknown broker", "made-v5", 3, []int32{9}},
		} {
			req := versioned(kmsg.NewPtrCreatePartitionsRequest(), v)
			topic := kmsg.NewCreatePartitionsRequestTopic()
			topic.Topic, topic.Count = step.topic, step.count
			if step.assign != nil {
				a := kmsg.NewCreatePartitionsRequestTopicAssignment()
				a.Replicas = step.assign
				topic.Assignment = append(topic.Assignment, a)
			}
			req.Topics, req.TimeoutMillis = append(req.Topics, topic), 20000
			if _, err := t.ask(step.name, req); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *talk) describeTopicPartitions() error {
	for range 200 { // until the last of the new partitions has a leader
		if f, err := t.lookup("made-v7"); err != nil || f.name == "" {
			return err
		}
	}
	for _, step := range []struct {
		name   string
		limit  int32
		cursor int32
		topics []string
	}{{"two and an unknown", 100, -1, []string{"made-v2", "made-v3", "unknown"}}, {"limited", 1, -1, []string{"made-v2", "made-v3"}},
		{"from a cursor", 100, 1, []string{"made-v2", "made-v3"}}, {"every topic", 1000, -1, nil}} {
		req := kmsg.NewPtrDescribeTopicPartitionsRequest()
		req.ResponsePartitionLimit = step.limit
		for _, name := range step.topics {
			topic := kmsg.NewDescribeTopicPartitionsRequestTopic()
			topic.Topic = name
			req.Topics = append(req.Topics, topic)
		}
		if step.cursor >= 0 {
			c := kmsg.NewDescribeTopicPartitionsRequestCursor()
			c.Topic, c.Partition = "made-v2", step.cursor
			req.Cursor = &c
		}
		if _, err := t.ask(step.name, req); err != nil {
			return err
		}
	}
	return nil
}

func (t *talk) deleteTopics() error {
	return t.each(kmsg.DeleteTopics, func(v int16) error {
		var byID [16]byte
		if v == 6 {
			f, err := t.lookup("made-v6")
			if err != nil {
				return err
			}
			byID = f.id
		}
		req := versioned(kmsg.NewPtrDeleteTopicsRequest(), v)
		req.TimeoutMillis = 20000
		req.TopicNames = []string{fmt.Sprintf("made-v%d-assigned", max(v, 2)), "unknown"}
		for _, name := range req.TopicNames {
			topic := kmsg.NewDeleteTopicsRequestTopic()
			topic.Topic = kmsg.StringPtr(name)
			req.Topics = append(req.Topics, topic)
		}
		if v == 6 {
			for _, id := range [][16]byte{byID, {9, 9}} {
				topic := kmsg.NewDeleteTopicsRequestTopic()
				topic.TopicID = id
				req.Topics = append(req.Topics, topic)
			}
		}
		_, err := t.ask("known and unknown", req)
		return err
	})
}
