package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func kinds(d healthDoc) (out []string) {
	for _, f := range d.Findings {
		out = append(out, f.Kind)
	}
	return out
}

// A node is killed, another one after it, and both come back: health, quorum and nodes tell what is so, and what is gone.
func TestHealthWhileNodesDie(t *testing.T) {
	s := newSeveral(t)
	s.create("orders", "-p", "3")
	d := decode[healthDoc](t, s.until("all is well", []string{`"healthy":true`}, "cluster", "health", "-o", "json").out, "cluster.health")
	if d.Brokers != 3 || d.BrokersUp != 3 || d.Voters != 3 || d.VotersAway != 0 || d.Controller < 1 || d.Partitions != 3 || len(d.Findings) != 0 {
		t.Errorf("%+v", d)
	}
	contains(t, "healthy", s.ok("cluster", "health"), "healthy   3 brokers · quorum 3 of 3, led by ", " · 3 partitions, all in sync\n")
	q := decode[quorumDoc](t, s.ok("cluster", "quorum", "-o", "json"), "cluster.quorum")
	if len(q.Nodes) != 3 || q.Leader != d.Controller || slices.ContainsFunc(q.Nodes, func(n quorumNode) bool { return n.Away || n.Endpoint == "?" || n.Lag < 0 }) {
		t.Errorf("%+v", q)
	}
	s.kill(2)
	r := s.until("everybody noticed", []string{`"voters_away":1`, `"under_replicated":3`}, "cluster", "health", "-o", "json")
	d = decode[healthDoc](t, r.out, "cluster.health")
	if r.exit != exitFound || !slices.Equal(kinds(d), []string{"voter_away", "broker_down", "under_replicated"}) || d.BrokersUp != 2 {
		t.Errorf("exit %d, %+v", r.exit, d)
	}
	contains(t, "unhealthy", s.run("cluster", "health").out, "unhealthy   2 of 3 brokers up", "broker 2  down", "orders-0, orders-1, orders-2  missing replica 2",
		"next: milena explain partition orders 0")
	n := decode[nodesDoc](t, s.ok("cluster", "nodes", "-o", "json"), "cluster.nodes")
	if len(n.Nodes) != 3 || n.Nodes[1].State != "down" || n.Nodes[1].Missing != 3 || n.Nodes[1].Leaders != 0 || n.Nodes[0].State != "up" || !n.Nodes[0].Voter {
		t.Errorf("%+v", n)
	}
	contains(t, "the table", s.ok("cluster", "nodes"), "broker, controller (active)", "DOWN")
	contains(t, "the quorum", s.ok("cluster", "quorum"), "AWAY", "leader", "voter")
	s.kill(3)
	s.until("no quorum", []string{"no controller", "more than half of its voters have to be up", "when somebody led it last"}, "cluster", "health")
	if r := s.run("cluster", "drain", "1", "--dry-run"); r.exit != exitFound || !strings.Contains(r.out, "the metadata quorum has no leader") {
		t.Errorf("a drain without a quorum: %+v", r)
	}
	if r := s.run("cluster", "quorum"); r.exit != exitFailed || !strings.Contains(r.err, "nobody leads the metadata quorum: more than half of its voters") {
		t.Errorf("%+v", r)
	}
	for _, command := range [][]string{
		{"cluster", "elect"}, {"cluster", "rebalance", "--yes"}, {"reassign", "plan", "--topics", "orders"},
		{"topic", "create", "late", "--timeout", "1s"}, {"topic", "alter", "orders", "-c", "retention.ms=1000", "--timeout", "1s"},
	} {
		if r := s.run(command...); r.exit != exitUnreachable || !strings.Contains(r.err, "nobody leads the metadata quorum: more than half of its voters") {
			t.Errorf("%v: %+v", command, r)
		}
	}
	// Nobody is left to write that node 3 is down, unless its end was seen between its ports and its quorum, which go one after the other.
	n = decode[nodesDoc](t, s.ok("cluster", "nodes", "-o", "json"), "cluster.nodes")
	if st := n.Nodes[2].State; n.Nodes[1].State != "down" || st != "silent" && st != "down" {
		t.Errorf("without a quorum: %+v", n)
	}
	contains(t, "the table without a quorum", s.ok("cluster", "nodes"), "DOWN", strings.ToUpper(n.Nodes[2].State))
	contains(t, "explained without a quorum", s.ok("explain", "partition", "orders", "0"), "orders-0 ", "replicas ")
	s.restart(2)
	s.restart(3)
	if r := s.run("cluster", "health", "--wait", "30s"); r.exit != exitOK {
		t.Errorf("%+v", r)
	}
}

// One node alone is a cluster, too.
func TestHealthOfOneNode(t *testing.T) {
	c := newCluster(t)
	c.create("a")
	contains(t, "one node", c.ok("cluster", "health"), "healthy   1 broker · quorum 1 of 1, led by 1 · 1 partition, all in sync")
	contains(t, "one node", c.ok("cluster", "quorum"), "leader")
	contains(t, "one node", c.ok("cluster", "nodes"), "broker, controller (active)")
	contains(t, "one node", c.ok("explain", "partition", "a-0"), "a-0 is as it should be")
}

// A voter whose directory was replaced is away for good, and the way to give its node a vote again is told.
func TestHealthTellsOfAVoterWithAnotherDirectory(t *testing.T) {
	q := &quorumState{DescribeQuorumResponseTopicPartition: kmsg.DescribeQuorumResponseTopicPartition{
		LeaderID: 1,
		CurrentVoters: []voterState{
			{ReplicaID: 1, LastFetchTimestamp: 90_000, LastCaughtUpTimestamp: 90_000}, {ReplicaID: 2, ReplicaDirectoryID: [16]byte{15: 7}, LastFetchTimestamp: 1_000},
			{ReplicaID: 3, LastFetchTimestamp: -1},
		},
		Observers: []voterState{{ReplicaID: 2, ReplicaDirectoryID: [16]byte{15: 8}, LastFetchTimestamp: 89_990}},
	}}
	d := healthDoc{}
	d.judgeQuorum(&clusterState{quorum: q})
	if !slices.Equal(kinds(d), []string{"voter_away", "voter_away"}) || d.VotersAway != 2 {
		t.Fatalf("%+v", d)
	}
	contains(t, "replaced", d.Findings[0].Text, "voter 2", "without a vote", "remove-controller --controller-id 2 --controller-directory-id AAAAAAAAAAAAAAAAAAAABw,", "add-controller")
	if text := d.Findings[1].Text; text != "voter 3  away from the metadata quorum: this leader has not heard it" {
		t.Error(text)
	}
}
