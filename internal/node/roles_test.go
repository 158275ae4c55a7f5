package node

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/feed"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/metrics"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// beside is the way to a controller that runs in the same process.
type beside struct {
	feed.Source
	to        *Node
	forwarded map[kafka.APIKey]int
	starts    []controller.RegisterBroker // that came this way
}

func (b *beside) Submit(timeout time.Duration, cmd controller.Command, done func(any, error)) {
	if r, ok := cmd.(controller.RegisterBroker); ok {
		b.starts = append(b.starts, r)
	}
	b.to.control.Submit(timeout, cmd, done)
}

func (b *beside) Forward(r *wire.Request) bool {
	b.forwarded[r.Key]++
	b.to.Table("CONTROLLER").Handle(r)
	return true
}

func (b *beside) Describe() quorum.Description { return b.to.control.Describe() }

func (b *beside) KRaftVersion() int16 { return b.to.control.KRaftVersion() }

func (b *beside) Active() bool { return false }

// apart boots a node that is only a controller, and gives the rig of a broker that goes by it, not booted yet.
func apart(t *testing.T) (c, b *rig) {
	t.Helper()
	c = newRig(t, "node.id", "3000", "process.roles", "controller", "listeners", "CONTROLLER://three:9093",
		"controller.quorum.voters", "3000@three:9093")
	b = unbooted(t, "process.roles", "broker", "controller.quorum.voters", "3000@three:9093")
	b.w, b.clusterID = c.w, c.n.ClusterID()
	b.plane = &beside{Source: c.n.control, to: c.n, forwarded: map[kafka.APIKey]int{}}
	return c, b
}

// A controller and a broker that are apart are a cluster: the controller decides and keeps no replica, the broker keeps them and
// has no quorum.
func TestAControllerAndABrokerApart(t *testing.T) {
	c, b := apart(t)
	c.logs.info, b.logs.info = true, true
	b.boot()
	b.create("t", 3)
	for p := range int32(3) {
		wantCode(t, b.write("t", p, plain("x", "y")).ErrorCode, kafka.ErrNone)
		b.wantValues("t", p, "x", "y")
	}
	b.coordinate("g")
	b.commit("g", "t", 0, 1)
	if b.plane.forwarded[kafka.KeyCreateTopics] != 1 || b.plane.forwarded[kafka.KeyMetadata]+b.plane.forwarded[kafka.KeyProduce] > 0 {
		t.Errorf("passed on to the controller: %v", b.plane.forwarded)
	}
	for _, r := range []*rig{c, b} {
		img := r.n.feed.Image()
		if img.TopicNamed("t") == nil || img.Broker(1) == nil || img.Broker(3000) != nil {
			t.Errorf("node %s: the cluster is not as it should be", r.set["node.id"])
		}
	}
	if _, own := b.n.control.(ownPlane); own || b.n.metadata.Load() != nil || c.n.groups != nil || len(c.n.replicas.All()) != 0 || len(b.n.replicas.All()) == 0 {
		t.Error("somebody has what is not his")
	}
	if s := c.n.Gauges().Standing(); s.State != metrics.Running || !s.Controller.Active || s.Replicas.All != 0 {
		t.Errorf("the controller tells %+v", s)
	}
	if s := b.n.Gauges().Standing(); s.State != metrics.Running || s.Controller.Active || s.Replicas.Led == 0 || s.Quorum.Leader != 3000 {
		t.Errorf("the broker tells %+v", s)
	}
	for _, how := range []func(){b.restart, b.kill} {
		how()
		b.wantValues("t", 2, "x", "y")
		if got := b.n.storage.ClusterID(); got != c.n.ClusterID() {
			t.Errorf("the broker is of cluster %s, the controller of %s", got, c.n.ClusterID())
		}
	}
	b.halt()
	for _, p := range []int32{0, 1, 2} {
		at, _ := c.n.feed.Image().TopicNamed("t").Partition(p)
		if at.Leader != kafka.NoNode {
			t.Errorf("t-%d is led by %d, which has stopped", p, at.Leader)
		}
	}
	c.restart()
	if c.n.feed.Image().TopicNamed("t") == nil {
		t.Error("the controller has forgotten a topic")
	}
}

// What each role offers, and on which listener.
func TestWhatRolesOffer(t *testing.T) {
	c, b := apart(t)
	b.boot()
	if n := len(c.n.Table("PLAINTEXT").Advertised(wire.Nodes)); n != 0 {
		t.Errorf("a controller has %d APIs for clients", n)
	}
	if n := len(b.n.Table("PLAINTEXT").Advertised(wire.Clients)); n < 30 {
		t.Errorf("a broker has %d APIs for clients", n)
	}
	if len(b.n.edge.controllers.listeners) != 0 || b.n.OfControllers("CONTROLLER") {
		t.Error("a broker listens as a controller")
	}
	l := c.connect("CONTROLLER")
	req := kmsg.NewPtrDescribeClusterRequest()
	req.Version, req.EndpointType = 1, 2
	got := askOn[*kmsg.DescribeClusterResponse](l, req)
	if len(got.Brokers) != 1 || got.Brokers[0].NodeID != 3000 || got.Brokers[0].Host != "three" || got.ControllerID != 3000 {
		t.Errorf("controllers %+v", got)
	}
	for key, h := range c.n.forControllers() {
		if api, ok := c.n.Table("CONTROLLER").API(key); h == nil || !ok || !api.OnControllers {
			t.Errorf("%v is offered on a listener of controllers", key)
		}
	}
	for key := range b.n.forClients() {
		if api, _ := b.n.Table("PLAINTEXT").API(key); api.Internal {
			t.Errorf("%v is offered to clients", key)
		}
	}
}

// A broker that knows no cluster forms none, and one that has no way to controllers doesn't start.
func TestABrokerAlone(t *testing.T) {
	_, b := apart(t)
	b.proc, b.clusterID = world.NewProcess(b.w), ""
	if _, err := Start(b.options(), func(error) {}); err == nil || !strings.Contains(err.Error(), "data belongs to no cluster yet") {
		t.Errorf("without a cluster: %v", err)
	}
	b.plane = nil
	if _, err := Start(b.options(), func(error) {}); err == nil || !strings.Contains(err.Error(), "leaves the controllers to other nodes") {
		t.Errorf("without controllers: %v", err)
	}
	if err := CheckConfig(config.Values{Scope: config.Broker, Set: b.set}); err == nil {
		t.Error("its configuration is taken")
	}
}
