package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/magiconair/properties"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Input is the contents of everything that a broker's configuration may come from. Later sources win over earlier ones:
// files in their order, then the environment, then overrides.
type Input struct {
	Files     []File
	Env       []string // KEY=value; variables that begin with KAFKA_, and CLUSTER_ID, matter
	Overrides []string // key=value
	HostName  string   // of this machine, for Values
}

// File is a Java properties file.
type File struct{ Name, Text string }

// Loaded is a configuration that a broker can be started with.
type Loaded struct {
	Values    Values            // what was set, and the defaults of a lone node where nothing was
	Origins   map[string]string // where each key that somebody set came from
	ClusterID string            // CLUSTER_ID; empty for none
	LogLevel  string            // of KAFKA_LOG4J_ROOT_LOGLEVEL, lower case; empty for none
	Findings  []Finding
}

// Finding is something about the configuration that is worth one line in the log.
type Finding struct {
	Key     string
	Origin  string
	Message string
}

// lone is what a node is that nobody said anything about: broker and controller of a cluster of its own.
var lone = map[string]string{
	"process.roles": "broker,controller", "node.id": "1", "listeners": "PLAINTEXT://127.0.0.1:9092",
	"controller.listener.names": "CONTROLLER",
}

// defaultDir holds the data where nobody named a directory.
const defaultDir = "./milena-data"

// Load merges the sources and checks every value. The error lists all that is wrong, each with where it stands.
func Load(in Input) (Loaded, error) {
	l := loader{out: Loaded{Values: Values{Scope: Broker, Set: map[string]string{}, HostName: in.HostName}, Origins: map[string]string{}}}
	for _, f := range in.Files {
		l.file(f)
	}
	l.environment(in.Env)
	for _, o := range in.Overrides {
		key, value, ok := strings.Cut(o, "=")
		if !ok {
			l.wrong("--override", "%q is not key=value", o)
			continue
		}
		if strings.TrimSpace(key) == "" {
			l.wrong("--override "+o, missingKey)
			continue
		}
		l.set(strings.TrimSpace(key), strings.TrimSpace(value), "--override "+o)
	}
	l.check()
	l.fill()
	sort.SliceStable(l.out.Findings, func(i, j int) bool { return l.out.Findings[i].Key < l.out.Findings[j].Key })
	if len(l.problems) > 0 {
		return Loaded{}, fault.New("config", kafka.ErrInvalidConfig, "%v", errors.Join(l.problems...))
	}
	return l.out, nil
}

type loader struct {
	out      Loaded
	problems []error
}

func (l *loader) wrong(origin, format string, args ...any) {
	l.problems = append(l.problems, fmt.Errorf("%s: %s", origin, fmt.Sprintf(format, args...)))
}

func (l *loader) note(key, origin, format string, args ...any) {
	l.out.Findings = append(l.out.Findings, Finding{key, origin, fmt.Sprintf(format, args...)})
}

func (l *loader) set(key, value, origin string) {
	l.out.Values.Set[key], l.out.Origins[key] = value, origin
}

// file reads Java's properties syntax; ${} is no reference to anything, as in Kafka.
func (l *loader) file(f File) {
	p, err := (&properties.Loader{Encoding: properties.UTF8, DisableExpansion: true}).LoadBytes([]byte(f.Text))
	if err != nil {
		l.unreadable(f.Name, err)
		return
	}
	for _, key := range p.Keys() {
		value, _ := p.Get(key)
		l.set(key, strings.TrimSpace(value), fmt.Sprintf("%s:%d", f.Name, lineOf(f.Text, key)))
	}
}

// missingKey is what is wrong with a line like =value.
const missingKey = "a key is missing before the value"

// unreadable says which line of a file is no property and why. The library's error has the line; of a line without a key
// it has the value and not a word more.
func (l *loader) unreadable(file string, err error) {
	at, why, ok := strings.Cut(strings.TrimPrefix(err.Error(), "properties: Line "), ": ")
	if _, bad := strconv.Atoi(at); !ok || bad != nil {
		l.wrong(file, "%v", err)
		return
	}
	switch why {
	case "invalid unicode literal", "premature EOF":
		l.wrong(file+":"+at, "%s after a backslash", why)
	default:
		l.wrong(file+":"+at, missingKey)
	}
}

// lineOf finds the line that sets a key: the last one, since that one counts.
func lineOf(text, key string) int {
	at := 0
	for i, line := range strings.Split(text, "\n") {
		rest, found := strings.CutPrefix(strings.TrimLeft(line, " \t\f"), key)
		if found && (rest == "" || strings.ContainsAny(rest[:1], " \t\f=:\r")) {
			at = i + 1
		}
	}
	return at
}

// check holds every value against the table.
func (l *loader) check() {
	for _, name := range slices.Sorted(maps.Keys(l.out.Values.Set)) {
		value, origin := l.out.Values.Set[name], l.out.Origins[name]
		k, ok := Lookup(Broker, bare(name))
		if !ok {
			message := "is no key that Kafka 4.3 knows"
			if near := Nearest(Broker, name); near != "" {
				message += "; did you mean " + near + "?"
			}
			l.note(name, origin, "%s", message)
			delete(l.out.Values.Set, name)
			continue
		}
		if err := k.Check(value); err != nil {
			l.wrong(origin, "%s", *fault.MessageOf(err))
			continue
		}
		same := k.HasDefault && value == k.Default
		switch {
		case k.Status == Refused && !same:
			l.wrong(origin, "%s=%s is not built, and to ignore it would change what is safe; take it out", name, value)
		case k.Status == Accepted && !same:
			l.note(name, origin, "is known and has no effect here")
		}
	}
}

// bare takes the listener's name off a key that is given for one listener.
func bare(name string) string {
	rest, found := strings.CutPrefix(name, "listener.name.")
	if !found {
		return name
	}
	_, key, found := strings.Cut(rest, ".")
	if !found {
		return name
	}
	return key
}

// fill completes what a lone node needs and nobody set.
func (l *loader) fill() {
	set := l.out.Values.Set
	if id, ok := set["broker.id"]; ok && set["node.id"] == "" && id != "-1" {
		set["node.id"] = id
	}
	for key, value := range lone {
		if _, ok := set[key]; !ok {
			set[key] = value
		}
	}
	if _, ok := set["broker.id"]; !ok {
		set["broker.id"] = set["node.id"] // the two are one, whichever name a client asks for
	}
	if set["log.dirs"] == "" {
		if dir, ok := set["log.dir"]; ok {
			set["log.dirs"] = dir
		} else {
			set["log.dirs"] = defaultDir
		}
	}
	if l.problems == nil {
		if _, err := ParseListeners(l.out.Values); err != nil {
			origin := "listeners"
			if o, ok := l.out.Origins["listeners"]; ok {
				origin = o
			}
			why := err.Error()
			if m := fault.MessageOf(err); m != nil {
				why = *m
			}
			l.wrong(origin, "%s", why)
		}
	}
}
