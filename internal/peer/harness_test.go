package peer_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/listen"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/sim/network"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// sessions is a server's side with these handlers, and ApiVersions.
func sessions(w world.World, handlers map[kafka.APIKey]wire.Handler) *listen.Config {
	c := &listen.Config{
		Budget: wire.NewBudget(256 << 20), Limits: listen.DefaultLimits(), MaxRequestBytes: 100 << 20,
		Observer: listen.Unobserved{}, Log: listen.NewRateLimited(slog.New(slog.DiscardHandler), w, time.Second),
	}
	c.Pool = wire.NewPool(c.Budget, true)
	if handlers[kafka.KeyApiVersions] == nil {
		handlers[kafka.KeyApiVersions] = func(req *wire.Request) {
			out := kmsg.NewPtrApiVersionsResponse()
			audience := wire.Clients
			if req.Body.(*kmsg.ApiVersionsRequest).ClientSoftwareName == wire.NodeSoftware {
				audience = wire.Nodes
			}
			out.ApiKeys = c.Table.Advertised(audience)
			req.Reply(wire.Reply{Message: out})
		}
	}
	c.Table = wire.NewTable(handlers)
	return c
}

// town is a few machines in a virtual world. JoinGroup is answered with the member id of the request, SyncGroup by nobody,
// and everything is noted.
type town struct {
	t        testing.TB
	w        *world.Virtual
	net      *network.Network
	servers  []*listen.Config
	identity map[string]*wire.Identity
	seen     []string // member ids and groups that reached a server
	parked   []*wire.Request
	taken    []string // Raft messages
	refuses  error    // what the door answers to messages
	accepts  []time.Duration
	peers    *peer.Peers
	budget   *wire.Budget
	endings  []peer.Ending
}

func newTown(t testing.TB, seed uint64) *town {
	w := world.NewVirtual(seed)
	return &town{
		t: t, w: w, net: network.New(w, seed, network.LAN()), identity: map[string]*wire.Identity{}, budget: wire.NewBudget(64 << 20),
	}
}

// options are those of a node on host a.
func (o *town) options() peer.Options {
	p := peer.DefaultOptions()
	p.World, p.Dialer, p.Pool = o.w, o.net.Dialer("a"), wire.NewPool(o.budget, true)
	return p
}

func (o *town) channel(addr string) *peer.Channel {
	if o.peers == nil {
		o.peers = peer.New(o.options())
	}
	return o.peers.Channel(addr, func(e peer.Ending) { o.endings = append(o.endings, e) })
}

func (o *town) handlers(host string) map[kafka.APIKey]wire.Handler {
	return map[kafka.APIKey]wire.Handler{
		kafka.KeyJoinGroup: func(req *wire.Request) {
			in := req.Body.(*kmsg.JoinGroupRequest)
			o.seen = append(o.seen, in.MemberID)
			out := in.ResponseKind().(*kmsg.JoinGroupResponse)
			out.MemberID = in.MemberID
			req.Reply(wire.Reply{Message: out})
		},
		kafka.KeySyncGroup: func(req *wire.Request) {
			o.seen = append(o.seen, req.Body.(*kmsg.SyncGroupRequest).Group)
			o.parked = append(o.parked, req)
		},
		kafka.KeyFetch: func(req *wire.Request) {
			req.Reply(wire.Reply{Payload: fetched(req.Version, int(req.Fetch.MaxBytes))})
		},
		kafka.KeyNodeMessages: peer.Door(func() wire.Identity { return *o.identity[host] }, func(from wire.Member, r *wire.NodeRequest) error {
			for m := range r.All {
				o.taken = append(o.taken, fmt.Sprintf("%d to %d: %s", from.Node, r.To.Node, m))
			}
			return o.refuses
		}, greet),
	}
}

// fetched is an answer to Fetch with so many bytes of records in one partition.
func fetched(version int16, n int) *wire.Payload {
	return wire.EncodeFetch(version, &wire.FetchAnswer{Partitions: []wire.FetchPartition{{
		TopicID: kafka.TopicID{7}, Partition: 3, HighWatermark: 9, Records: []wire.Piece{{Bytes: pattern(n)}},
	}}})
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8)
	}
	return b
}

