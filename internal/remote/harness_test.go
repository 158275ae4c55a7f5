package remote_test

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	mrand "math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/broker/cluster"
	"github.com/milena-io/milena/internal/broker/nodes"
	"github.com/milena-io/milena/internal/broker/topics"
	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/feed"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/listen"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/remote"
	"github.com/milena-io/milena/internal/sim/network"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

const (
	clusterID = "cluster"
	metaDir   = "data/" + kafka.MetadataTopic + "-0"
)

// town is three controllers, each on a host of its own, and a broker on host b, in a world of one goroutine. Raft's messages go
// beside the network, and are cut where that is.
type town struct {
	t           testing.TB
	w           *world.Virtual
	net         *network.Network
	controllers []*seat
	voters      []record.Voter
	peers       *peer.Peers
	budget      *wire.Budget
	awaited     []kafka.Offset
	told        kafka.LeaderEpoch // of the leader that the broker heard of last
	leader      kafka.NodeID
	suspect     func(b *image.Broker, done func(bool))
}

// seat is one controller: Raft, the real machine, and the area's handlers on a listener.
type seat struct {
	town    *town
	key     quorum.Key
	host    string
	proc    *world.Process
	machine *controller.Machine
	q       *quorum.Quorum
	feed    *feed.Feed
	table   *wire.Table
	budget  *wire.Budget
	cut     bool
	chunks  int                           // pieces of snapshots that it was asked for
	blocks  []kafka.ProducerID            // that it decided on
	slow    time.Duration                 // before a command is decided
	handle  map[kafka.APIKey]wire.Handler // a test's, in place of the areas'
}

type seeded struct{ *mrand.Rand }

func (s seeded) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s.Uint32())
	}
	return len(b), nil
}

var _ io.Reader = seeded{}

func newTown(t testing.TB, seed uint64) *town {
	saved := rand.Reader // Raft draws its election timeouts from it
	rand.Reader = seeded{mrand.New(mrand.NewPCG(seed, 7))}
	t.Cleanup(func() { rand.Reader = saved })
	w := world.NewVirtual(seed)
	o := &town{t: t, w: w, net: network.New(w, seed, network.LAN()), budget: wire.NewBudget(64 << 20), leader: kafka.NoNode, told: -1}
	for i := range 3 {
		k := quorum.Key{NodeID: kafka.NodeID(i + 1), DirectoryID: kafka.DirectoryID(w.UUID())}
		s := &seat{town: o, key: k, host: fmt.Sprintf("c%d", i+1)}
		o.controllers = append(o.controllers, s)
		o.voters = append(o.voters, record.Voter{ID: k.NodeID, Directory: k.DirectoryID, MaxKRaft: 1,
			Endpoints: []record.Endpoint{{Name: "CONTROLLER", Host: s.host, Port: 9093}}})
	}
	for _, s := range o.controllers {
		s.start()
	}
	p := peer.DefaultOptions()
	p.World, p.Dialer, p.Pool = w, o.net.Dialer("b"), wire.NewPool(o.budget, true)
	o.peers = peer.New(p)
	return o
}

