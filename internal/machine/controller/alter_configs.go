package controller

import (
	"slices"
	"strconv"
	"strings"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// alterConfigs changes the dynamic configs of resources, each as a whole or not at all.
func alterConfigs(d *decision, c AlterConfigs) (any, error) {
	rules := configRules{topicConfigs{d: d}}
	times := map[image.Resource]int{}
	for i := range c.Resources {
		times[image.Resource{Type: c.Resources[i].Type, Name: c.Resources[i].Name}]++
	}
	out := make([]AlteredConfig, len(c.Resources))
	for i := range c.Resources {
		a := &c.Resources[i]
		out[i].Type, out[i].Name = a.Type, a.Name
		var err error
		if times[image.Resource{Type: a.Type, Name: a.Name}] > 1 {
			err = fault.New(op, kafka.ErrInvalidRequest, "Each resource must appear at most once.")
		} else {
			err = alterResource(d, &rules, a)
		}
		out[i].Problem = problem(err)
	}
	if err := d.finish(c.ValidateOnly); err != nil {
		return nil, err
	}
	if err := reconsider(d); err != nil {
		return nil, err
	}
	return out, nil
}

// alterResource adds the records of one resource's changes. What is explicitly set comes first, as it was asked; then,
// for a replacement, what is deleted because it was not named.
func alterResource(d *decision, rules *configRules, a *AlterResource) error {
	resource := image.Resource{Type: a.Type, Name: a.Name}
	if err := checkResource(d, resource); err != nil {
		return err
	}
	old := d.img.Configs(resource).Map()
	set, named := d.img.Configs(resource).Map(), map[string]bool{}
	var records []staterecord.Record
	put := func(name string, value *string) {
		records = append(records, &staterecord.Config{ResourceType: a.Type, ResourceName: a.Name, Name: name, Value: value})
		if value == nil {
			delete(set, name)
		} else {
			set[name] = *value
		}
	}
	for _, ch := range a.Changes {
		value, err := changed(a.Type, ch, old)
		if err != nil {
			return err
		}
		named[ch.Name] = true
		have, had := old[ch.Name]
		same := value == nil && !had || value != nil && had && *value == have
		// A broker takes its own keys anew even when they are the same: files behind them may have changed (KAFKA-14136).
		if !same || a.Type == staterecord.ResourceBroker {
			put(ch.Name, value)
		}
	}
	for _, name := range sortedKeys(old) {
		if a.Replace && !named[name] {
			put(name, nil)
		}
	}
	if err := rules.resource(a.Type, old, set); err != nil {
		return err
	}
	if err := checkExists(d.img, resource); err != nil {
		return err
	}
	if err := holdMinInSync(d, records); err != nil {
		return err
	}
	d.add(records...)
	return nil
}

// changed returns the value after one change; nil when there is none.
func changed(t staterecord.ResourceType, ch ConfigChange, old map[string]string) (*string, error) {
	if ch.Op == DeleteConfig {
		return nil, nil
	}
	if ch.Value == nil {
		return nil, fault.New(op, kafka.ErrInvalidRequest, "Null value not supported for : %s", ch.Name)
	}
	if ch.Op == SetConfig {
		return ch.Value, nil
	}
	word, known := map[ConfigOp]string{AppendConfig: "APPEND", SubtractConfig: "SUBTRACT"}[ch.Op]
	if !known {
		return nil, fault.New(op, kafka.ErrInvalidRequest, "Unknown operation %d on config %s", ch.Op, ch.Name)
	}
	key, ok := lookup(t, ch.Name)
	if !ok || key.Type != config.List {
		return nil, fault.New(op, kafka.ErrInvalidConfig, "Can't %s to key %s because its type is not LIST.", word, ch.Name)
	}
	have, set := old[ch.Name]
	if !set {
		have = key.Default
	}
	list := config.SplitList(have)
	for _, v := range config.SplitList(*ch.Value) {
		switch {
		case ch.Op == SubtractConfig:
			list = without(list, v)
		case !slices.Contains(list, v):
			list = append(list, v)
		}
	}
	joined := strings.Join(list, ",")
	return &joined, nil
}

func lookup(t staterecord.ResourceType, name string) (*config.Key, bool) {
	switch t {
	case staterecord.ResourceTopic:
		return config.Lookup(config.Topic, name)
	case staterecord.ResourceGroup:
		return config.Lookup(config.Group, name)
	}
	return config.Lookup(config.Broker, name)
}

// resource checks all that a resource would have set.
func (c *configRules) resource(t staterecord.ResourceType, old, set map[string]string) error {
	switch t {
	case staterecord.ResourceTopic:
		return c.topic(old, set)
	case staterecord.ResourceGroup:
		return c.group(set)
	}
	return c.broker(set)
}

// checkResource refuses names that no such resource can have, and resources without configs in the log.
func checkResource(d *decision, r image.Resource) error {
	invalid := func(format string, args ...any) error {
		return fault.New(op, kafka.ErrInvalidRequest, format, args...)
	}
	switch r.Type {
	case staterecord.ResourceTopic:
		if r.Name == "" {
			return invalid("Default topic resources are not allowed.")
		}
		if why := kafka.TopicNameProblem(r.Name); why != "" {
			return fault.New(op, kafka.ErrInvalidTopicException, "%s", why)
		}
	case staterecord.ResourceBroker:
		if r.Name == "" {
			return nil
		}
		id, err := strconv.ParseInt(r.Name, 10, 32)
		if err != nil {
			return invalid("Unable to parse broker name as a base 10 number.")
		}
		if id < 0 {
			return invalid("Invalid negative broker ID.")
		}
	case staterecord.ResourceGroup:
		if r.Name == "" {
			return invalid("Default group resources are not allowed.")
		}
		if len(r.Name) > staterecord.MaxString {
			return invalid("The name of a group cannot be longer than %d bytes.", staterecord.MaxString)
		}
	default:
		return invalid("Unknown resource type %d", r.Type)
	}
	return nil
}

// checkExists refuses configs of what is not there. Groups may be configured before they exist.
func checkExists(img *image.Image, r image.Resource) error {
	switch r.Type {
	case staterecord.ResourceTopic:
		if img.TopicNamed(r.Name) == nil {
			return fault.New(op, kafka.ErrUnknownTopicOrPartition, "The topic '%s' does not exist.", r.Name)
		}
	case staterecord.ResourceBroker:
		if r.Name == "" {
			return nil
		}
		id, _ := strconv.ParseInt(r.Name, 10, 32)
		if img.Broker(kafka.NodeID(id)) == nil && img.Controller(kafka.NodeID(id)) == nil {
			return fault.New(op, kafka.ErrBrokerIdNotRegistered, "No node with id %d found.", id)
		}
	}
	return nil
}
