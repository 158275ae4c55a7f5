package node

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

func describingConfigs(version int16, kind kmsg.ConfigResourceType, name string, keys ...string) *kmsg.DescribeConfigsRequest {
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Version = version
	res := kmsg.NewDescribeConfigsRequestResource()
	res.ResourceType, res.ResourceName, res.ConfigNames = kind, name, keys
	req.Resources = append(req.Resources, res)
	return req
}

func TestDescribeConfigsOneByOne(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	const general = "This most likely occurs because of a request being malformed by the client library or the message was sent to an " +
		"incompatible broker. See the broker logs for more details."
	for _, version := range []int16{1, 4} {
		for _, c := range []struct {
			what  string
			kind  kmsg.ConfigResourceType
			name  string
			code  kafka.ErrorCode
			why   string
			least int // keys
		}{
			{"a topic", ofTopic, "a", 0, "", 30},
			{"an unknown topic", ofTopic, "missing", kafka.ErrUnknownTopicOrPartition, "", 0},
			{"no topic", ofTopic, "", kafka.ErrInvalidTopicException, "Topic name is invalid: the empty string is not allowed", 0},
			{"this broker", ofBroker, "1", 0, "", 200},
			{"another broker", ofBroker, "2", kafka.ErrInvalidRequest, "Unexpected broker id, expected 1 or empty string, but received 2", 0},
			{"no integer", ofBroker, "one", kafka.ErrInvalidRequest, "Broker id must be an integer, but it is: one", 0},
			{"all brokers", ofBroker, "", 0, "", 1}, // min.insync.replicas (KIP-966)
			{"a group that nobody configured", ofGroup, "g", 0, "", 4},
			{"no group", ofGroup, "", kafka.ErrInvalidRequest, "Group name must not be empty", 0},
			{"log levels", 8, "1", kafka.ErrInvalidRequest, "The broker's loggers cannot be described or changed: log levels are set with --log-level when it is started", 0},
			{"an unknown kind", 77, "x", kafka.ErrInvalidRequest, general, 0},
		} {
			got := ask[*kmsg.DescribeConfigsResponse](r, describingConfigs(version, c.kind, c.name)).Resources
			if len(got) != 1 || kafka.ErrorCode(got[0].ErrorCode) != c.code || got[0].ErrorMessage == nil || *got[0].ErrorMessage != c.why ||
				got[0].ResourceName != c.name || got[0].ResourceType != c.kind {
				t.Errorf("v%d %s: %v %q, want %v %q", version, c.what, kafka.ErrorCode(got[0].ErrorCode), said(got[0].ErrorMessage), c.code, c.why)
			}
			if n := len(got[0].Configs); n < c.least || c.least == 0 && n > 0 {
				t.Errorf("v%d %s: %d keys, want %d at least", version, c.what, n, c.least)
			}
		}
	}
}

// What is set for all brokers is a resource of its own, and shows only what is set.
func TestDescribeConfigsOfAllBrokers(t *testing.T) {
	r := newRig(t)
	r.alterWants(kafka.ErrNone, ofBroker, "", "=log.retention.ms=888", "=my.plugin.key=hidden")
	req := describingConfigs(4, ofBroker, "")
	req.IncludeSynonyms = true
	got := ask[*kmsg.DescribeConfigsResponse](r, req).Resources[0]
	if len(got.Configs) != 3 {
		t.Fatalf("%+v", got.Configs)
	}
	c, plugin := got.Configs[0], got.Configs[2]
	if c.Name != "log.retention.ms" || *c.Value != "888" || c.Source != 3 || c.ReadOnly || c.ConfigType != kmsg.ConfigTypeLong ||
		len(c.ConfigSynonyms) != 1 || c.ConfigSynonyms[0].Source != 3 || *c.ConfigSynonyms[0].Value != "888" {
		t.Errorf("%+v", c)
	}
	if plugin.Name != "my.plugin.key" || plugin.Value != nil || !plugin.IsSensitive {
		t.Errorf("a key nobody knows may be a secret: %+v", plugin)
	}
	if c := r.config(ofBroker, "1", "log.retention.ms"); *c.Value != "888" || c.Source != 3 {
		t.Errorf("each broker has it: %+v", c)
	}
}

func TestDescribeConfigsSynonymsAndDocumentation(t *testing.T) {
	r := newRig(t, "log.retention.hours", "5")
	r.create("a", 1, "retention.ms", "1000")
	synonyms := func(topic string) string {
		req := describingConfigs(3, ofTopic, topic, "retention.ms", "no.such.key")
		req.IncludeSynonyms, req.IncludeDocumentation = true, true
		configs := ask[*kmsg.DescribeConfigsResponse](r, req).Resources[0].Configs
		if len(configs) != 1 || configs[0].Documentation == nil || *configs[0].Documentation == "" {
			t.Fatalf("%+v", configs)
		}
		out := *configs[0].Value
		for _, s := range configs[0].ConfigSynonyms {
			out += fmt.Sprintf(" [%s=%s from %d]", s.Name, said(s.Value), s.Source)
		}
		return out
	}
	if got, want := synonyms("a"), "1000 [retention.ms=1000 from 1] [log.retention.hours=5 from 4] [log.retention.hours=168 from 5]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, version := range []int16{1, 2} {
		got := ask[*kmsg.DescribeConfigsResponse](r, describingConfigs(version, ofTopic, "a", "retention.ms", "segment.bytes")).Resources[0].Configs
		i := slices.IndexFunc(got, func(c kmsg.DescribeConfigsResponseResourceConfig) bool { return c.Name == "retention.ms" })
		if len(got) != 2 || len(got[i].ConfigSynonyms) > 0 || got[i].Source != 1 || got[1-i].Source != 5 {
			t.Errorf("v%d: nobody asked for synonyms: %+v", version, got)
		}
	}
}

func TestListConfigResources(t *testing.T) {
	r := newRig(t)
	r.create("b", 1)
	r.create("a", 1)
	r.alterWants(kafka.ErrNone, ofGroup, "g", "=consumer.session.timeout.ms=50000")
	list := func(version int16, kinds ...int8) string {
		req := kmsg.NewPtrListConfigResourcesRequest()
		req.Version, req.ResourceTypes = version, kinds
		resp := ask[*kmsg.ListConfigResourcesResponse](r, req)
		var out []string
		for _, c := range resp.ConfigResources {
			out = append(out, fmt.Sprintf("%d:%s", c.Type, c.Name))
		}
		slices.Sort(out)
		return fmt.Sprint(kafka.ErrorCode(resp.ErrorCode), out)
	}
	for _, c := range []struct {
		version int16
		kinds   []int8
		want    string
	}{
		{1, nil, "NONE [2:a 2:b 32:g 4:1 8:1]"},
		{1, []int8{2}, "NONE [2:a 2:b]"},
		{1, []int8{4, 4}, "NONE [4:1]"},
		{1, []int8{32, 16, 8}, "NONE [32:g 8:1]"},
		{1, []int8{2, 77}, "UNSUPPORTED_VERSION []"},
		{1, []int8{0}, "UNSUPPORTED_VERSION []"},
		{0, nil, "NONE []"}, // which asks for client metrics, and nothing else
	} {
		if got := list(c.version, c.kinds...); got != c.want {
			t.Errorf("v%d %v: %s, want %s", c.version, c.kinds, got, c.want)
		}
	}
}
