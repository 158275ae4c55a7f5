package network_test

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/node"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/sim/network"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// TestAWholeNodeLivesOnTheNetwork: another machine asks it, and hears when it is killed.
func TestAWholeNodeLivesOnTheNetwork(t *testing.T) {
	w := world.NewVirtual(1)
	net := network.New(w, 1, network.LAN())
	process := world.NewProcess(w)
	set := map[string]string{
		"node.id": "1", "process.roles": "broker,controller", "listeners": "PLAINTEXT://b:9092", "log.dirs": "data",
		"controller.listener.names": "CONTROLLER",
	}
	ready := false
	n, err := node.Start(node.Options{
		World: process, FS: disk.NewMem(), Values: config.Values{Scope: config.Broker, Set: set}, Logger: slog.New(slog.DiscardHandler),
		Failed: func(err error) { t.Error(err) },
	}, func(err error) { ready = err == nil })
	if err != nil {
		t.Fatal(err)
	}
	net.Listen("b:9092", func(remote netip.AddrPort, receive func([]byte)) network.Served {
		return n.Connect(wire.Peer{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Addr: remote, Principal: wire.Anonymous}, receive)
	})
	if !w.RunUntil(time.Minute, func() bool { return ready }) {
		t.Fatal("the node does not start")
	}
	o := peer.DefaultOptions()
	o.World, o.Dialer, o.Pool = w, net.Dialer("a"), wire.NewPool(wire.NewBudget(1<<20), true)
	var ended []peer.Ending
	c := peer.New(o).Channel("b:9092", func(e peer.Ending) { ended = append(ended, e) })
	var got *kmsg.DescribeClusterResponse
	c.AskMessage(kmsg.NewPtrDescribeClusterRequest(), time.Minute, func(resp kmsg.Response, err error) {
		if err != nil {
			t.Error(err)
			return
		}
		got = resp.(*kmsg.DescribeClusterResponse)
	})
	w.Run(time.Second)
	if got == nil || got.ControllerID != 1 || len(got.Brokers) != 1 || got.Brokers[0].Host != "b" {
		t.Fatalf("%+v", got)
	}
	process.Kill()
	net.Kill("b")
	w.Run(time.Second)
	if len(ended) != 1 || ended[0].How != peer.Broken {
		t.Fatalf("%v", ended)
	}
}
