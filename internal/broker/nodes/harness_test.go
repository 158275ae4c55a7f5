package nodes

import (
	"net/netip"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// stand is the area with everything around it made up: what it asks of others is noted, and answered as the test says.
type stand struct {
	t        testing.TB
	n        *Nodes
	table    *wire.Table
	budget   *wire.Budget
	img      *image.Image
	lives    string // where a process of an older registration is met
	commands []controller.Command
	reply    any
	err      error // of commands, and of the quorum
	pulls    []Pull
	pulled   Pulled
	chunks   []PullChunk
	chunk    Chunk
	altered  []string
	voter    record.Voter
	unformed bool // the voters have not agreed on a cluster yet
	within   time.Duration
	inner    *wire.Request // what came out of an Envelope
	answer   func(*wire.Request)
}

func newStand(t testing.TB) *stand {
	s := &stand{t: t, budget: wire.NewBudget(1 << 20), img: image.Empty()}
	s.n = New(Options{
		World: world.NewVirtual(1), Image: func() *image.Image { return s.img }, Controller: s, Quorum: s, Node: s,
		Budget: s.budget, Timeout: 7 * time.Second, Listener: "CONTROLLER",
	})
	s.table = wire.NewTable(map[kafka.APIKey]wire.Handler{
		kafka.KeyCreateTopics: func(req *wire.Request) { s.inner = req; s.answer(req) }, kafka.KeyUnregisterBroker: s.n.UnregisterBroker,
		kafka.KeyBrokerHeartbeat: s.n.BrokerHeartbeat, kafka.KeyRemoveRaftVoter: s.n.RemoveRaftVoter,
	})
	return s
}

func (s *stand) Submit(timeout time.Duration, cmd controller.Command, done func(any, error)) {
	s.within = timeout
	s.commands = append(s.commands, cmd)
	done(s.reply, s.err)
}

func (s *stand) ClusterID() string {
	if s.unformed {
		return ""
	}
	return "here"
}

func (s *stand) Table(string) *wire.Table                         { return s.table }
func (s *stand) Shown() kafka.Offset                              { return 55 }
func (s *stand) Suspect(_ *image.Broker, done func(bool, string)) { done(false, s.lives) }
func (s *stand) Meet(_ *image.Controller, done func(string))      { done(s.lives) }

func (s *stand) Leader() (kafka.NodeID, kafka.LeaderEpoch) { return 2, 7 }
func (s *stand) Voters() []record.Voter {
	return []record.Voter{{ID: 1}, {ID: 2, Endpoints: s.endpoints()}}
}

func (s *stand) endpoints() []record.Endpoint {
	return []record.Endpoint{{Name: "OTHER", Host: "no", Port: 1}, {Name: "CONTROLLER", Host: "c2", Port: 9093}}
}

func (s *stand) Fetch(p Pull, done func(Pulled, error)) {
	s.pulls = append(s.pulls, p)
	done(s.pulled, s.err)
}

func (s *stand) FetchSnapshot(p PullChunk, done func(Chunk, error)) {
	s.chunks = append(s.chunks, p)
	done(s.chunk, s.err)
}

func (s *stand) AddVoter(v record.Voter, timeout time.Duration, whenCommitted bool, done func(error)) {
	what := "add"
	if !whenCommitted {
		what = "add early"
	}
	s.alter(what, v, timeout, done)
}

func (s *stand) RemoveVoter(id kafka.NodeID, dir kafka.DirectoryID, timeout time.Duration, done func(error)) {
	s.alter("remove", record.Voter{ID: id, Directory: dir}, timeout, done)
}

func (s *stand) UpdateVoter(v record.Voter, timeout time.Duration, done func(error)) {
	s.alter("update", v, timeout, done)
}

func (s *stand) alter(what string, v record.Voter, timeout time.Duration, done func(error)) {
	s.altered, s.voter, s.within = append(s.altered, what), v, timeout
	done(s.err)
}

// ask has a handler answer a message, which goes there and back as bytes.
func ask[R kmsg.Response](s *stand, h wire.Handler, m kmsg.Request, version int16) R {
	s.t.Helper()
	m.SetVersion(version)
	key := kafka.APIKey(m.Key())
	table := wire.NewTable(map[kafka.APIKey]wire.Handler{key: h})
	api, _ := table.API(key)
	d, err := table.Decode(m.AppendTo(wire.BeginRequest(nil, &api, version, 5, "c"))[4:], func(int64) bool { return true })
	if err != nil {
		s.t.Fatal(err)
	}
	answers := 0
	out := m.ResponseKind()
	out.SetVersion(version)
	h(&wire.Request{
		Peer: wire.Peer{Listener: "CONTROLLER", Principal: wire.Principal{Type: "User", Name: "broker"}, Addr: netip.MustParseAddrPort("10.0.0.1:5")},
		Key:  key, Version: version, CorrelationID: 5, Body: d.Body, Fetch: d.Fetch,
		Reply: func(r wire.Reply) {
			answers++
			encoded := table.Encode(wire.NewPool(nil, false), &d, r)
			frame, err := encoded.AppendTo(nil)
			if err != nil {
				s.t.Fatal(err)
			}
			body, err := wire.AnswerBody(&api, version, frame[4:])
			if err == nil {
				err = out.ReadFrom(body)
			}
			if err != nil {
				s.t.Fatalf("%v v%d: the answer does not decode: %v", key, version, err)
			}
		},
	})
	if answers != 1 {
		s.t.Fatalf("%v v%d: %d answers", key, version, answers)
	}
	if used := s.budget.Used(); used != 0 {
		s.t.Fatalf("%v v%d: %d bytes stay charged", key, version, used)
	}
	return out.(R)
}

func wantCode(t testing.TB, got int16, want kafka.ErrorCode) {
	t.Helper()
	if kafka.ErrorCode(got) != want {
		t.Fatalf("got %v, want %v", kafka.ErrorCode(got), want)
	}
}

func refusal(code kafka.ErrorCode) error { return fault.New("test", code, "because") }