func noErr(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *seat) start() {
	o := s.town
	s.proc = world.NewProcess(o.w)
	fs := disk.NewMem()
	dir, err := log.OpenDir(fs, "data", log.Identity{ClusterID: clusterID, NodeID: s.key.NodeID})
	noErr(o.t, err)
	noErr(o.t, dir.Format(log.Meta{ClusterID: clusterID, NodeID: s.key.NodeID, DirectoryID: s.key.DirectoryID}))
	noErr(o.t, quorum.Format(fs, metaDir, o.voters, o.w.Now()))
	c := log.DefaultConfig()
	c.Accept.TimestampBeforeMaxMs, c.Accept.TimestampAfterMaxMs, c.Keep.Delete = 1<<62, 1<<62, false
	l, err := log.Open(dir.Options(kafka.TopicPartition{Topic: kafka.MetadataTopic}, c, o.w.Now()))
	noErr(o.t, err)
	s.machine = controller.New(controller.Options{
		Node: s.key.NodeID, DefaultPartitions: 1, DefaultReplicas: 1, SessionTimeout: 9 * time.Second, Seed: 7, Supported: cluster.Supported(),
	})
	s.feed = feed.New(o.w.Go, func(image.Delta) {}, func(err error) { o.t.Errorf("the feed of node %d: %v", s.key.NodeID, err) })
	s.q, err = quorum.Open(quorum.Options{
		World: s.proc, FS: fs, Dir: metaDir, Log: quorum.DiskLog(l), Flusher: disk.NewFlusher(s.proc, "data"), Machine: s.machine,
		Self: s.key, Cluster: clusterID, Config: quorum.Config{IdleInterval: -1}, Send: s.send, Await: s.feed.WaitFor,
		Failed: func(err error) { o.t.Errorf("node %d: %v", s.key.NodeID, err) },
	})
	noErr(o.t, err)
	s.feed.Start(s.q)
	s.q.Start()
	s.serve()
}

// send carries a message of Raft.
func (s *seat) send(to quorum.Voter, msg []byte) {
	other := s.town.controllers[to.ID-1]
	if s.cut || other.cut || !s.proc.Alive() {
		return
	}
	s.town.w.After(200*time.Microsecond, func() {
		if other.proc.Alive() && !other.cut {
			_ = other.q.Receive(quorum.Envelope{Cluster: clusterID, From: s.key, To: other.key}, msg) // a stale one is refused
		}
	})
}

// Submit implements the handlers' Controller. It notes blocks of producer ids that are decided.
func (s *seat) Submit(_ time.Duration, cmd controller.Command, done func(reply any, err error)) {
	submit := func() {
		s.q.Submit(cmd, func(reply any, err error) {
			if ids, ok := reply.(controller.ProducerIDs); ok && err == nil {
				s.blocks = append(s.blocks, ids.First)
			}
			done(reply, err)
		})
	}
	if s.slow > 0 {
		s.proc.After(s.slow, submit)
		return
	}
	submit()
}

// seatQuorum and seatNode are what node connects.
type seatQuorum struct {
	nodes.Quorum
	s *seat
}

func (q seatQuorum) Leader() (kafka.NodeID, kafka.LeaderEpoch) { return q.s.q.Leader() }
func (q seatQuorum) Voters() []record.Voter                    { return q.s.town.voters }

func (s *seat) ClusterID() string        { return clusterID }
func (s *seat) Table(string) *wire.Table { return s.table }
func (s *seat) Shown() kafka.Offset      { return s.feed.Offset() + 1 }
func (s *seat) Suspect(b *image.Broker, done func(dead bool, alive string)) {
	s.town.suspect(b, func(dead bool) { done(dead, "") })
}
func (s *seat) Meet(_ *image.Controller, done func(alive string)) { done("") }

// plain are the settings of a broker without any.
type plain struct{ topics.Settings }

func (plain) TopicLayers() config.Layers { return config.Layers{} }
func (plain) DeleteEnabled() bool        { return true }

