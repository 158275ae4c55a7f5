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
	last      string            // the topic whose rules were asked for last
	known     bool
	of        rules // of that topic
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

// rules are what the configs of a topic, and the features of the cluster, say about leadership.
type rules struct {
	eligible bool // eligible leader replicas are kept (KIP-966)
	minISR   int  // min.insync.replicas
	unclean  bool // unclean.leader.election.enable: a replica that may lack records may lead when no other can
	durable  bool // milena.durability=sync: what was acknowledged survives an unclean stop
}

// rules returns those of a topic.
func (c *topicConfigs) rules(topic string) rules {
	if c.known && c.last == topic {
		return c.of
	}
	set := c.d.img.Configs(image.TopicResource(topic))
	value := func(name string) string {
		if v, ok := set.Get(name); ok {
			return v
		}
		return c.inherit(name)
	}
	least, err := strconv.Atoi(strings.TrimSpace(value(minInSync)))
	if err != nil {
		least = 1 // checked when it was set; a level that was found is read as Kafka's default
	}
	c.last, c.known, c.of = topic, true, rules{
		eligible: c.d.img.Feature(staterecord.FeatureElr) > 0, minISR: max(least, 1),
		unclean: isTrue(value(uncleanElection)), durable: value(durability) != "cache",
	}
	return c.of
}

// The keys that decide about leadership.
const (
	minInSync       = "min.insync.replicas"
	uncleanElection = "unclean.leader.election.enable"
	durability      = "milena.durability"
)

func isTrue(v string) bool { return strings.EqualFold(strings.TrimSpace(v), "true") }
