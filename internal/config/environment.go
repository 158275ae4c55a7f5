package config

import (
	"slices"
	"strings"
)

// notKeys are the variables of Kafka's images that begin with KAFKA_ and name no broker key (KafkaDockerWrapper).
var notKeys = []string{
	"KAFKA_VERSION", "KAFKA_HEAP_OPTS", "KAFKA_LOG4J_OPTS", "KAFKA_OPTS", "KAFKA_JMX_OPTS",
	"KAFKA_JVM_PERFORMANCE_OPTS", "KAFKA_GC_LOG_OPTS", "KAFKA_LOG4J_ROOT_LOGLEVEL", "KAFKA_LOG4J_LOGGERS",
	"KAFKA_TOOLS_LOG4J_LOGLEVEL", "KAFKA_JMX_HOSTNAME", "KAFKA_JMX_PORT", "KAFKA_HOME", "KAFKA_LOG_DIR", "KAFKA_DEBUG",
}

// environment takes the KAFKA_* variables in, in the spelling of Kafka's images: KAFKA_ goes, three underscores are a
// dash, two are one, one is a dot. KAFKA_CFG_* is Bitnami's spelling of the same.
func (l *loader) environment(env []string) {
	for _, e := range slices.Sorted(slices.Values(env)) {
		name, value, ok := strings.Cut(e, "=")
		switch {
		case !ok:
		case name == "CLUSTER_ID":
			l.out.ClusterID = strings.TrimSpace(value)
		case name == "KAFKA_LOG4J_ROOT_LOGLEVEL":
			l.out.LogLevel = strings.ToLower(strings.TrimSpace(value))
		case name == "KAFKA_JMX_PORT":
			l.note(name, name, "there is no JMX here: read /metrics at milena.metrics.listeners instead")
		case name == "KAFKA_HEAP_OPTS" || name == "KAFKA_JVM_PERFORMANCE_OPTS" || name == "KAFKA_OPTS":
			l.note(name, name, "is ignored: there is no JVM here")
		case slices.Contains(notKeys, name):
		case name == "KAFKA_" || name == "KAFKA_CFG_":
			l.wrong(name, missingKey)
		case strings.HasPrefix(name, "KAFKA_CFG_"):
			l.note(name, name, "is taken; the spelling of Apache Kafka's images is %s", "KAFKA_"+strings.TrimPrefix(name, "KAFKA_CFG_"))
			l.set(keyOf(strings.TrimPrefix(name, "KAFKA_CFG_")), strings.TrimSpace(value), name)
		case strings.HasPrefix(name, "KAFKA_"):
			l.set(keyOf(strings.TrimPrefix(name, "KAFKA_")), strings.TrimSpace(value), name)
		}
	}
}

// keyOf turns a variable's name into a key's.
func keyOf(name string) string {
	name = strings.ToLower(name)
	name = strings.ReplaceAll(name, "___", "\x00")
	name = strings.ReplaceAll(name, "__", "\x01")
	name = strings.ReplaceAll(name, "_", ".")
	return strings.NewReplacer("\x00", "-", "\x01", "_").Replace(name)
}
