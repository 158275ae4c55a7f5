package image

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/milena-io/milena/internal/staterecord"
)

// Resource is what configs belong to. The broker resource with an empty name holds the cluster-wide defaults.
type Resource struct {
	Type staterecord.ResourceType
	Name string
}

// ClusterDefaults is the resource of the dynamic defaults of all brokers.
var ClusterDefaults = Resource{Type: staterecord.ResourceBroker}

// TopicResource names a topic's configs.
func TopicResource(name string) Resource { return Resource{staterecord.ResourceTopic, name} }

func compareResources(a, b Resource) int {
	if c := cmp.Compare(a.Type, b.Type); c != 0 {
		return c
	}
	return strings.Compare(a.Name, b.Name)
}

// Config is one key that was set dynamically.
type Config struct{ Name, Value string }

// Configs is what was set dynamically on one resource, by key; nobody may change it.
type Configs []Config

func (c Configs) search(name string) (int, bool) {
	return slices.BinarySearchFunc(c, name, func(e Config, name string) int { return strings.Compare(e.Name, name) })
}

// Get returns the value of a key that was set.
func (c Configs) Get(name string) (string, bool) {
	if i, ok := c.search(name); ok {
		return c[i].Value, true
	}
	return "", false
}

// Map returns the configs as a map of the caller's own.
func (c Configs) Map() map[string]string {
	m := make(map[string]string, len(c))
	for _, e := range c {
		m[e.Name] = e.Value
	}
	return m
}

// with returns the configs with one key set, or without it when value is nil.
func (c Configs) with(name string, value *string) Configs {
	i, had := c.search(name)
	switch {
	case value == nil && !had:
		return c
	case value == nil:
		return slices.Delete(slices.Clone(c), i, i+1)
	case had:
		c = slices.Clone(c)
		c[i].Value = *value
		return c
	}
	out := make(Configs, 0, len(c)+1)
	return append(append(append(out, c[:i]...), Config{name, *value}), c[i:]...)
}

// Configs returns what was set dynamically on a resource, nil when nothing was.
func (img *Image) Configs(r Resource) Configs {
	c, _ := img.configs.Get(r)
	return c
}

// Resources walks the resources that have configs, by type and name.
func (img *Image) Resources() iter.Seq2[Resource, Configs] { return img.configs.All() }
