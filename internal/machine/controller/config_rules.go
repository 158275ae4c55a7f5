package controller

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// configRules says which dynamic configs a resource may have: each key by the table, and together by Kafka's rules
// (LogConfig.validate, ControllerConfigurationValidator).
type configRules struct{ topicConfigs }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// topic checks all that a topic would have set; old is what it has set so far.
func (c *configRules) topic(old, set map[string]string) error {
	if err := known(config.Topic, "topic", set); err != nil {
		return err
	}
	number := func(name string) int64 {
		n, err := strconv.ParseInt(strings.TrimSpace(c.value(name, set)), 10, 64)
		if err != nil {
			return math.MaxInt64 // a default that is out of range is not this topic's fault
		}
		return n
	}
	least, most := number("min.compaction.lag.ms"), number("max.compaction.lag.ms")
	if least > most {
		return fault.New(op, kafka.ErrInvalidConfig,
			"conflict topic config setting min.compaction.lag.ms (%d) > max.compaction.lag.ms (%d)", least, most)
	}
	if isTrue(set["remote.storage.enable"]) {
		return fault.New(op, kafka.ErrInvalidConfig,
			"Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.")
	}
	if isTrue(old["remote.storage.enable"]) && !isTrue(set["remote.log.delete.on.disable"]) {
		return fault.New(op, kafka.ErrInvalidConfig, "It is invalid to disable remote storage without deleting remote data. "+
			"Set remote.log.delete.on.disable=true with it.")
	}
	return nil
}

// value returns what a topic key would be with some keys set.
func (c *configRules) value(name string, set map[string]string) string {
	if v, ok := set[name]; ok {
		return v
	}
	return c.inherit(name)
}

// group checks all that a group would have set.
func (c *configRules) group(set map[string]string) error { return known(config.Group, "group", set) }

// broker checks what a broker or the defaults of all would have set. Keys that are not in the table are kept: they may
// be a plugin's. Which keys can change without a restart, the broker that was asked has checked.
func (c *configRules) broker(set map[string]string) error {
	for _, name := range sortedKeys(set) {
		if key, ok := config.Lookup(config.Broker, strings.TrimSpace(name)); ok {
			if err := key.Check(set[name]); err != nil {
				return err
			}
		}
		if err := fits(name, set[name]); err != nil {
			return err
		}
	}
	return nil
}

// known checks keys that must be in a table, and their values.
func known(scope config.Scope, what string, set map[string]string) error {
	for _, name := range sortedKeys(set) {
		if _, ok := config.Lookup(scope, name); !ok {
			return fault.New(op, kafka.ErrInvalidConfig, "Unknown %s config name: %s", what, name)
		}
	}
	for _, name := range sortedKeys(set) {
		key, _ := config.Lookup(scope, name)
		if err := key.Check(set[name]); err != nil {
			return err
		}
		if err := fits(name, set[name]); err != nil {
			return err
		}
	}
	return nil
}

// fits refuses what a record cannot hold.
func fits(name, value string) error {
	if len(value) > staterecord.MaxString {
		return fault.New(op, kafka.ErrInvalidConfig, "The configuration value cannot be added because it exceeds the maximum value size of %d bytes.",
			staterecord.MaxString)
	}
	if len(name) > staterecord.MaxString {
		return fault.New(op, kafka.ErrInvalidConfig, "The configuration name cannot be longer than %d bytes.", staterecord.MaxString)
	}
	return nil
}
