package peer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/listen"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// site is a server with sockets, and a node that asks it.
type site struct {
	t       testing.TB
	w       *world.Real
	cfg     *listen.Config
	srv     *listen.Server
	addr    string
	parked  chan *wire.Request
	budget  *wire.Budget
	peers   *peer.Peers
	endings chan peer.Ending
}

func newSite(t testing.TB, handlers map[kafka.APIKey]wire.Handler) *site {
	s := &site{
		t: t, w: world.NewReal(), parked: make(chan *wire.Request, 100), budget: wire.NewBudget(256 << 20),
		endings: make(chan peer.Ending, 100),
	}
	if handlers == nil {
		o := &town{t: t, identity: map[string]*wire.Identity{"b": {ClusterID: "c", Member: wire.Member{Node: 2}, Incarnation: kafka.IncarnationID{9}}}}
		handlers = o.handlers("b")
		handlers[kafka.KeyJoinGroup] = func(req *wire.Request) {
			in := req.Body.(*kmsg.JoinGroupRequest)
			out := in.ResponseKind().(*kmsg.JoinGroupResponse)
			out.MemberID = in.MemberID
			s.w.Go(func() { req.Reply(wire.Reply{Message: out}) })
		}
		handlers[kafka.KeySyncGroup] = func(req *wire.Request) { s.parked <- req }
	}
	s.cfg = sessions(s.w, handlers)
	var err error
	s.srv, err = listen.Start(listen.Options{
		World: s.w, Log: s.cfg.Log, Observer: listen.Unobserved{}, Listen: net.Listen,
		Listeners: []listen.Listener{{Name: "CONTROLLER", Protocol: "PLAINTEXT", Addr: "127.0.0.1:0", Sessions: s.cfg, Dispatch: s.cfg.Table.Handle}},
		Idle:      10 * time.Minute, Stuck: time.Minute, Slow: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.addr = s.srv.Addr("CONTROLLER").String()
	s.asking()
	t.Cleanup(s.stop)
	return s
}

func (s *site) asking() {
	o := peer.DefaultOptions()
	o.World, o.Dialer, o.Pool = s.w, &peer.TCP{World: s.w}, wire.NewPool(s.budget, true)
	s.peers = peer.New(o)
}

func (s *site) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.srv.Shutdown(ctx); err != nil {
		s.t.Errorf("shutdown: %v", err)
	}
}

func (s *site) channel(addr string) *peer.Channel {
	return s.peers.Channel(addr, func(e peer.Ending) { s.endings <- e })
}

// join asks and waits.
func (s *site) join(c *peer.Channel, member string) error {
	done := make(chan error, 1)
	m := kmsg.NewPtrJoinGroupRequest()
	m.MemberID = member
	c.AskMessage(m, time.Minute, func(resp kmsg.Response, err error) {
		if err == nil && resp.(*kmsg.JoinGroupResponse).MemberID != member {
			err = fmt.Errorf("%s gets the answer to %s", member, resp.(*kmsg.JoinGroupResponse).MemberID)
		}
		done <- err
	})
	return <-done
}

// park asks what is answered when the test says so, and returns when the server has got it.
func (s *site) park(c *peer.Channel) (result chan error) {
	result = make(chan error, 1)
	m := kmsg.NewPtrSyncGroupRequest()
	c.AskMessage(m, time.Minute, func(_ kmsg.Response, err error) { result <- err })
	<-s.parked
	return result
}

func wantHow(t *testing.T, err error, how peer.How, maybe bool) {
	t.Helper()
	var l *peer.Lost
	if !errors.As(err, &l) || l.How != how || l.MaybeSent != maybe {
		t.Fatalf("%v; want %v, maybe sent %v", err, how, maybe)
	}
}

func TestManyAskOverOneSocket(t *testing.T) {
	s := newSite(t, nil)
	c := s.channel(s.addr)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 100 {
				if err := s.join(c, fmt.Sprintf("%d/%d", g, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := s.srv.Connections(); n != 1 {
		t.Fatalf("%d connections", n)
	}
	c.Close()
	if used := s.budget.Used(); used > 64<<10 { // the writer's last buffers may be on their way back
		t.Fatalf("%d bytes stay charged", used)
	}
}

// TestRecordsAreReadWhereTheyCame: an answer of megabytes arrives whole, again and again.
func TestRecordsAreReadWhereTheyCame(t *testing.T) {
	s := newSite(t, nil)
	c := s.channel(s.addr)
	defer c.Close()
	api, _ := s.peers.API(kafka.KeyFetch)
	for _, n := range []int{0, 1, 100, 16 << 10, 1 << 20, 3<<20 + 7, 10 << 20, 10 << 20, 1} {
		done := make(chan error, 1)
		c.Ask(peer.Request{API: api, Timeout: time.Minute, Body: fetchBody(n), Done: func(a peer.Answer, err error) {
			if err == nil {
				defer a.Release()
				var r wire.FetchReply
				if r, err = wire.ParseFetchReply(a.Version, a.Body); err == nil && r.Partitions != 1 {
					err = fmt.Errorf("%d partitions", r.Partitions)
				}
				for p := range r.All {
					if p.Partition != 3 || p.TopicID != (kafka.TopicID{7}) || !bytes.Equal(p.Records, pattern(n)) {
						err = fmt.Errorf("partition %d with %d bytes of records", p.Partition, len(p.Records))
					}
				}
			}
			done <- err
		}})
		if err := <-done; err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
}

func TestAClosedPortRefuses(t *testing.T) {
	s := newSite(t, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	wantHow(t, s.join(s.channel(addr), "x"), peer.Refused, false)
	if e := <-s.endings; e.How != peer.Refused || e.Stood {
		t.Fatalf("%+v", e)
	}
	_, port, _ := net.SplitHostPort(addr) // a name with one or two addresses: all of them refuse
	wantHow(t, s.join(s.channel("localhost:"+port), "x"), peer.Refused, false)
	wantHow(t, s.join(s.channel("no-such-host.invalid:1"), "x"), peer.Silent, false)
	wantHow(t, s.join(s.channel("no port"), "x"), peer.Silent, false)
}

func TestANameWithManyAddressesIsReachedAtOneOfThem(t *testing.T) {
	s := newSite(t, nil)
	_, port, _ := net.SplitHostPort(s.addr)
	c := s.channel("localhost:" + port)
	defer c.Close()
	if err := s.join(c, "x"); err != nil {
		t.Fatal(err)
	}
}

// TestAServerThatGoesAwayIsNoticedAtOnce, by whoever asked and, when nobody did, by the owner.
func TestAServerThatGoesAwayIsNoticedAtOnce(t *testing.T) {
	s := newSite(t, nil)
	c := s.channel(s.addr)
	if err := s.join(c, "x"); err != nil {
		t.Fatal(err)
	}
	s.stop()
	if e := <-s.endings; e.How != peer.Broken || !e.Stood {
		t.Fatalf("%+v", e)
	}
	wantHow(t, s.join(c, "y"), peer.Refused, false)
}

func TestCloseAnswersWhatIsUnderWay(t *testing.T) {
	s := newSite(t, nil)
	c := s.channel(s.addr)
	under := s.park(c)
	c.Close()
	wantHow(t, <-under, peer.Closed, true)
	wantHow(t, s.join(c, "late"), peer.Closed, false)
}

// TestAServerThatReadsNothingIsGivenUp, with everything that waits behind the bytes that it doesn't take.
func TestAServerThatReadsNothingIsGivenUp(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	s := newSite(t, nil)
	o := peer.DefaultOptions()
	o.World, o.Dialer, o.Pool, o.Unanswered = s.w, &peer.TCP{World: s.w}, wire.NewPool(s.budget, true), 1<<30
	c := peer.New(o).Channel(ln.Addr().String(), nil)
	accepted := make(chan net.Conn)
	go func() {
		nc, err := ln.Accept()
		if err == nil {
			var head [4]byte
			_, _ = nc.Read(head[:])
			_, _ = nc.Write(framed(0, versions(s.cfg.Table))) // and not a byte is read from now on
		}
		accepted <- nc
	}()
	const each, n = 4 << 20, 16
	results := make(chan error, n)
	api, _ := s.peers.API(kafka.KeyNodeMessages)
	for range n {
		c.Ask(peer.Request{
			API: api, Timeout: 300 * time.Millisecond,
			Body: func(dst []byte, _ int16) []byte { return append(dst, make([]byte, each)...) },
			Done: func(_ peer.Answer, err error) { results <- err },
		})
	}
	for range n {
		err := <-results
		if how, ok := peer.HowLost(err); !ok || how != peer.Silent {
			t.Fatal(err)
		}
	}
	if nc := <-accepted; nc != nil {
		_ = nc.Close()
	}
	c.Close()
}

// TestMessagesAreGoodUntilTheAnswer: a door that is slow still reads what came (the server's buffers are poisoned).
func TestMessagesAreGoodUntilTheAnswer(t *testing.T) {
	parked := make(chan *wire.Request, 1)
	s := newSite(t, map[kafka.APIKey]wire.Handler{kafka.KeyNodeMessages: func(req *wire.Request) { parked <- req }})
	c := s.channel(s.addr)
	defer c.Close()
	done := make(chan error, 1)
	c.Tell(&wire.NodeCall{ClusterID: "c", Messages: [][]byte{pattern(5000)}}, time.Minute, func(a wire.NodeAnswer, err error) { done <- err })
	req := <-parked
	second := s.channel(s.addr) // takes the buffers that are free
	defer second.Close()
	go func() {
		second.Tell(&wire.NodeCall{Messages: [][]byte{make([]byte, 5000)}}, time.Minute, func(wire.NodeAnswer, error) {})
	}()
	other := <-parked
	for m := range req.Node.All {
		if !bytes.Equal(m, pattern(5000)) {
			t.Fatal("the message has changed")
		}
	}
	req.Reply(wire.Reply{Body: &wire.NodeAnswer{}})
	other.Reply(wire.Reply{Body: &wire.NodeAnswer{}})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// counted is a real World that knows what it has running.
type counted struct {
	*world.Real
	running sync.WaitGroup
}

func (c *counted) Go(f func()) {
	c.running.Add(1)
	c.Real.Go(func() {
		defer c.running.Done()
		f()
	})
}

// TestNothingRunsOnAfterClose: neither who reads nor who writes nor who connects, in whatever state the channel is closed.
func TestNothingRunsOnAfterClose(t *testing.T) {
	s := newSite(t, nil)
	w := &counted{Real: world.NewReal()}
	budget := wire.NewBudget(64 << 20)
	o := peer.DefaultOptions()
	o.World, o.Dialer, o.Pool = w, &peer.TCP{World: w}, wire.NewPool(budget, true)
	p := peer.New(o)
	_, port, _ := net.SplitHostPort(s.addr)
	for _, addr := range []string{s.addr, "localhost:" + port, "127.0.0.1:1"} {
		for state := range 2 {
			c := p.Channel(addr, nil)
			m := kmsg.NewPtrSyncGroupRequest()
			result := make(chan error, 1)
			c.AskMessage(m, time.Minute, func(_ kmsg.Response, err error) { result <- err })
			if state == 1 && addr != "127.0.0.1:1" {
				<-s.parked // it is under way
			}
			c.Close()
			if err := <-result; err == nil {
				t.Fatal("answered by nobody")
			}
		}
	}
	w.running.Wait()
	if used := budget.Used(); used != 0 {
		t.Fatalf("%d bytes stay charged", used)
	}
}

func TestAProbeByTCP(t *testing.T) {
	s := newSite(t, nil)
	p := &peer.Prober{Peers: s.peers, Self: func() wire.Identity { return wire.Identity{ClusterID: "c"} }, Timeout: time.Minute}
	probe := func(incarnation byte) peer.Finding {
		found := make(chan peer.Finding, 1)
		p.Probe(peer.Suspect{Addr: s.addr, Node: 2, Incarnation: kafka.IncarnationID{incarnation}}, func(f peer.Finding) { found <- f })
		return <-found
	}
	wantFinding(t, probe(9), peer.Alive, "answers at "+s.addr)
	wantFinding(t, probe(8), peer.Gone, "node 2 was started anew")
	s.stop()
	wantFinding(t, probe(9), peer.Gone, "nobody listens at "+s.addr+" any more")
}
