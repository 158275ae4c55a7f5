package twin

import "github.com/twmb/franz-go/pkg/kmsg"

const (
	ofNothing       = kmsg.ConfigResourceType(0)
	ofLogger        = kmsg.ConfigResourceType(8)
	ofClientMetrics = kmsg.ConfigResourceType(16)

	set        = kmsg.IncrementalAlterConfigOpSet
	remove     = kmsg.IncrementalAlterConfigOpDelete
	appendTo   = kmsg.IncrementalAlterConfigOpAppend
	subtractOf = kmsg.IncrementalAlterConfigOpSubtract
)

// change is one key of one resource.
type change struct {
	key   string
	op    kmsg.IncrementalAlterConfigOp
	value *string
}

// alteration is one request that changes configs of one resource.
type alteration struct {
	name     string
	kind     kmsg.ConfigResourceType
	resource string
	changes  []change
	times    int // how often the request names the resource
	validate bool
}

// alterations asks each of them incrementally and, where it is a plain set or delete, as the old AlterConfigs too, which
// is only validated.
func (t *talk) alterations() error {
	steps := append(topicAlterations(), otherAlterations()...)
	err := t.each(kmsg.IncrementalAlterConfigs, func(v int16) error {
		for _, s := range steps {
			if _, err := t.ask(s.name, s.incremental(v)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.each(kmsg.AlterConfigs, func(v int16) error {
		for _, s := range steps {
			// Apache Kafka never answers an AlterConfigs that names a resource twice.
			if s.times > 1 || (len(s.changes) > 0 && s.changes[0].op > remove) {
				continue
			}
			if _, err := t.ask(s.name, s.whole(v)); err != nil {
				return err
			}
		}
		return nil
	})
}

func topicAlterations() []alteration {
	s := kmsg.StringPtr
	return []alteration{
		{"a null value", ofTopic, "records", []change{{"retention.ms", set, nil}}, 1, false},
		{"a null to append", ofTopic, "records", []change{{"cleanup.policy", appendTo, nil}}, 1, false},
		{"a delete with a value", ofTopic, "records", []change{{"retention.ms", remove, s("x")}}, 1, false},
		{"a key twice", ofTopic, "records", []change{{"retention.ms", set, s("5")}, {"retention.ms", set, s("6")}}, 1, false},
		{"a resource twice", ofTopic, "records", []change{{"retention.ms", set, s("5")}}, 2, false},
		{"no change", ofTopic, "records", nil, 1, false},
		{"no resource", ofTopic, "records", nil, 0, false},
		{"the empty name", ofTopic, "", []change{{"retention.ms", set, s("5")}}, 1, false},
		{"a bad name", ofTopic, "bad name", []change{{"retention.ms", set, s("5")}}, 1, false},
		{"a delete of an unknown key", ofTopic, "records", []change{{"no.such", remove, nil}}, 1, false},
		{"an append of what is there", ofTopic, "records", []change{{"cleanup.policy", appendTo, s("delete")}}, 1, false},
		{"an append of a bad value", ofTopic, "records", []change{{"cleanup.policy", appendTo, s("burn")}}, 1, false},
		{"an append to an unknown key", ofTopic, "records", []change{{"no.such", appendTo, s("compact")}}, 1, false},
		{"a subtraction of what is not there", ofTopic, "records", []change{{"cleanup.policy", subtractOf, s("compact")}}, 1, false},
		{"a subtraction of all", ofTopic, "records", []change{{"cleanup.policy", subtractOf, s("delete")}}, 1, false},
	}
}

func otherAlterations() []alteration {
	s := kmsg.StringPtr
	return []alteration{
		{"the broker, an append", ofBroker, "1", []change{{"log.cleanup.policy", appendTo, s("compact")}}, 1, true},
		{"the broker, a bad value", ofBroker, "1", []change{{"log.retention.ms", set, s("soon")}}, 1, false},
		{"every broker, a key of a listener", ofBroker, "", []change{{"ssl.keystore.location", set, s("/x")}}, 1, false},
		{"the broker, a key of a listener", ofBroker, "1", []change{{"ssl.keystore.location", set, s("/x")}}, 1, true},
		{"the broker, several fixed", ofBroker, "1", []change{{"node.id", set, s("2")}, {"broker.id", set, s("2")}, {"log.retention.ms", set, s("2")}}, 1, false},
		{"the broker, an unknown key", ofBroker, "1", []change{{"my.plugin.key", set, s("2")}}, 1, false},
		{"a negative broker", ofBroker, "-1", []change{{"log.retention.ms", set, s("2")}}, 1, false},
		{"the broker, too many threads", ofBroker, "1", []change{{"num.io.threads", set, s("1000")}}, 1, true},
		{"the broker, too few threads", ofBroker, "1", []change{{"num.io.threads", set, s("1")}}, 1, true},
		{"a group", ofGroup, "g", []change{{"consumer.session.timeout.ms", set, s("50000")}}, 1, true},
		{"a group, a value too small", ofGroup, "g", []change{{"consumer.session.timeout.ms", set, s("1")}}, 1, true},
		{"a group, an unknown key", ofGroup, "g", []change{{"no.such", set, s("1")}}, 1, true},
		{"a group of the empty name", ofGroup, "", []change{{"consumer.session.timeout.ms", set, s("50000")}}, 1, true},
		{"client metrics", ofClientMetrics, "m", []change{{"interval.ms", set, s("5000")}}, 1, true},
		{"a logger", ofLogger, "1", []change{{"kafka.server.KafkaApis", set, s("INFO")}}, 1, true},
		{"kind 0", ofNothing, "x", []change{{"k", set, s("5000")}}, 1, true},
	}
}

func (a alteration) incremental(v int16) kmsg.Request {
	req := versioned(kmsg.NewPtrIncrementalAlterConfigsRequest(), v)
	req.ValidateOnly = a.validate
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = a.kind, a.resource
	for _, ch := range a.changes {
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Op, c.Value = ch.key, ch.op, ch.value
		r.Configs = append(r.Configs, c)
	}
	for range a.times {
		req.Resources = append(req.Resources, r)
	}
	return req
}

func (a alteration) whole(v int16) kmsg.Request {
	req := versioned(kmsg.NewPtrAlterConfigsRequest(), v)
	req.ValidateOnly = true
	r := kmsg.NewAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = a.kind, a.resource
	for _, ch := range a.changes {
		c := kmsg.NewAlterConfigsRequestResourceConfig()
		c.Name, c.Value = ch.key, ch.value
		r.Configs = append(r.Configs, c)
	}
	for range a.times {
		req.Resources = append(req.Resources, r)
	}
	return req
}