// serve starts a process on a host, with a new incarnation of its node.
func (o *town) serve(host string, node kafka.NodeID) (stop func()) {
	o.identity[host] = &wire.Identity{
		ClusterID: "c", Member: wire.Member{Node: node, Directory: kafka.DirectoryID{byte(node)}},
		Incarnation: kafka.IncarnationID(o.w.UUID()), StartedMs: o.w.Now().WallMs,
	}
	return o.serveWith(host, o.handlers(host))
}

func (o *town) serveWith(host string, handlers map[kafka.APIKey]wire.Handler) (stop func()) {
	cfg := sessions(o.w, handlers)
	o.servers = append(o.servers, cfg)
	return o.net.Listen(host+":9092", func(remote netip.AddrPort, receive func([]byte)) network.Served {
		o.accepts = append(o.accepts, o.w.Now().Mono)
		who := wire.Peer{Listener: "CONTROLLER", Protocol: "PLAINTEXT", Addr: remote, Principal: wire.Anonymous}
		return listen.Connect(cfg, o.w, who, cfg.Table.Handle, receive)
	})
}

// asked is what became of a request.
type asked struct {
	done   int
	at     time.Duration
	member string
	err    error
}

func (o *town) join(c *peer.Channel, member string, timeout time.Duration) *asked {
	a := &asked{}
	m := kmsg.NewPtrJoinGroupRequest()
	m.MemberID = member
	c.AskMessage(m, timeout, func(resp kmsg.Response, err error) {
		if a.done++; a.done > 1 {
			o.t.Errorf("%s is answered twice", member)
		}
		a.at, a.err = o.w.Now().Mono, err
		if err == nil {
			a.member = resp.(*kmsg.JoinGroupResponse).MemberID
			if a.member != member {
				o.t.Errorf("%s gets the answer to %s", member, a.member)
			}
		}
	})
	if a.done != 0 {
		o.t.Errorf("%s is answered inline", member)
	}
	return a
}

// park asks what nobody answers.
func (o *town) park(c *peer.Channel, group string, timeout time.Duration) *asked {
	a := &asked{}
	m := kmsg.NewPtrSyncGroupRequest()
	m.Group = group
	c.AskMessage(m, timeout, func(_ kmsg.Response, err error) {
		a.done++
		a.at, a.err = o.w.Now().Mono, err
	})
	return a
}

// wantLost checks how a request was lost.
func (o *town) wantLost(a *asked, how peer.How, maybe bool) {
	o.t.Helper()
	var l *peer.Lost
	if a.done != 1 || !errors.As(a.err, &l) || l.How != how || l.MaybeSent != maybe {
		o.t.Fatalf("answered %d times, with %v; want %v, maybe sent %v", a.done, a.err, how, maybe)
	}
}

func (o *town) wantAnswered(all ...*asked) {
	o.t.Helper()
	for i, a := range all {
		if a.done != 1 || a.err != nil {
			o.t.Fatalf("request %d is answered %d times, with %v", i, a.done, a.err)
		}
	}
}

func (o *town) wantEndings(want ...peer.How) {
	o.t.Helper()
	var got []peer.How
	for _, e := range o.endings {
		got = append(got, e.How)
	}
	if !slices.Equal(got, want) {
		o.t.Fatalf("connections ended %v, want %v", o.endings, want)
	}
}

// wantQuiet checks that all memory was given back.
func (o *town) wantQuiet() {
	o.t.Helper()
	if used := o.budget.Used(); used != 0 {
		o.t.Fatalf("%d bytes stay charged", used)
	}
}

// versions is the body of an answer to ApiVersions, in the newest version.
func versions(table *wire.Table) []byte {
	out := kmsg.NewPtrApiVersionsResponse()
	api, _ := wire.Lookup(kafka.KeyApiVersions)
	out.SetVersion(api.Max)
	out.ApiKeys = table.Advertised(wire.Nodes)
	return out.AppendTo(nil)
}

// greet answers a greeting, unless it is rude.
func greet(g []byte) ([]byte, error) {
	if string(g) == "rude" {
		return nil, fault.New("test", kafka.ErrInconsistentVoterSet, "nobody says that")
	}
	return append([]byte("and "), g...), nil
}
