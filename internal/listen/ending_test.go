package listen

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/wire"
)

// TestAbortGivesEverythingBack: what is under way, what waits for its turn, what is held and what is arriving.
func TestAbortGivesEverythingBack(t *testing.T) {
	r := newRig(t)
	r.cfg.Limits.Requests = 3
	c := r.connect()
	c.send(write(-1, 50_000), write(-1, 50_000), write(-1, 50_000), write(-1, 50_000), metadata())
	c.l.Send(frame(9, write(-1, 100_000))[:60_000])
	r.settle()
	r.wantBegun(0, 1, 2)
	released := 0
	r.reply(2, payload(1000, &released))
	r.wantBegun(0, 1, 2, 3)
	c.l.Cut()
	if released != 1 {
		t.Fatalf("%d released of the answer that waited for its turn", released)
	}
	r.reply(0, payload(1000, &released)) // its handler didn't know
	r.reply(1, wire.Reply{None: true})
	r.answer(3)
	if released != 2 || len(c.got) != 0 {
		t.Fatalf("%d released, answers to %v", released, c.got)
	}
	r.wantClosed(reasonNetwork)
	r.wantQuiet()
}

func loginRig(t *testing.T) *rig {
	r := newRig(t)
	r.cfg.Login = &Login{MaxRequestBytes: 16 << 10, Within: 10 * time.Second}
	return r
}

// TestLoginLimits: before authentication little is allowed, one request at a time, for ten seconds (architecture D9).
func TestLoginLimits(t *testing.T) {
	r := loginRig(t)
	big, early, slow := r.connect(), r.connect(), r.connect()
	big.l.Send(binary.BigEndian.AppendUint32(nil, 16<<10+1))
	early.send(apiVersions(), apiVersions(), metadata())
	r.wantBegun(0)
	r.answer(0)
	r.wantBegun(0, 1)
	r.answer(1)
	r.wantBegun(0, 1)
	r.wantClosed("refused frame", "refused login")
	if big.end != 1 || early.end != 1 || slow.end != 0 {
		t.Fatalf("told of their end: %d, %d, %d times", big.end, early.end, slow.end)
	}
	if early.wantAnswers(0, 1); r.log.count("Metadata before authentication") != 1 || r.log.count("16384") != 1 {
		t.Fatalf("log %q", r.log.lines)
	}
	r.w.Run(10*time.Second - 20*time.Millisecond)
	if slow.l.Ended() {
		t.Fatal("closed too early")
	}
	r.w.Run(20 * time.Millisecond)
	if !slow.l.Ended() || r.log.count("did not authenticate within 10s") != 1 {
		t.Fatalf("closed %v, log %q", slow.l.Ended(), r.log.lines)
	}
	r.wantQuiet()
}

// TestAuthenticationLiftsTheLimits, and fixes the principal of the requests that follow, not of those before.
func TestAuthenticationLiftsTheLimits(t *testing.T) {
	r := loginRig(t)
	c := r.connect()
	ann := wire.Principal{Type: "User", Name: "ann"}
	dispatch := c.l.session.dispatch
	c.l.session.dispatch = func(req *wire.Request) {
		dispatch(req)
		if req.CorrelationID == 0 {
			c.l.Session().Authenticated(ann)
			req.Reply(answerOf(req))
		}
	}
	c.send(apiVersions(), write(-1, 40_000), write(-1, 40_000))
	r.wantBegun(0, 1, 2)
	if r.begun[0].Peer.Principal == ann || r.begun[1].Peer.Principal != ann {
		t.Fatalf("principals %v and %v", r.begun[0].Peer.Principal, r.begun[1].Peer.Principal)
	}
	r.w.Run(time.Minute)
	if c.l.Ended() {
		t.Fatal("closed although it has authenticated")
	}
	r.answer(1)
	r.answer(2)
	c.wantAnswers(0, 1, 2)
}

// TestShortMemory: large requests wait, one at a time goes on, small ones are served all the while.
func TestShortMemory(t *testing.T) {
	r := newRig(t)
	r.cfg.Budget.Take(256 << 20)
	a, b, small := r.connect(), r.connect(), r.connect()
	a.send(write(-1, 300_000))
	b.send(write(-1, 300_000), metadata())
	small.send(metadata(), write(-1, 1000))
	r.wantBegun(0, 0)
	r.answer(1)
	r.wantBegun(0, 0, 1)
	r.answer(2)
	small.wantAnswers(0, 1)
	if used := r.cfg.Budget.Used() - 256<<20; used > 400_000 {
		t.Fatalf("%d bytes more than there are", used)
	}
	r.answer(0) // the one that went on is done: the next one
	r.wantBegun(0, 0, 1, 0)
	r.answer(3)
	r.answer(4)
	a.wantAnswers(0)
	b.wantAnswers(0, 1)
	r.cfg.Budget.Take(-256 << 20)
	r.wantQuiet()
}

