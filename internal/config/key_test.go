package config

import (
	"testing"

	"github.com/milena-io/milena/internal/fault"
)

// The words are Apache Kafka 4.3.1's, as it answered.
func TestCheckOfTopicKeys(t *testing.T) {
	const form = " must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."
	for _, c := range []struct{ key, value, why string }{
		{"cleanup.policy", "delete,delete", ""},
		{"cleanup.policy", "delete, compact", ""},
		{"cleanup.policy", "", ""},
		{"cleanup.policy", "delete,,compact", "Configuration 'cleanup.policy' values must not be empty."},
		{"cleanup.policy", "burn", "Invalid value burn for configuration cleanup.policy: String must be one of: compact, delete"},
		{"cleanup.policy", "delete,burn", "Invalid value burn for configuration cleanup.policy: String must be one of: compact, delete"},
		{"compression.gzip.level", "-1", ""},
		{"compression.gzip.level", "9", ""},
		{"compression.gzip.level", "77", "Invalid value 77 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1"},
		{"compression.gzip.level", "0", "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1"},
		{"compression.gzip.level", "best", "Invalid value best for configuration compression.gzip.level: Not a number of type INT"},
		{"min.cleanable.dirty.ratio", "0.25", ""},
		{"min.cleanable.dirty.ratio", "1.5", "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1"},
		{"min.cleanable.dirty.ratio", "-1", "Invalid value -1 for configuration min.cleanable.dirty.ratio: Value must be at least 0"},
		{"min.cleanable.dirty.ratio", "half", "Invalid value half for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE"},
		{"leader.replication.throttled.replicas", "*", ""},
		{"leader.replication.throttled.replicas", "", ""},
		{"leader.replication.throttled.replicas", "0:1, 12:3", ""},
		{"leader.replication.throttled.replicas", "0-1", "Invalid value [0-1] for configuration leader.replication.throttled.replicas: leader.replication.throttled.replicas" + form},
		{"follower.replication.throttled.replicas", "0:1,*", "Invalid value [0:1, *] for configuration follower.replication.throttled.replicas: follower.replication.throttled.replicas" + form},
		{"preallocate", "TRUE", ""},
		{"preallocate", "maybe", "Invalid value maybe for configuration preallocate: Expected value to be either true or false"},
		{"retention.ms", " 100 ", ""},
		{"segment.bytes", "100", "Invalid value 100 for configuration segment.bytes: Value must be at least 1048576"},
		{"min.insync.replicas", "0", "Invalid value 0 for configuration min.insync.replicas: Value must be at least 1"},
	} {
		k, ok := Lookup(Topic, c.key)
		if !ok {
			t.Fatalf("no topic key %s", c.key)
		}
		got := ""
		if err := k.Check(c.value); err != nil {
			got = *fault.MessageOf(err)
		}
		if got != c.why {
			t.Errorf("%s=%s: %q, want %q", c.key, c.value, got, c.why)
		}
	}
}

// A broker's default for topics is held to the bounds that a topic's own value is: what Kafka checks once both are put together
// (LogConfig.validateValues), and KafkaConfig.validateValues.
func TestDefaultsOfTopicsAreBoundedAsTheyAre(t *testing.T) {
	for _, topic := range Keys(Topic) {
		for _, name := range topic.Synonyms {
			k, ok := Lookup(Broker, name)
			if !ok {
				t.Errorf("%s has the default %s, which is not a broker's key", topic.Name, name)
				continue
			}
			for _, v := range []string{"-9223372036854775808", "-2147483648", "-3", "-2", "-1", "0", "1", "3", "1000"} {
				if k.Check(v) == nil && topic.Check(v) != nil {
					t.Errorf("%s may be %s, and %s, of which it is the default, may not", name, v, topic.Name)
				}
			}
		}
	}
	for name, bad := range map[string]string{
		"log.roll.hours": "0", "log.roll.jitter.hours": "-1", "log.retention.ms": "0", "log.retention.minutes": "0", "log.retention.hours": "0",
		"log.cleaner.dedupe.buffer.size": "1048576",
	} {
		if k, _ := Lookup(Broker, name); k.Check(bad) == nil {
			t.Errorf("%s may be %s", name, bad)
		}
	}
	for _, good := range []string{"-1", "1"} {
		if k, _ := Lookup(Broker, "log.retention.ms"); k.Check(good) != nil {
			t.Errorf("log.retention.ms may not be %s", good)
		}
	}
}