func (s *seat) serve() {
	w := s.proc
	s.budget = wire.NewBudget(64 << 20)
	n := nodes.New(nodes.Options{
		World: w, Image: s.feed.Image, Controller: s, Quorum: seatQuorum{s: s}, Node: s, Budget: s.budget, Timeout: 10 * time.Second, Listener: "CONTROLLER",
	})
	tp := topics.New(w, s.feed.Image, s, nil, plain{})
	s.table = wire.NewTable(map[kafka.APIKey]wire.Handler{
		kafka.KeyAlterPartition: n.AlterPartition, kafka.KeyBrokerRegistration: n.BrokerRegistration, kafka.KeyBrokerHeartbeat: n.BrokerHeartbeat,
		kafka.KeyUnregisterBroker: n.UnregisterBroker, kafka.KeyAllocateProducerIds: n.AllocateProducerIds,
		kafka.KeyControllerRegistration: n.ControllerRegistration, kafka.KeyAssignReplicasToDirs: n.AssignReplicasToDirs, kafka.KeyEnvelope: s.or(n.Envelope),
		kafka.KeyCreateTopics: s.or(tp.CreateTopics), kafka.KeyDeleteTopics: tp.DeleteTopics,
		kafka.KeyFetch: n.Fetch, kafka.KeyFetchSnapshot: n.FetchSnapshot,
		kafka.KeyDescribeQuorum: s.or(func(req *wire.Request) { req.Reply(wire.Reply{Close: true}) }), // no area is here for it
		kafka.KeyApiVersions: func(req *wire.Request) {
			out := kmsg.NewPtrApiVersionsResponse()
			out.ApiKeys = s.table.Advertised(wire.Nodes)
			req.Reply(wire.Reply{Message: out})
		},
	})
	cfg := &listen.Config{
		Table: s.table, Budget: s.budget, Pool: wire.NewPool(s.budget, true), Limits: listen.DefaultLimits(), MaxRequestBytes: 100 << 20,
		Observer: listen.Unobserved{}, Log: listen.NewRateLimited(slog.New(slog.DiscardHandler), w, time.Second),
	}
	s.town.net.Listen(s.host+":9093", func(remote netip.AddrPort, receive func([]byte)) network.Served {
		who := wire.Peer{Listener: "CONTROLLER", Protocol: "PLAINTEXT", Addr: remote, Principal: wire.Anonymous}
		return listen.Connect(cfg, w, who, s.table.Handle, receive)
	})
}

// or is an area's handler, unless a test has another.
func (s *seat) or(area wire.Handler) wire.Handler {
	return func(req *wire.Request) {
		if h := s.handle[req.Key]; h != nil {
			h(req)
			return
		}
		area(req)
	}
}

// isolate cuts or heals a controller.
func (s *seat) isolate(cut bool) {
	s.cut = cut
	s.town.net.Isolated(s.host, cut)
}

// kill ends its process.
func (s *seat) kill() {
	s.proc.Kill()
	s.town.net.Kill(s.host)
}

// options are the broker's. What it knows of the leader it has heard from who can reach it.
func (o *town) options() remote.Options {
	return remote.Options{
		World: o.w, Peers: o.peers, Self: 9, ClusterID: func() string { return clusterID },
		Where: remote.Whereabouts{
			Leader: o.known, Voters: func() []record.Voter { return o.voters }, Listener: "CONTROLLER",
		},
		Await: func(end kafka.Offset, done func()) {
			o.awaited = append(o.awaited, end)
			o.w.After(time.Millisecond, done)
		},
	}
}

// known is the newest leader that a controller which the broker can reach believes in.
func (o *town) known() (kafka.NodeID, kafka.LeaderEpoch) {
	for _, s := range o.controllers {
		if s.cut || !s.proc.Alive() {
			continue
		}
		if id, epoch := s.q.Leader(); epoch > o.told || epoch == o.told && id != kafka.NoNode {
			o.leader, o.told = id, epoch
		}
	}
	return o.leader, o.told
}

// active is the controller that takes commands now and can be reached; nil for none.
func (o *town) active() *seat {
	for _, s := range o.controllers {
		if s.proc.Alive() && !s.cut && s.q.Active() {
			return s
		}
	}
	return nil
}

func (o *town) awaitActive() *seat {
	o.t.Helper()
	if !o.w.RunUntil(time.Minute, func() bool { return o.active() != nil }) {
		o.t.Fatal("nobody leads")
	}
	return o.active()
}

// form makes a cluster of what the log begins with.
func (o *town) form() *seat {
	o.t.Helper()
	s := o.awaitActive()
	var err error
	formed := false
	s.q.Submit(controller.Bootstrap{}, func(_ any, e error) { formed, err = true, e })
	if !o.w.RunUntil(time.Minute, func() bool { return formed }) || err != nil {
		o.t.Fatalf("the cluster is not formed: %v", err)
	}
	return s
}

// result is what became of one thing.
type result struct {
	done  int
	at    time.Duration
	reply any
	err   error
}

