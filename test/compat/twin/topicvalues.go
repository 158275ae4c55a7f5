package twin

import "github.com/twmb/franz-go/pkg/kmsg"

// topicValues are CreateTopics requests about single values of topic configs. Nothing is made.
func (t *talk) topicValues() error {
	null := newTopic("valued", 1, 1, "retention.ms", "")
	null.Configs[0].Value = nil
	return t.each(kmsg.CreateTopics, func(v int16) error {
		if err := t.create("a null value", v, true, null); err != nil {
			return err
		}
		for _, s := range []struct {
			name    string
			configs []string
		}{
			{"a key twice", []string{"retention.ms", "1", "retention.ms", "2"}},
			{"no replica in sync", []string{"min.insync.replicas", "0"}},
			{"compaction lags that cross", []string{"min.compaction.lag.ms", "10", "max.compaction.lag.ms", "5"}},
			{"a small segment", []string{"segment.bytes", "100"}},
			{"an empty policy", []string{"cleanup.policy", ""}},
			{"a policy twice", []string{"cleanup.policy", "delete,delete"}},
			{"a policy with a blank", []string{"cleanup.policy", "delete, compact"}},
			{"a policy with a gap", []string{"cleanup.policy", "delete,,compact"}},
			{"an unknown codec", []string{"compression.type", "brotli"}},
			{"a gzip level too high", []string{"compression.gzip.level", "77"}},
			{"no boolean", []string{"preallocate", "maybe"}},
			{"a boolean in capitals", []string{"preallocate", "TRUE"}},
			{"a number between blanks", []string{"retention.ms", " 100 "}},
			{"a ratio above one", []string{"min.cleanable.dirty.ratio", "1.5"}},
			{"remote storage", []string{"remote.storage.enable", "true"}},
			{"a local retention above the whole", []string{"retention.ms", "100", "local.retention.ms", "200"}},
			{"a removed format version", []string{"message.format.version", "2.0"}},
			{"a removed timestamp bound", []string{"message.timestamp.difference.max.ms", "1"}},
			{"throttled replicas, malformed", []string{"leader.replication.throttled.replicas", "0-1"}},
			{"throttled replicas, all", []string{"leader.replication.throttled.replicas", "*"}},
		} {
			if err := t.create(s.name, v, true, newTopic("valued", 1, 1, s.configs...)); err != nil {
				return err
			}
		}
		return nil
	})
}
