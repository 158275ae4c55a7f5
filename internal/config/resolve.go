package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/milena-io/milena/internal/must"
)

// Source says where a value comes from, in the numbering of DescribeConfigs.
type Source int8

// The sources.
const (
	SourceTopic         Source = 1
	SourceBroker        Source = 2 // dynamic, this broker
	SourceDefaultBroker Source = 3 // dynamic, cluster default
	SourceStatic        Source = 4
	SourceDefault       Source = 5
	SourceGroup         Source = 8
)

// Layers are the places a value may come from.
type Layers struct {
	Dynamic        map[string]string // of this broker
	DynamicDefault map[string]string // of all brokers
	Static         map[string]string // file, environment, arguments
}

// Synonym is one place that has a value for a key, under its own name and in its own unit there.
type Synonym struct {
	Name   string
	Value  string
	Source Source
}

// Resolved is a key's value and every place that has one, most specific first; the first is the value's own. Without
// any the value is Kafka's null.
type Resolved struct {
	Key      *Key
	Value    string
	Null     bool
	Source   Source
	Synonyms []Synonym
}

// ResolveBroker resolves a broker key. For log.retention.ms the keys that speak when it is not set are listed behind it.
func (l Layers) ResolveBroker(k *Key) Resolved {
	r := resolved(k, l.broker(k.Name))
	if k.Name == "log.retention.ms" {
		r.Synonyms = append(append(r.Synonyms, l.broker("log.retention.minutes")...), l.broker("log.retention.hours")...)
	}
	return r
}

// Broker returns the values of broker keys in these places, of those that are named.
func (l Layers) Broker(names ...string) Values {
	out := Values{Scope: Broker, Set: map[string]string{}}
	for _, name := range names {
		k, ok := Lookup(Broker, name)
		must.Hold(ok, "no config key %q", name)
		if r := l.ResolveBroker(k); !r.Null {
			out.Set[name] = r.Value
		}
	}
	return out
}

// Unknown lists what is set under names that no table has, by name.
func (l Layers) Unknown() []Resolved {
	var out []Resolved
	seen := map[string]bool{}
	for _, set := range []map[string]string{l.Dynamic, l.DynamicDefault, l.Static} {
		for name := range set {
			if _, known := Lookup(Broker, name); !known && !seen[name] {
				seen[name] = true
				k := &Key{Name: name}
				out = append(out, resolved(k, l.broker(name)))
			}
		}
	}
	slices.SortFunc(out, func(a, b Resolved) int { return strings.Compare(a.Key.Name, b.Key.Name) })
	return out
}

// broker lists the places that have a broker key, by precedence.
func (l Layers) broker(name string) []Synonym {
	var out []Synonym
	for _, layer := range []struct {
		set    map[string]string
		source Source
	}{{l.Dynamic, SourceBroker}, {l.DynamicDefault, SourceDefaultBroker}, {l.Static, SourceStatic}} {
		if v, ok := layer.set[name]; ok {
			out = append(out, Synonym{name, v, layer.source})
		}
	}
	if k, ok := Lookup(Broker, name); ok && k.HasDefault {
		out = append(out, Synonym{name, k.Default, SourceDefault})
	}
	return out
}

// Resolve resolves a topic or group key under the overrides of its resource.
func (l Layers) Resolve(k *Key, overrides map[string]string, own Source) Resolved {
	var out []Synonym
	if v, ok := overrides[k.Name]; ok {
		out = append(out, Synonym{k.Name, v, own})
	}
	// What is set anywhere beats what is only a default, whichever synonym it is; within a layer the first synonym wins.
	var defaults []Synonym
	for _, source := range []Source{SourceBroker, SourceDefaultBroker, SourceStatic, SourceDefault} {
		for _, name := range k.Synonyms {
			for _, s := range l.broker(name) {
				switch {
				case s.Source != source:
				case source == SourceDefault:
					defaults = append(defaults, s)
				default:
					out = append(out, s)
				}
			}
		}
	}
	out = append(out, defaults...)
	if len(defaults) == 0 && k.HasDefault {
		out = append(out, Synonym{k.Name, k.Default, SourceDefault})
	}
	return resolved(k, out)
}

// scaled turns a synonym in hours or minutes into ms.
func scaled(from, to, value string) string {
	factor := int64(0)
	switch {
	case strings.HasSuffix(from, ".hours") && strings.HasSuffix(to, ".ms"):
		factor = 3600_000
	case strings.HasSuffix(from, ".minutes") && strings.HasSuffix(to, ".ms"):
		factor = 60_000
	default:
		return value
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return value
	}
	return strconv.FormatInt(n*factor, 10)
}

func resolved(k *Key, s []Synonym) Resolved {
	if len(s) == 0 {
		return Resolved{Key: k, Null: true, Source: SourceDefault}
	}
	return Resolved{Key: k, Value: scaled(s[0].Name, k.Name, s[0].Value), Source: s[0].Source, Synonyms: s}
}

// Topic resolves every topic key to a value.
func (l Layers) Topic(overrides map[string]string) Values {
	out := Values{Scope: Topic, Set: map[string]string{}}
	for i := range topicKeys {
		if r := l.Resolve(&topicKeys[i], overrides, SourceTopic); !r.Null {
			out.Set[r.Key.Name] = r.Value
		}
	}
	return out
}

// Nearest returns the key whose name is nearest to one that is unknown, empty when none is near.
func Nearest(s Scope, name string) string {
	best, distance := "", len(name)/2+1
	for _, t := range tables(s) {
		for i := range t {
			if d := editDistance(name, t[i].Name, distance); d < distance {
				best, distance = t[i].Name, d
			}
		}
	}
	return best
}

// editDistance counts insertions, deletions and replacements, and gives up at limit.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
