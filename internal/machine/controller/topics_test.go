package controller

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

func topic(name string, partitions int32, replicas int16, configs ...string) NewTopic {
	n := NewTopic{ID: topicID(name), Name: name, Partitions: partitions, Replicas: replicas}
	for _, c := range configs {
		key, value, ok := strings.Cut(c, "=")
		set := ConfigSet{Name: key}
		if ok {
			set.Value = &value
		}
		n.Configs = append(n.Configs, set)
	}
	return n
}

func assigned(name string, partitions ...Assigned) NewTopic {
	return NewTopic{ID: topicID(name), Name: name, Partitions: -1, Replicas: -1, Assignment: partitions}
}

func (l *lab) create(topics ...NewTopic) []CreatedTopic {
	l.t.Helper()
	return l.must(CreateTopics{Topics: topics}).([]CreatedTopic)
}

// created creates topics that must succeed.
func (l *lab) created(topics ...NewTopic) {
	l.t.Helper()
	for _, c := range l.create(topics...) {
		if !c.OK() {
			l.t.Fatalf("topic %q: %s %s", c.Name, c.Code, c.Message)
		}
	}
}

func refusedAs(t *testing.T, got Problem, code kafka.ErrorCode, message string) {
	t.Helper()
	if got.Code != code || got.Message != message {
		t.Errorf("%s %q\nwant %s %q", got.Code, got.Message, code, message)
	}
}

