package configs

import (
	"slices"
	"strings"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/staterecord"
)

// refused holds a change against what only the broker knows: which of its keys can change while it runs, and what they
// may be. Other values are the controller's to check.
func (c *Configs) refused(a *controller.AlterResource) error {
	const op = "configs.alter"
	seen := map[string]bool{}
	for _, change := range a.Changes {
		if seen[change.Name] {
			return fault.New(op, kafka.ErrInvalidRequest, "Error due to duplicate config keys")
		}
		seen[change.Name] = true
		if change.Value == nil && change.Op != controller.DeleteConfig {
			return fault.New(op, kafka.ErrInvalidRequest, "Null value not supported for : %s", change.Name)
		}
	}
	switch a.Type {
	case staterecord.ResourceTopic:
		return nil
	case staterecord.ResourceGroup:
		if a.Name == "" {
			return fault.New(op, kafka.ErrInvalidRequest, "Default group resources are not allowed.")
		}
		return nil
	case staterecord.ResourceBroker:
		if err := c.brokerNamed(a.Name, true); err != nil {
			return err
		}
		if err := static(a); err != nil {
			return err
		}
		if c.any {
			return nil
		}
		return c.cordons(a)
	case staterecord.ResourceBrokerLogger:
		return noLoggers(op)
	}
	return fault.New(op, kafka.ErrInvalidRequest, "Unknown resource type %d", a.Type)
}

// noLoggers refuses what concerns log levels. Kafka's are of its Java loggers; here there is one, of the process.
func noLoggers(op string) error {
	return fault.New(op, kafka.ErrInvalidRequest, "The broker's loggers cannot be described or changed: log levels are set with --log-level when it is started")
}

// listenerOnly are the keys of certificates, which change while the broker runs only for one listener, under its prefix
// (Kafka's SslConfigs.RECONFIGURABLE_CONFIGS).
func listenerOnly(key string) bool {
	for _, store := range []string{"ssl.key.", "ssl.keystore.", "ssl.truststore."} {
		if strings.HasPrefix(key, store) {
			return true
		}
	}
	return false
}

// static refuses keys that change only by a restart, then keys that change only for a listener, then values that a key
// cannot have, and for all brokers keys that each has of its own. The answer is INVALID_REQUEST for all of these, where a topic's bad value is INVALID_CONFIG.
func static(a *controller.AlterResource) error {
	var fixed, unprefixed, own []string
	var bad error
	for _, change := range a.Changes {
		k, ok := config.Lookup(config.Broker, strings.TrimSpace(change.Name))
		switch {
		case !ok:
			continue
		case k.Dynamic == config.ReadOnly:
			fixed = append(fixed, change.Name)
		case listenerOnly(change.Name):
			unprefixed = append(unprefixed, change.Name)
		case k.Dynamic == config.PerBroker && a.Name == "":
			own = append(own, change.Name)
		}
		if bad == nil && change.Op == controller.SetConfig {
			bad = k.Check(*change.Value)
		}
	}
	switch {
	case len(fixed) > 0:
		return listed("Cannot update these configs dynamically", fixed)
	case len(unprefixed) > 0:
		return listed("These security configs can be dynamically updated only per-listener using the listener prefix", unprefixed)
	case bad != nil:
		return fault.New("configs.alter", kafka.ErrInvalidRequest, "%s", *fault.MessageOf(bad))
	case len(own) > 0:
		return listed("Cannot update these configs at default cluster level, broker id must be specified", own)
	}
	return nil
}

// cordons holds cordoned.log.dirs against the log directories that there are (KIP-1066).
func (c *Configs) cordons(a *controller.AlterResource) error {
	for _, change := range a.Changes {
		if change.Name != "cordoned.log.dirs" || change.Value == nil || change.Op == controller.DeleteConfig || change.Op == controller.SubtractConfig {
			continue
		}
		dirs := config.SplitList(*change.Value)
		if slices.Contains(dirs, "*") && len(dirs) == 1 {
			continue
		}
		for _, dir := range dirs {
			if !slices.Contains(c.settings.LogDirs(), dir) {
				return fault.New("configs.alter", kafka.ErrInvalidRequest,
					"All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entry: %s", dir)
			}
		}
	}
	return nil
}

func listed(why string, names []string) error {
	slices.Sort(names)
	return fault.New("configs.alter", kafka.ErrInvalidRequest, "%s: [%s]", why, strings.Join(names, ", "))
}
