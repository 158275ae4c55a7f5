package node_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/metrics"
	"github.com/milena-io/milena/internal/node"
	"github.com/milena-io/milena/internal/wire"
)

const voters = "controller.quorum.voters"

// six is three controllers, 1 to 3, and three brokers, 4 to 6.
func newSix(t testing.TB, seed uint64) *cluster {
	c := newCluster(t, seed)
	for id := range int32(6) {
		roles := "controller"
		if id >= 3 {
			roles = "broker"
		}
		c.add(id+1, roles, voters, "1@h1:9093,2@h2:9093,3@h3:9093")
	}
	c.startAll()
	return c
}

// Controllers and brokers in processes of their own are a cluster; each of the six is killed, nothing is lost, and it comes back.
func TestControllersAndBrokersApart(t *testing.T) {
	for seed := range uint64(6) {
		c := newSix(t, seed)
		c.create(4, "t", 6)
		victim := int32(seed) + 1
		other := int32(4)
		if victim == other {
			other = 5
		}
		for _, id := range []int32{4, 5, 6} {
			c.await("every broker knows the topic", time.Second, func() bool { return len(c.leaders(id, "t")) == 6 })
			if got, want := c.at(id).node.ClusterID(), c.at(1).node.ClusterID(); got != want || want == "" {
				t.Fatalf("broker %d is of cluster %q, the controllers of %q", id, got, want)
			}
		}
		for p, leader := range c.leaders(4, "t") {
			if code, at := c.write(leader, "t", int32(p), "before"); code != kafka.ErrNone || at != 0 {
				t.Fatalf("seed %d: %v at %d", seed, code, at)
			}
		}
		c.kill(victim)
		for p := range int32(6) {
			c.await("it takes writes", 30*time.Second, func() bool {
				leader := c.leaders(other, "t")[p]
				if leader < 4 || leader == victim {
					return false
				}
				code, at := c.write(leader, "t", p, "after")
				return code == kafka.ErrNone && at == 1
			})
		}
		c.create(other, "later", 1)
		c.start(int(victim))
		c.serves(victim)
		c.await("all are in sync again", 30*time.Second, func() bool {
			return !slices.ContainsFunc(c.partitions(other, "t"), func(p kmsg.MetadataResponseTopicPartition) bool { return len(p.ISR) != 3 })
		})
		c.await("three vote, and three have found who leads", 10*time.Second, func() bool { // one after the other
			q := c.quorum(other)
			return q.LeaderID >= 1 && q.LeaderID <= 3 && len(q.CurrentVoters) == 3 && len(q.Observers) == 3
		})
	}
}

// What each role offers and keeps.
func TestWhatRolesOffer(t *testing.T) {
	c := newSix(t, 1)
	c.create(4, "t", 3)
	if n := len(c.at(1).node.Table("PLAINTEXT").Advertised(wire.Nodes)); n != 0 {
		t.Errorf("a controller has %d APIs for clients", n)
	}
	if n := len(c.at(4).node.Table("PLAINTEXT").Advertised(wire.Clients)); n < 30 {
		t.Errorf("a broker has %d APIs for clients", n)
	}
	if c.at(4).node.OfControllers("CONTROLLER") || !c.at(1).node.OfControllers("CONTROLLER") {
		t.Error("a broker listens as a controller, or a controller doesn't")
	}
	lead := c.controller(4)
	for _, id := range []int32{1, 2, 3, 4, 5, 6} {
		c.await("everybody follows the metadata", time.Second, func() bool { return c.at(id).node.Gauges().Standing().Controller.Partitions == 3 })
		s := c.at(id).node.Gauges().Standing()
		if s.State != metrics.Running || s.Controller.Active != (id == lead) || int32(s.Quorum.Leader) != lead || s.Quorum.Voters != 3 || len(s.Brokers) != 3 {
			t.Errorf("node %d tells %+v", id, s)
		}
		if want := 0; id < 4 && s.Replicas.All != want || id >= 4 && s.Replicas.All != 3 {
			t.Errorf("node %d has %d replicas", id, s.Replicas.All)
		}
	}
	req := kmsg.NewPtrDescribeClusterRequest()
	req.Version, req.EndpointType = 1, 2
	for _, id := range []int32{1, 2, 3} {
		got := ask[*kmsg.DescribeClusterResponse](c, id, req)
		if len(got.Brokers) != 3 || got.Brokers[2].NodeID != 3 || got.Brokers[2].Host != "h3" || got.Brokers[2].Port != 9093 || got.ControllerID != lead {
			t.Errorf("controllers by the word of %d: %+v", id, got)
		}
	}
	if got := ask[*kmsg.DescribeClusterResponse](c, 4, req); kafka.ErrorCode(got.ErrorCode) != kafka.ErrMismatchedEndpointType {
		t.Errorf("a broker describes controllers: %+v", got)
	}
}

// A broker without any controllers to ask doesn't start, and says so.
func TestABrokerAlone(t *testing.T) {
	c := newCluster(t, 1)
	m := c.add(4, "broker")
	err := node.CheckConfig(config.Values{Scope: config.Broker, Set: m.set})
	if err == nil || !strings.Contains(err.Error(), "controller.quorum.bootstrap.servers must contain the set of bootstrap controllers") {
		t.Errorf("its configuration: %v", err)
	}
}
