package node

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// The words of refusals in these files are Apache Kafka 4.3.1's, as it answered the same requests.

// wanting is one topic to create and what is to come of it.
type wanting struct {
	what       string
	topic      kmsg.CreateTopicsRequestTopic
	code       kafka.ErrorCode
	why        string
	partitions int32
}

func newTopic(name string, partitions int32, replicas int16, configs ...string) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, replicas
	for i := 0; i < len(configs); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = configs[i], &configs[i+1]
		t.Configs = append(t.Configs, c)
	}
	return t
}

func assigned(t kmsg.CreateTopicsRequestTopic, partition int32, replicas ...int32) kmsg.CreateTopicsRequestTopic {
	a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
	a.Partition, a.Replicas = partition, replicas
	t.ReplicaAssignment = append(t.ReplicaAssignment, a)
	return t
}

func (r *rig) creates(version int16, validate bool, topics ...kmsg.CreateTopicsRequestTopic) []kmsg.CreateTopicsResponseTopic {
	r.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis, req.ValidateOnly, req.Topics = version, 5000, validate, topics
	return ask[*kmsg.CreateTopicsResponse](r, req).Topics
}

func TestCreateTopicsOneByOne(t *testing.T) {
	r := newRig(t)
	r.create("have", 1)
	r.create("dot.ted", 1)
	null := newTopic("x", 1, 1, "retention.ms", "1")
	null.Configs[0].Value = nil
	by := func(partitions int32, replicas int16) kmsg.CreateTopicsRequestTopic {
		return newTopic("x", partitions, replicas)
	}
	const invalid, assignment = kafka.ErrInvalidRequest, kafka.ErrInvalidReplicaAssignment
	for _, version := range []int16{2, 7} {
		for _, w := range []wanting{
			{"no value of a config", null, kafka.ErrInvalidConfig, "Null value not supported for topic configs: retention.ms", 0},
			{"replicas and assignment", assigned(by(-1, 1), 0, 1), invalid, "A manual partition assignment was specified, but replication factor was not set to -1.", 0},
			{"partitions and assignment", assigned(by(1, -1), 0, 1), invalid, "A manual partition assignment was specified, but numPartitions was not set to -1.", 0},
			{"assigned to nobody", assigned(by(-1, -1), 0), assignment, "The manual partition assignment includes an empty replica list.", 0},
			{"assigned twice to one broker", assigned(by(-1, -1), 0, 1, 1), assignment, "The manual partition assignment includes the broker 1 more than once.", 0},
			{"assigned to an unknown broker", assigned(by(-1, -1), 0, 9), assignment, "The manual partition assignment includes broker 9, but no such broker is registered.", 0},
			{"assigned with a gap", assigned(by(-1, -1), 1, 1), assignment, "partitions should be a consecutive 0-based integer sequence", 0},
			{"a partition assigned twice", assigned(assigned(by(-1, -1), 0, 1), 0, 1), assignment, "Found multiple manual partition assignments for partition 0", 0},
			{"assigned, in any order", assigned(assigned(assigned(by(-1, -1), 2, 1), 0, 1), 1, 1), 0, "", 3},
			{"the metadata log", newTopic("__cluster_metadata", 1, 1), invalid, "Creation of internal topic __cluster_metadata is prohibited.", 0},
			{"an internal topic", newTopic("__transaction_state", 2, 1), 0, "", 2},
			{"there already", newTopic("have", 1, 1), kafka.ErrTopicAlreadyExists, "Topic 'have' already exists.", 0},
			{"collides", newTopic("dot_ted", 1, 1), kafka.ErrInvalidTopicException, "Topic 'dot_ted' collides with existing topic: dot.ted", 0},
			{"no partitions", by(0, 1), kafka.ErrInvalidPartitions, "Number of partitions was set to an invalid non-positive value.", 0},
			{"fewer than the default", by(-2, 1), kafka.ErrInvalidPartitions, "Number of partitions was set to an invalid non-positive value.", 0},
			{"no replicas", by(1, 0), kafka.ErrInvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.", 0},
			{"more replicas than brokers", by(1, 2), kafka.ErrInvalidReplicationFactor, "Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned.", 0},
			{"an unknown config before the count", newTopic("x", 0, 1, "no.such.key", "1"), kafka.ErrInvalidConfig, "Unknown topic config name: no.such.key", 0},
			{"lags that cross", newTopic("x", 1, 1, "min.compaction.lag.ms", "10", "max.compaction.lag.ms", "5"), kafka.ErrInvalidConfig,
				"conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)", 0},
			{"tiered", newTopic("x", 1, 1, "remote.storage.enable", "true"), kafka.ErrInvalidConfig,
				"Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.", 0},
			{"the defaults", by(-1, -1), 0, "", 1},
		} {
			got := r.creates(version, true, w.topic)
			if len(got) != 1 {
				t.Fatalf("v%d %s: %d answers", version, w.what, len(got))
			}
			why := ""
			if got[0].ErrorMessage != nil {
				why = *got[0].ErrorMessage
			}
			if kafka.ErrorCode(got[0].ErrorCode) != w.code || why != w.why {
				t.Errorf("v%d %s: %v %q, want %v %q", version, w.what, kafka.ErrorCode(got[0].ErrorCode), why, w.code, w.why)
			}
			switch known := version >= 5; {
			case known && w.code == 0 && (got[0].NumPartitions != w.partitions || got[0].ReplicationFactor != 1):
				t.Errorf("v%d %s: %d partitions of %d replicas", version, w.what, got[0].NumPartitions, got[0].ReplicationFactor)
			case known && w.code != 0 && (got[0].NumPartitions != -1 || got[0].ReplicationFactor != -1 || got[0].TopicID != [16]byte{} || len(got[0].Configs) > 0):
				t.Errorf("v%d %s: a refusal tells %+v", version, w.what, got[0])
			}
		}
	}
	if all := ask[*kmsg.MetadataResponse](r, kmsg.NewPtrMetadataRequest()); len(all.Topics) != 2 {
		t.Errorf("only validated, and there are %d topics", len(all.Topics))
	}
}

func TestCreateTopicsRefusesTooManyPartitionsAsAWhole(t *testing.T) {
	r := newRig(t)
	for _, got := range r.creates(7, false, newTopic("small", 1, 1), newTopic("large", 25_000, 1)) {
		wantCode(t, got.ErrorCode, kafka.ErrPolicyViolation)
	}
	got := r.creates(7, false, newTopic("bad name", 1, 1), newTopic("bad name", 1, 1), newTopic("__cluster_metadata", 1, 1), newTopic("__cluster_metadata", 1, 1))
	for _, c := range got {
		if kafka.ErrorCode(c.ErrorCode) != kafka.ErrInvalidRequest || *c.ErrorMessage != "Duplicate topic name." {
			t.Errorf("%s: %+v", c.Topic, c)
		}
	}
	if len(got) != 2 {
		t.Errorf("what is named twice is answered once, got %d", len(got))
	}
	if got := r.creates(7, false); len(got) != 0 {
		t.Errorf("nothing asked: %+v", got)
	}
}

// The names collide, but only with each other in one request: Apache Kafka makes both.
func TestCreateTopicsTellsTheConfigsOfTheNewTopic(t *testing.T) {
	r := newRig(t, "log.retention.ms", "777")
	for _, validate := range []bool{true, false} {
		got := r.creates(5, validate, newTopic("a.b", 1, 1, "segment.bytes", "2000000"), newTopic("a_b", 1, 1))
		for i, want := range []struct {
			value  string
			source int8
		}{{"2000000", 1}, {"1073741824", 5}} {
			wantCode(t, got[i].ErrorCode, kafka.ErrNone)
			for key, set := range map[string]struct {
				value  string
				source int8
			}{"segment.bytes": want, "retention.ms": {"777", 4}} {
				j := slices.IndexFunc(got[i].Configs, func(c kmsg.CreateTopicsResponseTopicConfig) bool { return c.Name == key })
				if j < 0 || *got[i].Configs[j].Value != set.value || got[i].Configs[j].Source != set.source {
					t.Errorf("validate %v, %s of topic %d: want %+v", validate, key, i, set)
				}
			}
		}
	}
}

func TestACreatedTopicTakesTheTimeItIsGiven(t *testing.T) {
	r := newRig(t)
	req := creation("a")
	req.TimeoutMillis = 0 // nobody commits in no time; the topic is made all the same
	got := ask[*kmsg.CreateTopicsResponse](r, req).Topics[0]
	if kafka.ErrorCode(got.ErrorCode) != kafka.ErrRequestTimedOut {
		t.Fatalf("%+v", got)
	}
	r.w.Run(1e9)
	wantCode(t, ask[*kmsg.CreateTopicsResponse](r, creation("a")).Topics[0].ErrorCode, kafka.ErrTopicAlreadyExists)
}
