package twin

import "github.com/twmb/franz-go/pkg/kmsg"

// quorumEdges are DescribeQuorum requests that do not ask for the one partition there is.
func (t *talk) quorumEdges() error {
	partition := []kmsg.DescribeQuorumRequestTopicPartition{kmsg.NewDescribeQuorumRequestTopicPartition()}
	return t.each(kmsg.DescribeQuorum, func(v int16) error {
		for _, s := range []struct {
			name   string
			topics []kmsg.DescribeQuorumRequestTopic
		}{
			{"no topic", nil}, {"no partition", []kmsg.DescribeQuorumRequestTopic{{Topic: "__cluster_metadata"}}},
			{"two topics", []kmsg.DescribeQuorumRequestTopic{{Topic: "__cluster_metadata", Partitions: partition}, {Topic: "records", Partitions: partition}}},
		} {
			req := versioned(kmsg.NewPtrDescribeQuorumRequest(), v)
			req.Topics = s.topics
			if _, err := t.ask(s.name, req); err != nil {
				return err
			}
		}
		return nil
	})
}

// featureEdges are UpdateFeatures requests that are only validated: v0 cannot say so, and is left out.
func (t *talk) featureEdges() error {
	type update struct {
		name  string
		level int16
		kind  int8 // 1 upgrades, 2 downgrades safely, 3 unsafely
	}
	for v := int16(1); v <= ranges[int16(kmsg.UpdateFeatures)][1]; v++ {
		for _, s := range []struct {
			name    string
			updates []update
		}{
			{"a feature twice", []update{{"metadata.version", 30, 1}, {"metadata.version", 30, 1}}},
			{"two, one unknown", []update{{"metadata.version", 30, 1}, {"no.such", 1, 1}}},
			{"no such kind", []update{{"metadata.version", 30, 7}}}, {"kind 0", []update{{"metadata.version", 30, 0}}},
			{"level 0", []update{{"metadata.version", 0, 3}}}, {"a negative level", []update{{"metadata.version", -1, 1}}},
			{"kraft.version as it is", []update{{"kraft.version", 1, 1}}}, {"kraft.version down", []update{{"kraft.version", 0, 2}}},
			{"up by a downgrade", []update{{"metadata.version", 31, 2}}}, {"the same by a downgrade", []update{{"metadata.version", 30, 2}}},
			{"down by an upgrade", []update{{"metadata.version", 29, 1}}}, {"the empty name", []update{{"", 1, 1}}},
		} {
			req := versioned(kmsg.NewPtrUpdateFeaturesRequest(), v)
			req.TimeoutMillis, req.ValidateOnly = 20000, true
			for _, u := range s.updates {
				f := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
				f.Feature, f.MaxVersionLevel, f.UpgradeType = u.name, u.level, u.kind
				req.FeatureUpdates = append(req.FeatureUpdates, f)
			}
			if _, err := t.ask(s.name, req); err != nil {
				return err
			}
		}
	}
	return nil
}