func (o *town) submit(c *remote.Control, timeout time.Duration, cmd controller.Command) *result {
	r := &result{}
	c.Submit(timeout, cmd, func(reply any, err error) {
		if r.done++; r.done > 1 {
			o.t.Errorf("%T is answered twice", cmd)
		}
		r.at, r.reply, r.err = o.w.Now().Mono, reply, err
	})
	return r
}

// must waits for a command that is to succeed.
func (o *town) must(c *remote.Control, cmd controller.Command) any {
	o.t.Helper()
	r := o.submit(c, 20*time.Second, cmd)
	if !o.w.RunUntil(time.Minute, func() bool { return r.done > 0 }) || r.err != nil {
		o.t.Fatalf("%T: %d answers, %v", cmd, r.done, r.err)
	}
	return r.reply
}

func registration(incarnation byte) controller.RegisterBroker {
	return controller.RegisterBroker{
		Broker: 9, Incarnation: kafka.IncarnationID{incarnation}, LogDirs: []kafka.DirectoryID{{0: 0xdd, 15: 9}}, Features: cluster.Supported(),
		Endpoints:     []staterecord.Endpoint{{Name: "PLAINTEXT", Host: "b", Port: 9092}},
		PreviousEpoch: -1,
	}
}

// join registers the broker and has it unfenced.
func (o *town) join(c *remote.Control) kafka.BrokerEpoch {
	o.t.Helper()
	epoch := o.must(c, registration(1)).(controller.Registered).Epoch
	for range 100 {
		if !o.must(c, o.beat(epoch)).(controller.Beat).Fenced {
			return epoch
		}
		o.w.Run(10 * time.Millisecond)
	}
	o.t.Fatal("the broker stays fenced")
	return 0
}

func (o *town) beat(epoch kafka.BrokerEpoch) controller.Heartbeat {
	return controller.Heartbeat{Broker: 9, Epoch: epoch, MetadataOffset: 1 << 40}
}

// creation is a client's request that a broker has got.
func (o *town) creation(name string, timeoutMs int32, r *result) *wire.Request {
	m := kmsg.NewPtrCreateTopicsRequest()
	m.SetVersion(7)
	m.TimeoutMillis = timeoutMs
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 1, 1
	m.Topics = append(m.Topics, topic)
	return o.arrived(m, r)
}

// arrived makes a request of a message. The answer is read as the client would.
func (o *town) arrived(m kmsg.Request, r *result) *wire.Request {
	return &wire.Request{
		Peer: wire.Peer{Listener: "PLAINTEXT", Principal: wire.Principal{Type: "User", Name: "ann"}, Addr: netip.MustParseAddrPort("10.1.2.3:4711")},
		Key:  kafka.APIKey(m.Key()), Version: m.GetVersion(), CorrelationID: 77, ClientID: "client", Body: m,
		Reply: func(a wire.Reply) {
			if r.done++; r.done > 1 {
				o.t.Errorf("%v is answered twice", kafka.APIKey(m.Key()))
			}
			r.at = o.w.Now().Mono
			out := a.Message
			switch {
			case a.Close:
				r.err = fault.New("test", kafka.ErrNetworkException, "closed")
				return
			case a.Body != nil:
				out = m.ResponseKind()
				out.SetVersion(m.GetVersion())
				if err := out.ReadFrom(a.Body.AppendTo(nil)); err != nil {
					o.t.Errorf("%v: the answer does not decode: %v", kafka.APIKey(m.Key()), err)
				}
			}
			r.reply = out
		},
	}
}

// created is the code of the one topic of a creation.
func (r *result) created() kafka.ErrorCode {
	return kafka.ErrorCode(r.reply.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode)
}

// quiet checks that all memory was given back.
func (o *town) quiet() {
	o.t.Helper()
	if used := o.budget.Used(); used != 0 {
		o.t.Errorf("%d bytes of answers stay charged", used)
	}
	for _, s := range o.controllers {
		if used := s.budget.Used(); used != 0 && s.proc.Alive() {
			o.t.Errorf("%d bytes of requests stay charged at node %d", used, s.key.NodeID)
		}
	}
}
