package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena"
	"github.com/milena-io/milena/milenatest"
)

// several is a cluster of three nodes and how commands are run against it.
type several struct {
	cluster
	nodes *milena.Cluster
}

func newSeveral(t *testing.T, settings ...string) *several {
	t.Helper()
	c := milenatest.StartCluster(t, 3, settings...)
	return &several{cluster{t, c.BootstrapServers()}, c}
}

// create makes a topic, and waits until every broker that is up knows it: what asks about it next may ask any of them.
func (s *several) create(topic string, args ...string) {
	s.t.Helper()
	s.cluster.create(topic, args...)
	ctx := within(s.t)
	for _, addr := range strings.Split(s.addr, ",") {
		one := cluster{s.t, addr}
		for r := one.run("topic", "describe", topic); r.exit == exitFailed; r = one.run("topic", "describe", topic) {
			select {
			case <-ctx.Done():
				s.t.Fatalf("the broker at %s doesn't know topic %s: %+v", addr, topic, r)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
}

// kill ends a node as kill -9 does.
func (s *several) kill(id int) {
	s.t.Helper()
	if err := s.nodes.Kill(id); err != nil {
		s.t.Fatal(err)
	}
}

// restart starts a node again.
func (s *several) restart(id int) {
	s.t.Helper()
	if err := s.nodes.Start(within(s.t), id); err != nil {
		s.t.Fatal(err)
	}
}

// until runs a command again and again until its output has every part.
func (s *several) until(what string, parts []string, args ...string) result {
	s.t.Helper()
	for ctx := within(s.t); ; {
		r := s.run(args...)
		has := true
		for _, p := range parts {
			has = has && strings.Contains(r.out+r.err, p)
		}
		if has {
			return r
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("%s: milena %s: exit %d\n%s%s", what, strings.Join(args, " "), r.exit, r.out, r.err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