func TestCreateTopicIsRefused(t *testing.T) {
	const (
		name       = kafka.ErrInvalidTopicException
		config     = kafka.ErrInvalidConfig
		assignment = kafka.ErrInvalidReplicaAssignment
		factor     = kafka.ErrInvalidReplicationFactor
	)
	long := strings.Repeat("x", 250)
	both := assigned("n", Assigned{0, nodes(1)})
	both.Replicas = 1
	counted := assigned("n", Assigned{0, nodes(1)})
	counted.Partitions = 1
	zero := topic("n", 1, 1)
	zero.ID = kafka.TopicID{}
	for _, c := range []struct {
		topic   NewTopic
		code    kafka.ErrorCode
		message string
	}{
		{topic("", 1, 1), name, "Topic name is invalid: the empty string is not allowed"},
		{topic("..", 1, 1), name, "Topic name is invalid: '..' is not allowed"},
		{topic(long, 1, 1), name, "Topic name is invalid: the length of '" + long + "' is longer than the max allowed length 249"},
		{topic("a/b", 1, 1), name, "Topic name is invalid: 'a/b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"},
		{topic("a_b.c", 1, 1), name, "Topic 'a_b.c' collides with existing topic: a.b_c"},
		{topic("__cluster_metadata", 1, 1), kafka.ErrTopicAuthorizationFailed, "Topic '__cluster_metadata' is the metadata log of the cluster."},
		{topic("a.b_c", 0, 0), kafka.ErrTopicAlreadyExists, "Topic 'a.b_c' already exists."},
		{zero, kafka.ErrUnknownServerError, "The topic id AAAAAAAAAAAAAAAAAAAAAA cannot be given to a topic."},
		{topic("n", 1, 1, "nope=1"), config, "Unknown topic config name: nope"},
		{topic("n", 0, 0, "segment.bytes", "retention.ms"), config, "Null value not supported for topic configs: segment.bytes,retention.ms"},
		{topic("n", 1, 1, "retention.ms=soon"), config, "Invalid value soon for configuration retention.ms: Not a number of type LONG"},
		{topic("n", 1, 1, "min.insync.replicas=0"), config, "Invalid value 0 for configuration min.insync.replicas: Value must be at least 1"},
		{topic("n", 1, 1, "cleanup.policy=shred"), config, "Invalid value shred for configuration cleanup.policy: String must be one of: compact, delete"},
		{topic("n", 1, 1, "min.compaction.lag.ms=5", "max.compaction.lag.ms=4"), config,
			"conflict topic config setting min.compaction.lag.ms (5) > max.compaction.lag.ms (4)"},
		{topic("n", 1, 1, "remote.storage.enable=true"), config,
			"Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."},
		{topic("n", 1, 1, "follower.replication.throttled.replicas="+strings.Repeat("1:1,", 9000)), config,
			"The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes."},
		{topic("n", 0, 0), factor, "Replication factor must be larger than 0, or -1 to use the default value."},
		{topic("n", 0, 1), kafka.ErrInvalidPartitions, "Number of partitions was set to an invalid non-positive value."},
		{topic("n", 1, 4), factor, "Unable to replicate the partition 4 time(s): The target replication factor of 4 cannot be reached " +
			"because only 3 broker(s) are registered or some brokers have all their log directories cordoned."},
		{both, kafka.ErrInvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1."},
		{counted, kafka.ErrInvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1."},
		{assigned("n", Assigned{0, nil}), assignment, "The manual partition assignment includes an empty replica list."},
		{assigned("n", Assigned{0, nodes(1, 9)}), assignment, "The manual partition assignment includes broker 9, but no such broker is registered."},
		{assigned("n", Assigned{0, nodes(1, 1)}), assignment, "The manual partition assignment includes the broker 1 more than once."},
		{assigned("n", Assigned{0, nodes(1)}, Assigned{1, nodes(1, 2)}), assignment, "The manual partition assignment includes a partition " +
			"with 2 replica(s), but this is not consistent with previous partitions, which have 1 replica(s)."},
		{assigned("n", Assigned{0, nodes(1)}, Assigned{0, nodes(2)}), assignment, "Found multiple manual partition assignments for partition 0"},
		{assigned("n", Assigned{0, nodes(1)}, Assigned{2, nodes(2)}), assignment, "partitions should be a consecutive 0-based integer sequence"},
		{assigned("n", Assigned{0, nodes(3)}), assignment,
			"All brokers specified in the manual partition assignment for partition 0 are fenced or in controlled shutdown."},
	} {
		t.Run(c.topic.Name+"/"+c.message[:min(20, len(c.message))], func(t *testing.T) {
			l := newLab(t)
			l.start(1, 2)
			l.must(registration(3, 1)) // stays fenced
			l.created(topic("a.b_c", 1, 1))
			refusedAs(t, l.create(c.topic)[0].Problem, c.code, c.message)
			if len(l.last) != 0 {
				t.Errorf("%d records of a refused topic", len(l.last))
			}
		})
	}
}

func TestOneBadTopicDoesNotStopTheOthers(t *testing.T) {
	l := newLab(t)
	l.start(1)
	got := l.create(topic("bad name", 1, 1), topic("good", 2, 1), topic("twice", 1, 1), topic("twice", 1, 1))
	for i, want := range []kafka.ErrorCode{kafka.ErrInvalidTopicException, kafka.ErrNone, kafka.ErrInvalidRequest, kafka.ErrInvalidRequest} {
		if got[i].Code != want {
			t.Errorf("topic %d: %s, want %s", i, got[i].Code, want)
		}
	}
	if l.m.Committed().TopicCount() != 1 || l.m.Committed().TopicNamed("good").Len() != 2 {
		t.Errorf("%d topics", l.m.Committed().TopicCount())
	}
}

func TestCreateTopicsWritesKafkasRecords(t *testing.T) {
	l := newLab(t)
	l.start(1)
	two := registration(2, 1)
	two.LogDirs = append(two.LogDirs, kafka.DirectoryID{0: 0xef})
	l.must(two)
	l.beat(2)
	l.must(registration(3, 1)) // fenced
	n := assigned("t", Assigned{1, nodes(3, 2)}, Assigned{0, nodes(2, 1)})
	n.Configs = topic("t", 0, 0, "retention.ms=5", "cleanup.policy=compact").Configs
	got := l.create(n)[0]
	if !got.OK() || got.Partitions != 2 || got.Replicas != 2 || got.ID != n.ID {
		t.Fatalf("%+v", got)
	}
	var types []string
	for _, r := range l.last {
		types = append(types, r.Type().String())
	}
	if want := []string{"TopicRecord", "ConfigRecord", "ConfigRecord", "PartitionRecord", "PartitionRecord"}; !slices.Equal(types, want) {
		t.Fatalf("records %v", types)
	}
	if c := l.last[1].(*staterecord.Config); c.Name != "cleanup.policy" || *c.Value != "compact" || c.ResourceName != "t" {
		t.Errorf("first config %+v", c)
	}
	l.expect("t", 0, "replicas [2 1] isr [2 1] leader 2 epoch 0.0")
	l.expect("t", 1, "replicas [3 2] isr [2] leader 2 epoch 0.0")
	if p := l.last[3].(*staterecord.Partition); fmt.Sprint(p.Directories) != fmt.Sprint([]kafka.DirectoryID{{}, dirOf(1)}) {
		t.Errorf("directories %v: broker 2 has two, broker 1 one", p.Directories)
	}
}

func TestDefaultsAndPlacement(t *testing.T) {
	l := newLab(t)
	l.m.o.DefaultPartitions, l.m.o.DefaultReplicas = 6, 3
	l.start(1, 2, 3)
	l.created(topic("t", -1, -1))
	leads := map[kafka.NodeID]int{}
	for id, p := range l.m.Committed().TopicNamed("t").Partitions() {
		if len(p.Replicas()) != 3 || p.Leader != p.Preferred() {
			t.Errorf("partition %d: %s", id, l.partition("t", id))
		}
		leads[p.Leader]++
	}
	if len(leads) != 3 || leads[1] != 2 {
		t.Errorf("leaders %v of 6 partitions on 3 brokers", leads)
	}
}

func TestValidateOnlyWritesNothing(t *testing.T) {
	l := newLab(t)
	l.start(1)
	got := l.must(CreateTopics{ValidateOnly: true, Topics: []NewTopic{topic("t", 3, 1)}}).([]CreatedTopic)
	if !got[0].OK() || got[0].Partitions != 3 || len(l.last) != 0 {
		t.Errorf("%+v, %d records", got[0], len(l.last))
	}
	l.created(topic("t", 1, 1))
	grown := l.must(CreatePartitions{ValidateOnly: true, Topics: []GrowTopic{{Name: "t", Count: 2}}}).([]GrownTopic)
	if !grown[0].OK() || len(l.last) != 0 {
		t.Errorf("%+v, %d records", grown[0], len(l.last))
	}
}

func TestExcessiveRequestsAreRefusedWhole(t *testing.T) {
	l := newLab(t)
	l.start(1)
	l.refused(CreateTopics{Topics: []NewTopic{topic("a", 25_000, 1), topic("b", 1, 1)}}, kafka.ErrPolicyViolation,
		"Excessively large number of partitions per request.")
	l.refused(CreateTopics{Topics: []NewTopic{topic("a", 25_000, 1)}}, kafka.ErrPolicyViolation,
		"Unable to perform excessively large batch operation.")
	l.created(topic("a", 24_999, 1))
	grown := l.must(CreatePartitions{Topics: []GrowTopic{{Name: "a", Count: 1 << 30}}}).([]GrownTopic)
	refusedAs(t, grown[0].Problem, kafka.ErrPolicyViolation, "Unable to perform excessively large batch operation.")
}

func TestNamesCollideOnlyInDotsAndUnderscores(t *testing.T) {
	l := newLab(t)
	l.start(1)
	l.created(topic("a.b.c", 1, 1), topic("a.b", 1, 1), topic("x_y", 1, 1), topic("plain", 1, 1))
	for name, want := range map[string]string{
		"a_b_c": "a.b.c", "a.b_c": "a.b.c", "a_b": "a.b", "x.y": "x_y", "a-b": "", "a_b_d": "", "a_b_": "", "x_y_": "", "plain_": "",
	} {
		got, _ := colliding(l.m.Committed(), "", name)
		if got != want {
			t.Errorf("%s collides with %q, want %q", name, got, want)
		}
	}
}

func TestDeleteTopics(t *testing.T) {
	l := newLab(t)
	l.start(1)
	l.created(topic("a", 1, 1, "retention.ms=5"), topic("b", 2, 1), topic("c", 1, 1))
	got := l.must(DeleteTopics{Topics: []TopicRef{
		{Name: "a"}, {ID: topicID("b")}, {Name: "none"}, {ID: topicID("none")}, {Name: "c"}, {ID: topicID("c")},
	}}).([]DeletedTopic)
	const twice = "The provided topic name maps to an ID that was already supplied."
	for i, want := range []struct {
		name    string
		code    kafka.ErrorCode
		message string
	}{
		{"a", kafka.ErrNone, ""}, {"b", kafka.ErrNone, ""},
		{"none", kafka.ErrUnknownTopicOrPartition, "This server does not host this topic-partition."},
		{"", kafka.ErrUnknownTopicId, "This server does not host this topic ID."},
		{"c", kafka.ErrInvalidRequest, twice}, {"c", kafka.ErrInvalidRequest, twice},
	} {
		refusedAs(t, got[i].Problem, want.code, want.message)
		if got[i].Name != want.name {
			t.Errorf("result %d is named %q, want %q", i, got[i].Name, want.name)
		}
	}
	img := l.m.Committed()
	if img.TopicCount() != 1 || img.TopicNamed("c") == nil {
		t.Errorf("%d topics left", img.TopicCount())
	}
	for r := range img.Resources() {
		if r == image.ClusterDefaults {
			continue // min.insync.replicas of all
		}
		t.Errorf("configs of %v outlived their topic", r)
	}
	again := topic("a", 1, 1)
	again.ID[0] = 9
	l.created(again)
}

func TestCreatePartitions(t *testing.T) {
	grow := func(name string, count int32, assignment ...[]kafka.NodeID) GrowTopic {
		return GrowTopic{Name: name, Count: count, Assignment: assignment}
	}
	const invalid, assignment = kafka.ErrInvalidPartitions, kafka.ErrInvalidReplicaAssignment
	for _, c := range []struct {
		grow    GrowTopic
		code    kafka.ErrorCode
		message string
	}{
		{grow("none", 3), kafka.ErrUnknownTopicOrPartition, ""},
		{grow("t", 2), invalid, "Topic already has 2 partition(s)."},
		{grow("t", 1), invalid, "The topic t currently has 2 partition(s); 1 would not be an increase."},
		{grow("t", 4, nodes(1, 2)), assignment, "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."},
		{grow("t", 3, nodes(1)), assignment, "The manual partition assignment includes a partition with 1 replica(s), but this is not " +
			"consistent with previous partitions, which have 2 replica(s)."},
		{grow("t", 3, nodes(3, 4)), assignment,
			"All brokers specified in the manual partition assignment for partition 2 are fenced or in controlled shutdown."},
		{grow("t", 3, nodes(2, 3)), kafka.ErrNone, ""},
		{grow("t", 5), kafka.ErrNone, ""},
	} {
		t.Run(c.grow.Name+"/"+c.message[:min(20, len(c.message))], func(t *testing.T) {
			l := newLab(t)
			l.start(1, 2)
			l.must(registration(3, 1))
			l.must(registration(4, 1))
			l.created(topic("t", 2, 2))
			got := l.must(CreatePartitions{Topics: []GrowTopic{c.grow}}).([]GrownTopic)[0]
			refusedAs(t, got.Problem, c.code, c.message)
			if want := int(c.grow.Count) - 2; got.OK() && (len(l.last) != want || l.m.Committed().TopicNamed("t").Len() != int(c.grow.Count)) {
				t.Errorf("%d records, want %d", len(l.last), want)
			}
			if !got.OK() && len(l.last) != 0 {
				t.Errorf("%d records of a refused topic", len(l.last))
			}
		})
	}
}
