package cli

import (
	"strings"
	"testing"
)

// A node is drained, stopped, started and given its share again; what stands in the way of a stop is told.
func TestDrain(t *testing.T) {
	s := newSeveral(t)
	s.create("t", "-p", "6")
	s.until("all is well", []string{"healthy   "}, "cluster", "health")
	d := decode[drainDoc](t, s.ok("cluster", "drain", "2", "--dry-run", "-o", "json"), "cluster.drain")
	if !d.Safe || d.Leads == 0 || d.Moved != 0 {
		t.Errorf("%+v", d)
	}
	contains(t, "drained", s.ok("cluster", "drain", "2"), "node 2 leads nothing (", " moved): safe to stop")
	n := decode[nodesDoc](t, s.ok("cluster", "nodes", "-o", "json"), "cluster.nodes")
	if n.Nodes[1].Leaders != 0 || n.Nodes[0].Leaders+n.Nodes[2].Leaders != 6 {
		t.Errorf("%+v", n)
	}
	if err := s.nodes.Stop(2); err != nil {
		t.Fatal(err)
	}
	s.until("another is not safe", []string{"not safe to stop", "min.insync.replicas", "no majority"}, "cluster", "drain", "1", "--dry-run")
	if r := s.run("cluster", "drain", "1", "--wait", "1ms"); r.exit != exitFound || r.err != "" {
		t.Errorf("%+v", r)
	}
	if r := s.run("cluster", "drain", "1", "--wait", "2s"); r.exit != exitFound || !strings.Contains(r.err, "node 1 is not safe to stop yet, waiting up to ") {
		t.Errorf("it waits silently: %+v", r)
	}
	if r := s.run("cluster", "health", "--wait", "2s"); r.exit != exitFound || !strings.Contains(r.err, "not well yet, waiting up to ") || !strings.Contains(r.err, "broker down 2") {
		t.Errorf("it waits silently: %+v", r)
	}
	s.restart(2)
	s.ok("cluster", "health", "--wait", "30s")
	contains(t, "its share", s.ok("cluster", "rebalance", "--leaders", "-y"), "order only", "done: ")
	n = decode[nodesDoc](t, s.until("it leads again", []string{`"leaders":2`}, "cluster", "nodes", "-o", "json").out, "cluster.nodes")
	for _, node := range n.Nodes {
		if node.Leaders != 2 {
			t.Errorf("%+v", n)
		}
	}
	s.create("lone", "-p", "3", "-r", "1")
	s.until("the only replica", []string{"not safe to stop", "no other replica is in sync"}, "cluster", "drain", "1", "--dry-run") // once all know the topic
	for _, args := range [][]string{{"x"}, {}} {
		if r := s.run(append([]string{"cluster", "drain"}, args...)...); r.exit != exitUsage {
			t.Errorf("%+v", r)
		}
	}
	if r := s.run("cluster", "drain", "9"); r.exit != exitFailed || !strings.Contains(r.err, "there is no node 9") {
		t.Errorf("%+v", r)
	}
}

func TestElect(t *testing.T) {
	s := newSeveral(t)
	s.create("t", "-p", "3")
	s.create("sole", "-p", "3", "-r", "1")
	s.until("all is well", []string{"healthy   "}, "cluster", "health")
	contains(t, "nothing to do", s.ok("cluster", "elect"), "no election needed")
	s.kill(2)
	s.until("others lead", []string{`"broker_down"`, `"offline":1`}, "cluster", "health", "-o", "json")
	if r := s.run("cluster", "elect", "t"); r.exit != exitFailed || !strings.Contains(r.err, "keeps its leader") {
		t.Errorf("the preferred replica is down: %+v", r)
	}
	if r := s.run("cluster", "elect", "sole", "--unclean", "--last-leader", "2", "-y"); r.exit != exitFailed || !strings.Contains(r.err, "Broker 2 is not available") {
		t.Errorf("who led last is down, and nobody else is to lead: %+v", r)
	}
	s.restart(2)
	s.ok("cluster", "health", "--wait", "30s")
	d := decode[electedDoc](t, s.ok("cluster", "elect", "t", "-o", "json"), "cluster.elect")
	if len(d.Elected) != 1 || d.Needed != 5 || d.Elected[0].Was == 2 || d.Elected[0].Leader != 2 {
		t.Errorf("%+v", d)
	}
	for _, tc := range []struct {
		says string
		args []string
	}{
		{`did you mean "t"`, []string{"tt"}}, {"t-7 does not exist", []string{"t", "-p", "7"}}, {"which topic?", []string{"-p", "1"}}, {"which topic?", []string{"--unclean"}},
		{"--last-leader is for --unclean", []string{"t", "--last-leader", "2"}},
	} {
		if r := s.run(append([]string{"cluster", "elect"}, tc.args...)...); r.exit == exitOK || !strings.Contains(r.err, tc.says) {
			t.Errorf("%q: %+v", tc.args, r)
		}
	}
}
