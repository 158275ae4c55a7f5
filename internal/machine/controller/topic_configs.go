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
	d         *decision
	layers    config.Layers
	inherited map[string]string // what topics have that don't set a key
}

// inherit returns what a topic has that does not set the key: this controller's dynamic and static configs stand
// behind it, then the default.
func (c *topicConfigs) inherit(name string) string {
	if v, ok := c.inherited[name]; ok {
		return v
	}
	if c.inherited == nil {
		own := image.Resource{Type: staterecord.ResourceBroker, Name: strconv.Itoa(int(c.d.o.Node))}
		c.inherited = map[string]string{}
		c.layers = config.Layers{
			Dynamic:        c.d.img.Configs(own).Map(),
			DynamicDefault: c.d.img.Configs(image.ClusterDefaults).Map(),
			Static:         c.d.o.Static,
		}
	}
	key, ok := config.Lookup(config.Topic, name)
	must.Hold(ok, "no topic key %s", name)
	v := c.layers.Resolve(key, nil, config.SourceTopic).Value
	c.inherited[name] = v
	return v
}

// unclean returns unclean.leader.election.enable of a topic.
func (c *topicConfigs) unclean(topic string) bool {
	const name = "unclean.leader.election.enable"
	if v, ok := c.d.img.Configs(image.TopicResource(topic)).Get(name); ok {
		return isTrue(v)
	}
	return isTrue(c.inherit(name))
}

func isTrue(v string) bool { return strings.EqualFold(strings.TrimSpace(v), "true") }
