package node_test

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/listen"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/sim/network"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/wire"
)

// guest is a broker that has no vote, on a machine of its own. It says that it lives, and no more.
type guest struct {
	c           *three
	host        string
	incarnation kafka.IncarnationID
	epoch       int64
	stop        func()
}

// join has broker 4 registered, on a machine where it answers, and unfenced.
func (c *three) join(host string) *guest {
	c.t.Helper()
	g := &guest{c: c, host: host, incarnation: kafka.IncarnationID{4, 4}}
	who := func() wire.Identity {
		return wire.Identity{ClusterID: c.at(1).node.ClusterID(), Member: wire.Member{Node: 4}, Incarnation: g.incarnation}
	}
	cfg := &listen.Config{
		Budget: wire.NewBudget(1 << 20), Limits: listen.DefaultLimits(), MaxRequestBytes: 1 << 20,
		Observer: listen.Unobserved{}, Log: listen.NewRateLimited(slog.New(slog.DiscardHandler), c.w, time.Second),
	}
	cfg.Pool = wire.NewPool(cfg.Budget, false)
	cfg.Table = wire.NewTable(map[kafka.APIKey]wire.Handler{
		kafka.KeyNodeMessages: peer.Door(who, func(wire.Member, *wire.NodeRequest) error { return nil }, nil),
		kafka.KeyApiVersions: func(req *wire.Request) {
			out := kmsg.NewPtrApiVersionsResponse()
			out.ApiKeys = cfg.Table.Advertised(wire.Nodes)
			req.Reply(wire.Reply{Message: out})
		},
	})
	g.stop = c.net.Listen(host+":9092", func(remote netip.AddrPort, receive func([]byte)) network.Served {
		return listen.Connect(cfg, c.w, wire.Peer{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Addr: remote, Principal: wire.Anonymous}, cfg.Table.Handle, receive)
	})
	r := kmsg.NewPtrBrokerRegistrationRequest()
	r.Version, r.BrokerID, r.ClusterID, r.IncarnationID, r.PreviousBrokerEpoch = 4, 4, c.at(1).node.ClusterID(), g.incarnation, -1
	r.LogDirs = [][16]byte{{0xd4, 15: 4}}
	l := kmsg.NewBrokerRegistrationRequestListener()
	l.Name, l.Host, l.Port = "PLAINTEXT", host, 9092
	r.Listeners = append(r.Listeners, l)
	for _, f := range staterecord.Known() {
		x := kmsg.NewBrokerRegistrationRequestFeature()
		x.Name, x.MinSupportedVersion, x.MaxSupportedVersion = f.Name, f.Min, f.Max
		r.Features = append(r.Features, x)
	}
	at := c.controller(1)
	got := askAt[*kmsg.BrokerRegistrationResponse](c, at, "CONTROLLER", r)
	if kafka.ErrorCode(got.ErrorCode) != kafka.ErrNone {
		c.t.Fatal(kafka.ErrorCode(got.ErrorCode))
	}
	g.epoch = got.BrokerEpoch
	if fenced, code := g.beat(at); fenced || code != kafka.ErrNone {
		c.t.Fatalf("fenced %v, %v", fenced, code)
	}
	return g
}

// beat sends a heartbeat to the controller.
func (g *guest) beat(at int32) (fenced bool, code kafka.ErrorCode) {
	b := kmsg.NewPtrBrokerHeartbeatRequest()
	b.Version, b.BrokerID, b.BrokerEpoch, b.CurrentMetadataOffset = 1, 4, g.epoch, g.epoch
	got := askAt[*kmsg.BrokerHeartbeatResponse](g.c, at, "CONTROLLER", b)
	return got.IsFenced, kafka.ErrorCode(got.ErrorCode)
}

// fenced reports whether a node shows broker 4 as fenced.
func (g *guest) fenced(at int32) bool { return g.c.at(at).node.Probe().Image().Broker(4).Fenced }

// A broker without a vote whose process ends is fenced at once by the active controller, which holds a connection to it, and also by the
// next one; one that only lost its connections, or is silent, is given its session's time.
func TestABrokerWithoutAVoteIsWatched(t *testing.T) {
	for seed := range uint64(10) {
		c := newThree(t, seed)
		g := c.join("h4")
		at := c.controller(1)
		c.w.Run(time.Second)
		c.net.Break("h4", "h1")
		c.net.Break("h4", "h2")
		c.net.Break("h4", "h3")
		c.w.Run(time.Second)
		c.net.Isolated("h4", true)
		c.w.Run(2 * time.Second)
		if g.fenced(at) {
			t.Fatalf("seed %d: a broker is given up that nobody proved to be dead", seed)
		}
		c.net.Isolated("h4", false)
		c.w.Run(2 * time.Second)
		if seed%2 == 0 { // the next controller watches, too
			c.kill(at)
			g.c.await("another controls", 5*time.Second, func() bool { return c.controller(at%3+1) != at && c.controller(at%3+1) > 0 })
			at = c.controller(at%3 + 1)
			c.w.Run(time.Second)
		}
		g.stop()
		c.net.Kill("h4")
		c.await("it is fenced", 300*time.Millisecond, func() bool { return g.fenced(at) })
	}
}
