// Package twin is the suite that holds the same scripted conversations, request by request at every version of every
// API, with Apache Kafka and with milena, and compares the answers field by field.
//
// `run` lists it. What differs by nature (ids, ports, folders, the time) is made equal before; every other difference
// must stand in differences.txt with its reason, and what stands there must still occur: the list may only shrink.
// Against Apache Kafka each conversation is held with two fresh Kafka nodes: whatever differs then is not made equal
// well enough, and the suite fails.
package twin

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/suite"
)

//go:embed differences.txt
var reviewed string

// Suites lists the suite.
func Suites() []suite.Suite {
	return []suite.Suite{{Name: "twin", About: "one conversation with Apache Kafka and milena, compared field by field", Run: run}}
}

func run(ctx context.Context, s *suite.Session) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	list, err := parseList(reviewed)
	if err != nil {
		return err
	}
	if s.System == "kafka" {
		list = nil
	}
	for _, c := range conversations() {
		if err := c.compare(ctx, s, list); err != nil {
			return err
		}
	}
	s.Case("every listed difference still occurs", func() error {
		var gone []string
		for _, l := range list {
			if !l.met {
				gone = append(gone, l.pattern)
			}
		}
		if len(gone) > 0 {
			return fmt.Errorf("these occur no more, take them from the list:\n        %s", strings.Join(gone, "\n        "))
		}
		return nil
	})
	return nil
}

// conversation is one script, held with fresh nodes of both sides.
type conversation struct {
	name      string            // stands before the names of its cases and folders
	overrides map[string]string // on top of those every conversation has
	hold      func(*talk, context.Context) error
}

func conversations() []conversation {
	return []conversation{
		{"usual", map[string]string{"auto.create.topics.enable": "false"}, (*talk).everything},
		{"edges", map[string]string{"auto.create.topics.enable": "true"}, (*talk).edges},
		{"forgeries", nil, forgeries("")},
		{"forgeries by header", map[string]string{"milena.validate": "header"}, forgeries("by header: ")},
	}
}

// compare holds the conversation with Apache Kafka and with the system of the session; each API is one case.
func (c conversation) compare(ctx context.Context, s *suite.Session, list []*listed) error {
	want, err := c.with(ctx, "kafka", filepath.Join(s.Dir, c.name+"-kafka"))
	if err != nil {
		return err
	}
	got, err := c.with(ctx, s.System, filepath.Join(s.Dir, c.name+"-other"))
	if err != nil {
		return err
	}
	byAPI := map[string][]difference{}
	for _, d := range compare(want, got) {
		byAPI[d.api] = append(byAPI[d.api], d)
	}
	for _, api := range order(want) {
		s.Case(c.name+": "+api, func() error { return unlisted(byAPI[api], list) })
	}
	fmt.Fprintf(s.Log, "  %s: %d questions\n", c.name, len(want))
	return nil
}

// with starts a fresh node, holds the conversation and stops it.
func (c conversation) with(ctx context.Context, system, dir string) ([]answer, error) {
	overrides := map[string]string{
		"offsets.topic.num.partitions": "1",
		"log.retention.ms":             "-1", // the records are of long ago
	}
	maps.Copy(overrides, c.overrides)
	node, err := broker.New(system, broker.Options{Dir: dir, Overrides: overrides})
	if err != nil {
		return nil, err
	}
	if err := node.Start(ctx); err != nil {
		return nil, err
	}
	defer node.Kill9()
	t := newTalk(node.Bootstrap(), node.DataDir())
	defer t.close()
	if err := c.hold(t, ctx); err != nil {
		return nil, fmt.Errorf("%s, %s: %w", c.name, system, err)
	}
	return t.answers, node.Stop()
}

// order is the APIs in the order they came up.
func order(answers []answer) []string {
	var apis []string
	seen := map[string]bool{}
	for _, a := range answers {
		if !seen[a.api] {
			seen[a.api] = true
			apis = append(apis, a.api)
		}
	}
	return apis
}

// unlisted is an error that names the differences no line of the list allows.
func unlisted(all []difference, list []*listed) error {
	lines := map[string]string{}
	for _, d := range all {
		allowed := false
		for _, l := range list {
			if l.matches(d.key()) {
				l.met, allowed = true, true
			}
		}
		if !allowed {
			lines[d.key()] += fmt.Sprintf(" v%d", d.version)
			if strings.Count(lines[d.key()], " v") == 1 {
				lines[d.key()] = fmt.Sprintf("kafka %s, other %s, in", d.want, d.got) + lines[d.key()]
			}
		}
	}
	if len(lines) == 0 {
		return nil
	}
	var text []string
	for key, values := range lines {
		text = append(text, key+": "+values)
	}
	sort.Strings(text)
	return fmt.Errorf("%d differences are not listed:\n        %s", len(text), strings.Join(text, "\n        "))
}
