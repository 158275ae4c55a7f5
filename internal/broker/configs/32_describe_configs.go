package configs

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// DescribeConfigs serves DescribeConfigs v1-4: every key of a topic, of this broker, of the defaults of all brokers or of
// a group, with its source and, when asked, its synonyms in order of precedence and its documentation (surface 22). A
// null list of keys asks for all, an empty one too. Passwords have a null value.
func (c *Configs) DescribeConfigs(req *wire.Request) {
	in := req.Body.(*kmsg.DescribeConfigsRequest)
	out := in.ResponseKind().(*kmsg.DescribeConfigsResponse)
	type resource struct {
		kind kmsg.ConfigResourceType
		name string
	}
	answered := map[resource]bool{} // each once: an answer may be ten thousand times as large as its question
	for i := range in.Resources {
		asked := &in.Resources[i]
		this := resource{asked.ResourceType, asked.ResourceName}
		if answered[this] {
			continue
		}
		answered[this] = true
		r := kmsg.NewDescribeConfigsResponseResource()
		r.ResourceType, r.ResourceName = asked.ResourceType, asked.ResourceName
		values, err := c.resolved(int8(asked.ResourceType), asked.ResourceName)
		why := "" // Kafka's success, and an unknown topic, have an empty message and not a null one
		if err != nil {
			r.ErrorCode = int16(fault.CodeOf(err))
			if m := fault.MessageOf(err); m != nil {
				why = *m
			}
		}
		r.ErrorMessage = &why
		for _, v := range values {
			if len(asked.ConfigNames) == 0 || slices.Contains(asked.ConfigNames, v.Key.Name) {
				r.Configs = append(r.Configs, entry(&v, int8(asked.ResourceType), in))
			}
		}
		out.Resources = append(out.Resources, r)
	}
	req.Reply(wire.Reply{Message: out})
}

// resolved lists a resource's keys with their values.
func (c *Configs) resolved(t int8, name string) ([]config.Resolved, error) {
	const op = "configs.DescribeConfigs"
	switch t {
	case topicType:
		if why := kafka.TopicNameProblem(name); why != "" {
			return nil, fault.New(op, kafka.ErrInvalidTopicException, "%s", why)
		}
		if c.image().TopicNamed(name) == nil {
			return nil, fault.New(op, kafka.ErrUnknownTopicOrPartition, "")
		}
		overrides := c.image().Configs(image.TopicResource(name)).Map()
		return each(config.Topic, func(k *config.Key) config.Resolved {
			return c.settings.Layers().Resolve(k, overrides, config.SourceTopic)
		}), nil
	case groupType:
		if name == "" {
			return nil, fault.New(op, kafka.ErrInvalidRequest, "Group name must not be empty")
		}
		overrides := c.image().Configs(image.Resource{Type: groupResource, Name: name}).Map()
		return each(config.Group, func(k *config.Key) config.Resolved {
			return c.settings.Layers().Resolve(k, overrides, config.SourceGroup)
		}), nil
	case brokerType:
		if err := c.brokerNamed(name, false); err != nil {
			return nil, err
		}
		if name == "" {
			return c.clusterDefaults(), nil
		}
		layers := c.settings.Layers()
		return slices.Concat(each(config.Broker, layers.ResolveBroker), hidden(layers), layers.Unknown()), nil
	case loggerType:
		return nil, noLoggers(op)
	}
	return nil, fault.New(op, kafka.ErrInvalidRequest, "This most likely occurs because of a request being malformed by the client library "+
		"or the message was sent to an incompatible broker. See the broker logs for more details.")
}

func each(s config.Scope, resolve func(*config.Key) config.Resolved) []config.Resolved {
	var out []config.Resolved
	for _, k := range config.Keys(s) {
		if !k.Hidden {
			out = append(out, resolve(k))
		}
	}
	return out
}

// hidden lists the keys that Kafka keeps to itself unless they are set, the throttles of replication among them: without
// their defaults.
func hidden(layers config.Layers) []config.Resolved {
	var out []config.Resolved
	for _, k := range config.Keys(config.Broker) {
		if !k.Hidden {
			continue
		}
		if r := layers.ResolveBroker(k); r.Source != config.SourceDefault {
			r.Synonyms = slices.DeleteFunc(r.Synonyms, func(s config.Synonym) bool { return s.Source == config.SourceDefault })
			out = append(out, r)
		}
	}
	return out
}

// clusterDefaults lists only what is set for all brokers.
func (c *Configs) clusterDefaults() []config.Resolved {
	var out []config.Resolved
	for _, set := range c.image().Configs(image.ClusterDefaults) {
		k, ok := config.Lookup(config.Broker, set.Name)
		if !ok {
			k = &config.Key{Name: set.Name, Dynamic: config.ClusterWide}
		}
		out = append(out, config.Resolved{
			Key: k, Value: set.Value, Source: config.SourceDefaultBroker,
			Synonyms: []config.Synonym{{Name: set.Name, Value: set.Value, Source: config.SourceDefaultBroker}},
		})
	}
	return out
}

func entry(v *config.Resolved, resource int8, in *kmsg.DescribeConfigsRequest) kmsg.DescribeConfigsResponseResourceConfig {
	e := kmsg.NewDescribeConfigsResponseResourceConfig()
	e.Name, e.IsSensitive = v.Key.Name, v.Key.Sensitive()
	e.Source, e.IsDefault = kmsg.ConfigSource(v.Source), v.Source == config.SourceDefault
	e.ReadOnly = resource == brokerType && v.Key.Dynamic == config.ReadOnly
	e.ConfigType = kmsg.ConfigType(v.Key.Type)
	if !v.Null && !e.IsSensitive {
		e.Value = &v.Value
	}
	if in.IncludeSynonyms {
		for _, s := range v.Synonyms {
			if s.Source == config.SourceDefault && resource == topicType && len(v.Key.Synonyms) == 0 {
				continue // a key of topics alone: nothing stands behind it
			}
			r := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
			r.Name, r.Source = s.Name, kmsg.ConfigSource(s.Source)
			if !e.IsSensitive {
				r.Value = &s.Value
			}
			e.ConfigSynonyms = append(e.ConfigSynonyms, r)
		}
	}
	if in.IncludeDocumentation {
		e.Documentation = &v.Key.Doc
	}
	return e
}
