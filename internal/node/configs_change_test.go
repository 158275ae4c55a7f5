package node

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

const (
	ofTopic   = kmsg.ConfigResourceTypeTopic
	ofBroker  = kmsg.ConfigResourceTypeBroker
	ofGroup   = kmsg.ConfigResourceType(32)
	setKey    = kmsg.IncrementalAlterConfigOpSet
	deleteKey = kmsg.IncrementalAlterConfigOpDelete
	appendKey = kmsg.IncrementalAlterConfigOpAppend
	takeKey   = kmsg.IncrementalAlterConfigOpSubtract
)

// change is one key of a resource to change.
type change struct {
	key   string
	op    kmsg.IncrementalAlterConfigOp
	value *string
}

func changing(version int16, kind kmsg.ConfigResourceType, name string, changes ...change) *kmsg.IncrementalAlterConfigsRequest {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Version = version
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kind, name
	for _, ch := range changes {
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Op, c.Value = ch.key, ch.op, ch.value
		res.Configs = append(res.Configs, c)
	}
	req.Resources = append(req.Resources, res)
	return req
}

// replacing is the older request for the same.
func replacing(version int16, kind kmsg.ConfigResourceType, name string, changes ...change) *kmsg.AlterConfigsRequest {
	req := kmsg.NewPtrAlterConfigsRequest()
	req.Version = version
	res := kmsg.NewAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kind, name
	for _, ch := range changes {
		c := kmsg.NewAlterConfigsRequestResourceConfig()
		c.Name, c.Value = ch.key, ch.value
		res.Configs = append(res.Configs, c)
	}
	req.Resources = append(req.Resources, res)
	return req
}

func TestConfigChangesAreRefusedOneByOne(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	const invalid, config = kafka.ErrInvalidRequest, kafka.ErrInvalidConfig
	for _, c := range []struct {
		what    string
		kind    kmsg.ConfigResourceType
		name    string
		changes []change
		code    kafka.ErrorCode
		why     string
	}{
		{"no value", ofTopic, "a", []change{{"retention.ms", setKey, nil}}, invalid, "Null value not supported for : retention.ms"},
		{"nothing to append", ofTopic, "a", []change{{"cleanup.policy", appendKey, nil}}, invalid, "Null value not supported for : cleanup.policy"},
		{"a key twice", ofTopic, "a", []change{{"retention.ms", setKey, new("5")}, {"retention.ms", deleteKey, nil}}, invalid, "Error due to duplicate config keys"},
		{"an unknown key", ofTopic, "a", []change{{"no.such", setKey, new("1")}}, config, "Unknown topic config name: no.such"},
		{"a bad value", ofTopic, "a", []change{{"retention.ms", setKey, new("soon")}}, config, "Invalid value soon for configuration retention.ms: Not a number of type LONG"},
		{"appending to what is no list", ofTopic, "a", []change{{"retention.ms", appendKey, new("1")}}, config, "Can't APPEND to key retention.ms because its type is not LIST."},
		{"taking from what is no list", ofTopic, "a", []change{{"retention.ms", takeKey, new("1")}}, config, "Can't SUBTRACT to key retention.ms because its type is not LIST."},
		{"no topic", ofTopic, "", []change{{"retention.ms", setKey, new("5")}}, invalid, "Default topic resources are not allowed."},
		{"an unknown topic", ofTopic, "missing", []change{{"retention.ms", setKey, new("5")}}, kafka.ErrUnknownTopicOrPartition, "The topic 'missing' does not exist."},
		{"no integer", ofBroker, "one", []change{{"log.retention.ms", setKey, new("5")}}, invalid, "Node id must be an integer, but it is: one"},
		{"another broker", ofBroker, "-1", []change{{"log.retention.ms", setKey, new("5")}}, invalid, "Unexpected broker id, expected 1, but received -1"},
		{"a broker's bad value", ofBroker, "1", []change{{"log.retention.ms", setKey, new("soon")}}, invalid, "Invalid value soon for configuration log.retention.ms: Not a number of type LONG"},
		{"fixed keys before a bad value", ofBroker, "1", []change{{"log.retention.ms", setKey, new("soon")}, {"node.id", setKey, new("2")}, {"broker.id", setKey, new("2")}},
			invalid, "Cannot update these configs dynamically: [broker.id, node.id]"},
		{"one broker's key for all", ofBroker, "", []change{{"listeners", setKey, new("PLAINTEXT://x:1")}},
			invalid, "Cannot update these configs at default cluster level, broker id must be specified: [listeners]"},
		{"a listener's keys without its prefix", ofBroker, "1", []change{{"ssl.truststore.type", setKey, new("PEM")}, {"ssl.keystore.location", setKey, new("/x")}},
			invalid, "These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.location, ssl.truststore.type]"},
		{"a listener's key without its prefix, for all", ofBroker, "", []change{{"ssl.keystore.location", setKey, new("/x")}, {"log.retention.ms", setKey, new("soon")}},
			invalid, "These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.location]"},
		{"no group", ofGroup, "", []change{{"consumer.session.timeout.ms", setKey, new("50000")}}, invalid, "Default group resources are not allowed."},
		{"a group's unknown key", ofGroup, "g", []change{{"no.such", setKey, new("1")}}, config, "Unknown group config name: no.such"},
		{"log levels", 8, "1", []change{{"kafka", setKey, new("DEBUG")}}, invalid,
			"The broker's loggers cannot be described or changed: log levels are set with --log-level when it is started"},
		{"an unknown kind", 0, "x", []change{{"k", setKey, new("1")}}, invalid, "Unknown resource type 0"},
		{"deleting what isn't set", ofTopic, "a", []change{{"retention.ms", deleteKey, new("ignored")}}, 0, ""},
		{"deleting an unknown key", ofTopic, "a", []change{{"no.such", deleteKey, nil}}, 0, ""},
		{"taking what isn't there", ofTopic, "a", []change{{"cleanup.policy", takeKey, new("compact")}}, 0, ""},
		{"a plugin's key", ofBroker, "1", []change{{"my.plugin.key", setKey, new("1")}}, 0, ""},
		{"nothing", ofTopic, "a", nil, 0, ""},
	} {
		for version := range int16(2) {
			got := ask[*kmsg.IncrementalAlterConfigsResponse](r, changing(version, c.kind, c.name, c.changes...)).Resources
			if len(got) != 1 || kafka.ErrorCode(got[0].ErrorCode) != c.code || said(got[0].ErrorMessage) != c.why || got[0].ResourceType != c.kind || got[0].ResourceName != c.name {
				t.Errorf("v%d %s: %+v, want %v %q", version, c.what, got, c.code, c.why)
			}
		}
		if len(c.changes) == 0 || c.changes[0].op != setKey {
			continue
		}
		for _, version := range []int16{0, 2} {
			req := replacing(version, c.kind, c.name, c.changes...)
			req.ValidateOnly = true
			got := ask[*kmsg.AlterConfigsResponse](r, req).Resources
			if len(got) != 1 || kafka.ErrorCode(got[0].ErrorCode) != c.code || said(got[0].ErrorMessage) != c.why {
				t.Errorf("v%d replaced, %s: %+v, want %v %q", version, c.what, got, c.code, c.why)
			}
		}
	}
}