// TestShortMemoryEnds: those who wait go on when there is memory again.
func TestShortMemoryEnds(t *testing.T) {
	r := newRig(t)
	r.cfg.Budget.Take(256 << 20)
	var all []*client
	for range 4 {
		c := r.connect()
		c.send(write(-1, 300_000))
		all = append(all, c)
	}
	all[3].l.Cut() // one gives up meanwhile
	if len(r.begun) != 1 {
		t.Fatalf("%d began", len(r.begun))
	}
	r.cfg.Budget.Take(-10 << 20)
	r.settle()
	if len(r.begun) != 3 {
		t.Fatalf("%d began", len(r.begun))
	}
	for i := range r.begun {
		r.answer(i)
	}
	r.cfg.Budget.Take(-246 << 20)
	r.wantQuiet()
}

// TestShortMemorySerialises: with nothing to spare a connection has one request under way, and goes on all the same.
func TestShortMemorySerialises(t *testing.T) {
	r := newRig(t)
	r.cfg.Budget.Take(256 << 20)
	c := r.connect()
	c.send(write(-1, 1000), write(-1, 1000), metadata())
	r.wantBegun(0)
	r.answer(0)
	r.wantBegun(0, 1)
	c.l.Stall(true)
	r.answer(1)
	r.wantBegun(0, 1) // its answer has to be read first
	c.l.Stall(false)
	r.settle()
	r.wantBegun(0, 1, 2)
	r.answer(2)
	c.wantAnswers(0, 1, 2)
}

// TestSlowReadersLeaveRoom: two hundred that read nothing cannot use memory up.
func TestSlowReadersLeaveRoom(t *testing.T) {
	r := newRig(t)
	released, answered := 0, 0
	for range 200 {
		c := r.connect()
		c.l.Stall(true)
		for range 8 {
			c.send(metadata())
			for ; answered < len(r.begun); answered++ {
				r.reply(answered, payload(3<<20, &released))
			}
		}
	}
	if r.cfg.Budget.Short() {
		// Each has its first answer whatever it costs; nobody has a second one beyond its share.
		if used := r.cfg.Budget.Used(); used > 256<<20+200*(3<<20+8<<10) {
			t.Fatalf("%d MB are held", used>>20)
		}
	}
	good := r.connect()
	good.send(metadata(), metadata())
	for ; answered < len(r.begun); answered++ {
		r.reply(answered, payload(100, &released))
	}
	good.wantAnswers(0, 1)
}

// TestRandomSessions drives many connections with chance: answers in order, everything given back, every request done
// once, payloads released once.
func TestRandomSessions(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := newRig(t)
			r.cfg.Limits.Output, r.cfg.Limits.Bytes, r.cfg.Limits.Requests = 50_000, 200_000, 6
			rng := rand.New(rand.NewPCG(seed, 1))
			if seed%3 == 0 {
				r.cfg.Budget.Take(256<<20 - 300_000)
			}
			walk := walk{r: r, rng: rng}
			for range 3 {
				walk.clients = append(walk.clients, r.connect())
			}
			for range 300 {
				walk.step()
			}
			for _, c := range walk.clients {
				c.l.Stall(false)
			}
			for r.settle(); walk.reply(); {
				r.settle()
			}
			for _, c := range walk.clients {
				if !slices.IsSorted(c.got) {
					t.Fatalf("answers %v", c.got)
				}
				c.l.Session().Drain()
				r.settle()
				if !c.l.Ended() {
					t.Fatal("an idle connection does not close")
				}
			}
			if seed%3 == 0 {
				r.cfg.Budget.Take(-(256<<20 - 300_000))
			}
			if walk.released != walk.payloads {
				t.Fatalf("%d of %d payloads were released", walk.released, walk.payloads)
			}
			r.wantQuiet()
		})
	}
}

type walk struct {
	r                  *rig
	rng                *rand.Rand
	clients            []*client
	open               []*wire.Request
	seen               int
	payloads, released int
}

func (w *walk) step() {
	c := w.clients[w.rng.IntN(len(w.clients))]
	switch w.rng.IntN(12) {
	case 0, 1, 2, 3:
		reqs := []kmsg.Request{metadata(), consume(), follow(), write(0, 100), write(-1, w.rng.IntN(60_000)), write(1, 100_000)}
		c.send(reqs[w.rng.IntN(len(reqs))])
	case 4:
		c.l.Stall(w.rng.IntN(2) == 0)
	case 5:
		if w.rng.IntN(10) == 0 {
			c.l.Cut()
		}
	case 6:
		w.r.w.Run(time.Duration(w.rng.IntN(20)) * time.Millisecond)
	default:
		w.reply()
	}
}

// reply answers a request that is under way, any one, in any way.
func (w *walk) reply() bool {
	w.open = append(w.open, w.r.begun[w.seen:]...)
	w.seen = len(w.r.begun)
	if len(w.open) == 0 {
		return false
	}
	i := w.rng.IntN(len(w.open))
	req := w.open[i]
	w.open = slices.Delete(w.open, i, i+1)
	reply := answerOf(req)
	switch w.rng.IntN(10) {
	case 0:
		reply.Throttle = time.Duration(w.rng.IntN(5)) * time.Millisecond
	case 1, 2, 3:
		reply = payload(w.rng.IntN(40_000), &w.released)
		w.payloads++
	case 4:
		reply.Close = w.rng.IntN(10) == 0
	}
	req.Reply(reply)
	return true
}
