package twin

import "github.com/twmb/franz-go/pkg/kmsg"

const (
	ofTopic  = kmsg.ConfigResourceTypeTopic
	ofBroker = kmsg.ConfigResourceTypeBroker
	ofGroup  = kmsg.ConfigResourceType(32)
)

func (t *talk) describe(name string, v int16, kind kmsg.ConfigResourceType, resource string, keys []string) error {
	req := versioned(kmsg.NewPtrDescribeConfigsRequest(), v)
	req.IncludeSynonyms, req.IncludeDocumentation = v >= 2, false
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName, r.ConfigNames = kind, resource, keys
	req.Resources = append(req.Resources, r)
	_, err := t.ask(name, req)
	return err
}

func (t *talk) configs() error {
	for _, part := range []func() error{t.incrementalAlterConfigs, t.alterConfigs} {
		if err := part(); err != nil {
			return err
		}
	}
	return t.each(kmsg.DescribeConfigs, func(v int16) error {
		for _, step := range []struct {
			name     string
			kind     kmsg.ConfigResourceType
			resource string
			keys     []string
		}{
			{"a topic", ofTopic, "made-v7", nil}, {"two keys of a topic", ofTopic, "made-v7", []string{"retention.ms", "no.such.key", "cleanup.policy"}},
			{"an unknown topic", ofTopic, "unknown", nil}, {"the broker", ofBroker, "1", nil}, {"the default broker", ofBroker, "", nil},
			{"an unknown broker", ofBroker, "9", nil}, {"no broker", ofBroker, "one", nil}, {"no such kind", 77, "x", nil}, {"a group", ofGroup, "group-v1", nil},
		} {
			if err := t.describe(step.name, v, step.kind, step.resource, step.keys); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *talk) incrementalAlterConfigs() error {
	return t.each(kmsg.IncrementalAlterConfigs, func(v int16) error {
		for _, step := range []struct {
			name     string
			kind     kmsg.ConfigResourceType
			resource string
			key      string
			op       kmsg.IncrementalAlterConfigOp
			value    string
			validate bool
		}{
			{"set", ofTopic, "made-v7", "retention.ms", kmsg.IncrementalAlterConfigOpSet, "7200000", false},
			{"only validated", ofTopic, "made-v7", "retention.ms", kmsg.IncrementalAlterConfigOpSet, "1", true},
			{"append", ofTopic, "made-v7", "cleanup.policy", kmsg.IncrementalAlterConfigOpAppend, "compact", false},
			{"append to what is no list", ofTopic, "made-v7", "retention.ms", kmsg.IncrementalAlterConfigOpAppend, "5", false},
			{"subtract", ofTopic, "made-v7", "cleanup.policy", kmsg.IncrementalAlterConfigOpSubtract, "delete", false},
			{"delete", ofTopic, "made-v7", "cleanup.policy", kmsg.IncrementalAlterConfigOpDelete, "", false},
			{"an unknown key", ofTopic, "made-v7", "no.such.key", kmsg.IncrementalAlterConfigOpSet, "1", false},
			{"a bad value", ofTopic, "made-v7", "retention.ms", kmsg.IncrementalAlterConfigOpSet, "soon", false},
			{"a value too small", ofTopic, "made-v7", "segment.bytes", kmsg.IncrementalAlterConfigOpSet, "1", false},
			{"no such operation", ofTopic, "made-v7", "retention.ms", 9, "1", false},
			{"an unknown topic", ofTopic, "unknown", "retention.ms", kmsg.IncrementalAlterConfigOpSet, "1", false},
			{"the broker", ofBroker, "1", "log.cleaner.threads", kmsg.IncrementalAlterConfigOpSet, "2", false},
			{"every broker", ofBroker, "", "log.retention.ms", kmsg.IncrementalAlterConfigOpSet, "86400000", false},
			{"a read-only key", ofBroker, "1", "num.network.threads.max", kmsg.IncrementalAlterConfigOpSet, "2", false},
			{"a read-only key of the broker", ofBroker, "1", "log.dirs", kmsg.IncrementalAlterConfigOpSet, "/x", false},
			{"an unknown broker", ofBroker, "9", "log.retention.ms", kmsg.IncrementalAlterConfigOpSet, "1", false},
			{"no broker", ofBroker, "one", "log.retention.ms", kmsg.IncrementalAlterConfigOpSet, "1", false},
			{"no such kind", 77, "x", "log.retention.ms", kmsg.IncrementalAlterConfigOpSet, "1", false},
		} {
			req := versioned(kmsg.NewPtrIncrementalAlterConfigsRequest(), v)
			req.ValidateOnly = step.validate
			r := kmsg.NewIncrementalAlterConfigsRequestResource()
			r.ResourceType, r.ResourceName = step.kind, step.resource
			c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
			c.Name, c.Op = step.key, step.op
			if step.op != kmsg.IncrementalAlterConfigOpDelete {
				c.Value = kmsg.StringPtr(step.value)
			}
			r.Configs = append(r.Configs, c)
			req.Resources = append(req.Resources, r)
			if _, err := t.ask(step.name, req); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *talk) alterConfigs() error {
	return t.each(kmsg.AlterConfigs, func(v int16) error {
		for _, step := range []struct{ name, topic, key, value string }{{"set", "made-v6", "retention.ms", "9000000"},
			{"a bad value", "made-v6", "retention.ms", "soon"}, {"an unknown key", "made-v6", "no.such.key", "1"}, {"an unknown topic", "unknown", "retention.ms", "1"}} {
			req := versioned(kmsg.NewPtrAlterConfigsRequest(), v)
			r := kmsg.NewAlterConfigsRequestResource()
			r.ResourceType, r.ResourceName = ofTopic, step.topic
			c := kmsg.NewAlterConfigsRequestResourceConfig()
			c.Name, c.Value = step.key, kmsg.StringPtr(step.value)
			r.Configs = append(r.Configs, c)
			req.Resources = append(req.Resources, r)
			if _, err := t.ask(step.name, req); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *talk) listConfigResources() error {
	return t.each(kmsg.ListConfigResources, func(v int16) error {
		if _, err := t.ask("all", versioned(kmsg.NewPtrListConfigResourcesRequest(), v)); err != nil || v == 0 {
			return err
		}
		for name, kinds := range map[string][]int8{"topics": {2}} {
			req := versioned(kmsg.NewPtrListConfigResourcesRequest(), v)
			req.ResourceTypes = kinds
			if _, err := t.ask(name, req); err != nil {
				return err
			}
		}
		req := versioned(kmsg.NewPtrListConfigResourcesRequest(), v)
		req.ResourceTypes = []int8{77}
		_, err := t.ask("no such kind", req)
		return err
	})
}

func (t *talk) describeCluster() error {
	return t.each(kmsg.DescribeCluster, func(v int16) error {
		for _, kind := range []int8{1, 2, 9} {
			req := versioned(kmsg.NewPtrDescribeClusterRequest(), v)
			req.EndpointType, req.IncludeClusterAuthorizedOperations, req.IncludeFencedBrokers = kind, true, v >= 2
			if v == 0 && kind != 1 {
				continue
			}
			if _, err := t.ask(map[int8]string{1: "brokers", 2: "controllers", 9: "no such kind"}[kind], req); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *talk) describeQuorum() error {
	return t.each(kmsg.DescribeQuorum, func(v int16) error {
		for _, step := range []struct {
			name, topic string
			partition   int32
		}{{"metadata", "__cluster_metadata", 0}, {"another partition", "__cluster_metadata", 1}, {"another topic", "records", 0}} {
			req := versioned(kmsg.NewPtrDescribeQuorumRequest(), v)
			topic := kmsg.NewDescribeQuorumRequestTopic()
			topic.Topic = step.topic
			p := kmsg.NewDescribeQuorumRequestTopicPartition()
			p.Partition = step.partition
			topic.Partitions = append(topic.Partitions, p)
			req.Topics = append(req.Topics, topic)
			if _, err := t.ask(step.name, req); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *talk) updateFeatures() error {
	return t.each(kmsg.UpdateFeatures, func(v int16) error {
		for _, step := range []struct {
			name, feature string
			level         int16
			kind          int8
			validate      bool
		}{{"the level it has", "metadata.version", 30, 1, true}, {"too high", "metadata.version", 99, 1, false}, {"too low", "metadata.version", 1, 2, false},
			{"an unsafe step down", "metadata.version", 20, 2, true}, {"no such feature", "no.such.feature", 1, 1, false}} {
			req := versioned(kmsg.NewPtrUpdateFeaturesRequest(), v)
			req.TimeoutMillis, req.ValidateOnly = 20000, step.validate
			f := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
			f.Feature, f.MaxVersionLevel, f.UpgradeType, f.AllowDowngrade = step.feature, step.level, step.kind, step.kind == 2
			req.FeatureUpdates = append(req.FeatureUpdates, f)
			if v == 0 && step.validate {
				continue // v0 cannot only validate
			}
			if _, err := t.ask(step.name, req); err != nil {
				return err
			}
		}
		_, err := t.ask("nothing", versioned(kmsg.NewPtrUpdateFeaturesRequest(), v))
		return err
	})
}
