package controller

import (
	"strconv"
	"strings"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/staterecord"
)

// topicConfigs resolves the keys of topics that the controller itself acts on, for the length of one decision.
type topicConfigs struct {
	d      *decision
	layers *config.Layers
}

// Layers returns the broker keys that stand behind those of topics: this controller's.
func (c *topicConfigs) all() config.Layers {
	if c.layers == nil {
		own := image.Resource{Type: staterecord.ResourceBroker, Name: strconv.Itoa(int(c.d.o.Node))}
		c.layers = &config.Layers{
			Dynamic:        c.d.img.Configs(own).Map(),
			DynamicDefault: c.d.img.Configs(image.ClusterDefaults).Map(),
			Static:         c.d.o.Static,
		}
	}
	return *c.layers
}

// unclean returns unclean.leader.election.enable of a topic.
func (c *topicConfigs) unclean(topic string) bool {
	const name = "unclean.leader.election.enable"
	if v, ok := c.d.img.Configs(image.TopicResource(topic)).Get(name); ok {
		return isTrue(v)
	}
	key, ok := config.Lookup(config.Topic, name)
	must.Hold(ok, "no topic key %s", name)
	return isTrue(c.all().Resolve(key, nil, config.SourceTopic).Value)
}

func isTrue(v string) bool { return strings.EqualFold(strings.TrimSpace(v), "true") }