func TestConfigChangesOfSeveralResources(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	r.create("b", 1)
	req := changing(1, ofTopic, "a", change{"retention.ms", setKey, new("5")})
	req.Resources = append(req.Resources, changing(1, ofTopic, "missing", change{"retention.ms", setKey, new("5")}).Resources[0],
		changing(1, ofTopic, "b", change{"retention.ms", setKey, new("6")}).Resources[0], req.Resources[0])
	got := ask[*kmsg.IncrementalAlterConfigsResponse](r, req).Resources
	want := []kafka.ErrorCode{kafka.ErrInvalidRequest, kafka.ErrUnknownTopicOrPartition, kafka.ErrNone, kafka.ErrInvalidRequest}
	for i, code := range want {
		if len(got) != len(want) || kafka.ErrorCode(got[i].ErrorCode) != code {
			t.Fatalf("%+v, want %v", got, want)
		}
	}
	if said(got[0].ErrorMessage) != "Each resource must appear at most once." {
		t.Errorf("%q", said(got[0].ErrorMessage))
	}
	for name, want := range map[string]string{"a": "604800000", "b": "6"} {
		if c := r.config(ofTopic, name, "retention.ms"); *c.Value != want {
			t.Errorf("%s keeps its records for %s ms, want %s", name, *c.Value, want)
		}
	}
}

func TestGroupConfigsAreKept(t *testing.T) {
	r := newRig(t)
	for _, ch := range []change{{"consumer.session.timeout.ms", setKey, new("50000")}, {"consumer.heartbeat.interval.ms", setKey, new("6000")}} {
		wantCode(t, ask[*kmsg.IncrementalAlterConfigsResponse](r, changing(1, ofGroup, "g", ch)).Resources[0].ErrorCode, kafka.ErrNone)
	}
	if c := r.config(ofGroup, "g", "consumer.session.timeout.ms"); *c.Value != "50000" || int8(c.Source) != 8 {
		t.Errorf("%+v", c)
	}
	wantCode(t, ask[*kmsg.AlterConfigsResponse](r, replacing(2, ofGroup, "g", change{"consumer.session.timeout.ms", setKey, new("46000")})).Resources[0].ErrorCode, kafka.ErrNone)
	r.kill()
	if c := r.config(ofGroup, "g", "consumer.session.timeout.ms"); *c.Value != "46000" {
		t.Errorf("%+v", c)
	}
	if c := r.config(ofGroup, "g", "consumer.heartbeat.interval.ms"); int8(c.Source) == 8 {
		t.Errorf("what a replacement doesn't name is gone: %+v", c)
	}
}
