// Package config is the one table of every key (Kafka's names, types, defaults, what is dynamic, what we do with it), the
// values that are set, and how they are read from files, arguments and the environment.
//
// cli loads it; node, the controller's handlers and broker/configs ask it. It never reads the environment or a file by
// itself: the caller passes their contents in. Nothing in it changes after start; dynamic configs live in the image.
package config

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Type is a key's type, in the numbering of DescribeConfigs.
type Type int8

// The types. A key that is in no table is Unknown, and shown as Kafka shows it: without its value, which may be secret.
const (
	Unknown  Type = 0
	Boolean  Type = 1
	String   Type = 2
	Int      Type = 3
	Short    Type = 4
	Long     Type = 5
	Double   Type = 6
	List     Type = 7
	Class    Type = 8
	Password Type = 9
)

// Dynamic says how a key can change while the broker runs.
type Dynamic uint8

// The scopes of change.
const (
	ReadOnly    Dynamic = iota // only by a restart
	PerBroker                  // for one broker
	ClusterWide                // for one broker or for all
	PerTopic
	PerGroup
)

// Status says what we do with a key.
type Status uint8

// The statuses.
const (
	Accepted    Status = iota // known, without effect here
	Implemented               // acted on
	Refused                   // ignoring it would change safety: only its default is taken
)

// Key is one row of the table.
type Key struct {
	Name       string
	Type       Type
	Default    string
	HasDefault bool // false: Kafka's null
	Dynamic    Dynamic
	Status     Status
	Hidden     bool // a real 4.3.1 does not show it in DescribeConfigs
	Min, Max   *int64
	Rule       func(k *Key, value string) error // of numbers and lists, instead of bounds and Allowed
	Allowed    []string                         // of strings and of each element of a list
	Synonyms   []string                         // broker keys that give the default, most specific first
	Doc        string
}

func bound(n int64) *int64 { return &n }

// Scope is one of the three tables.
type Scope uint8

// The scopes.
const (
	Broker Scope = iota
	Topic
	Group
)

// tables lists the parts of each scope.
func tables(s Scope) [][]Key {
	switch s {
	case Topic:
		return [][]Key{topicKeys}
	case Group:
		return [][]Key{groupKeys}
	}
	return [][]Key{brokerAToF, brokerGToL, brokerMToR, brokerSToZ, milenaKeys}
}

// Lookup finds a key.
func Lookup(s Scope, name string) (*Key, bool) {
	for _, t := range tables(s) {
		i := sort.Search(len(t), func(i int) bool { return t[i].Name >= name })
		if i < len(t) && t[i].Name == name {
			return &t[i], true
		}
	}
	return nil, false
}

// Keys lists a scope's keys by name.
func Keys(s Scope) []*Key {
	var out []*Key
	for _, t := range tables(s) {
		for i := range t {
			out = append(out, &t[i])
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// Sensitive reports whether the value is never shown.
func (k *Key) Sensitive() bool { return k.Type == Password || k.Type == Unknown }

// Check holds a value against the key's type and bounds, with Kafka's words. Error: INVALID_CONFIG.
func (k *Key) Check(value string) error {
	switch k.Type {
	case Boolean:
		if v := strings.ToLower(strings.TrimSpace(value)); v != "true" && v != "false" {
			return k.invalid(value, "Expected value to be either true or false")
		}
	case Int, Short, Long:
		bits := map[Type]int{Short: 16, Int: 32, Long: 64}[k.Type]
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, bits)
		if err != nil {
			return k.invalid(value, "Not a number of type "+map[Type]string{Short: "SHORT", Int: "INT", Long: "LONG"}[k.Type])
		}
		if k.Rule != nil {
			return k.Rule(k, value)
		}
		return k.within(value, n)
	case Double:
		f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		switch {
		case err != nil:
			return k.invalid(value, "Not a number of type DOUBLE")
		case k.Min != nil && !(f >= float64(*k.Min)):
			return k.invalid(value, fmt.Sprintf("Value must be at least %d", *k.Min))
		case k.Max != nil && !(f <= float64(*k.Max)):
			return k.invalid(value, fmt.Sprintf("Value must be no more than %d", *k.Max))
		}
	case List:
		return k.checkList(value)
	default:
		if k.Allowed != nil && !contains(k.Allowed, value) {
			return k.invalid(value, "String must be one of: "+strings.Join(k.Allowed, ", "))
		}
	}
	return nil
}

func (k *Key) within(value string, n int64) error {
	if k.Min != nil && n < *k.Min {
		return k.invalid(value, fmt.Sprintf("Value must be at least %d", *k.Min))
	}
	if k.Max != nil && n > *k.Max {
		return k.invalid(value, fmt.Sprintf("Value must be no more than %d", *k.Max))
	}
	return nil
}

// checkList takes an element twice, as Kafka does until 5.0 (KIP-1161).
func (k *Key) checkList(value string) error {
	if k.Rule != nil {
		return k.Rule(k, value)
	}
	for _, v := range SplitList(value) {
		switch {
		case k.Allowed == nil:
		case v == "":
			return fault.New("config", kafka.ErrInvalidConfig, "Configuration '%s' values must not be empty.", k.Name)
		case !contains(k.Allowed, v):
			return k.invalid(v, "String must be one of: "+strings.Join(k.Allowed, ", "))
		}
	}
	return nil
}

// unlimitedOrSome is the rule of how long a broker's logs are kept: -1 is without end, and nothing at all only a topic may ask for
// (KafkaConfig.validateValues).
func unlimitedOrSome(k *Key, value string) error {
	if n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); err != nil || n < -1 || n == 0 {
		return k.invalid(value, k.Name+" must be unlimited (-1) or, equal or greater than 1")
	}
	return nil
}

// gzipLevel is the rule of gzip's levels, which have a gap.
func gzipLevel(k *Key, value string) error {
	if n, err := strconv.Atoi(strings.TrimSpace(value)); err != nil || n != -1 && (n < 1 || n > 9) {
		return k.invalid(value, "Value must be between 1 and 9 or equal to -1")
	}
	return nil
}

// throttledReplicas is the rule of lists of partition:broker.
func throttledReplicas(k *Key, value string) error {
	list := SplitList(value)
	if len(list) == 1 && list[0] == "*" {
		return nil
	}
	for _, v := range list {
		partition, broker, ok := strings.Cut(v, ":")
		if v != "" && (!ok || !digits(partition) || !digits(broker)) {
			return k.invalid("["+strings.Join(list, ", ")+"]", k.Name+" must be the literal '*' or a list of replicas in the following format: "+
				"[partitionId]:[brokerId],[partitionId]:[brokerId],...")
		}
	}
	return nil
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func (k *Key) invalid(value, why string) error {
	return fault.New("config", kafka.ErrInvalidConfig, "Invalid value %s for configuration %s: %s", value, k.Name, why)
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// SplitList takes a list value apart, as Kafka does: commas, trimmed, the empty string is the empty list.
func SplitList(value string) []string {
	value = strings.TrimSpace(value)
	if value == "" {
		return nil
	}
	parts := strings.Split(value, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
