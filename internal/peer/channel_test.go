package peer_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/wire"
)

func TestRequestsAreAnsweredInTheOrderInWhichTheyWereAsked(t *testing.T) {
	o := newTown(t, 1)
	o.serve("b", 2)
	c := o.channel("b:9092")
	var all []*asked
	var want []string
	for i := range 50 {
		want = append(want, fmt.Sprint(i))
		all = append(all, o.join(c, fmt.Sprint(i), time.Minute))
		if i%10 == 0 {
			o.w.Run(300 * time.Microsecond)
		}
	}
	o.w.Run(time.Second)
	o.wantAnswered(all...)
	if !slices.Equal(o.seen, want) || len(o.accepts) != 1 {
		t.Fatalf("the server saw %v on %d connections", o.seen, len(o.accepts))
	}
	if !slices.IsSortedFunc(all, func(a, b *asked) int { return int(a.at - b.at) }) {
		t.Fatal("answered out of order")
	}
	o.wantEndings()
	o.wantQuiet()
}

// TestWhoRefusesIsSaidToRefuse, and is not asked more often than the backoff allows, which grows.
func TestWhoRefusesIsSaidToRefuse(t *testing.T) {
	o := newTown(t, 1)
	c := o.channel("b:9092")
	begun := o.w.Now().Mono
	var first *asked
	attempts := 0
	for o.w.Now().Mono < begun+10*time.Second {
		a := o.join(c, "x", time.Minute)
		if !o.w.RunUntil(5*time.Second, func() bool { return a.done > 0 }) {
			t.Fatal("not answered")
		}
		o.wantLost(a, peer.Refused, false)
		attempts++
		if first == nil {
			first = a
		}
	}
	if first.at > begun+10*time.Millisecond {
		t.Fatalf("the first is refused only after %v", first.at-begun)
	}
	if attempts < 10 || attempts > 18 { // 50 ms doubled up to a second, each a fifth more or less
		t.Fatalf("%d attempts in ten seconds", attempts)
	}
	if len(o.endings) != attempts || o.endings[0].Stood || !strings.Contains(first.err.Error(), "b:9092: nobody listens there") {
		t.Fatalf("%v, %v", o.endings[0], first.err)
	}
	o.serve("b", 2)
	again := o.join(c, "y", time.Minute)
	o.w.Run(2 * time.Second)
	o.wantAnswered(again)
	o.net.Kill("b") // and it begins with little patience again
	o.w.Run(time.Second)
	begun = o.w.Now().Mono
	for range 2 {
		a := o.join(c, "z", time.Minute)
		o.w.RunUntil(5*time.Second, func() bool { return a.done > 0 })
		o.wantLost(a, peer.Refused, false)
	}
	if took := o.w.Now().Mono - begun; took > 70*time.Millisecond {
		t.Fatalf("two attempts took %v", took)
	}
	o.wantQuiet()
}

// TestABrokenConnectionIsToldAtOnce, to those who asked and to the owner, and is made again when something is asked.
func TestABrokenConnectionIsToldAtOnce(t *testing.T) {
	for name, breaks := range map[string]func(o *town){
		"reset":   func(o *town) { o.net.Break("a", "b") },
		"kill -9": func(o *town) { o.net.Kill("b") },
	} {
		t.Run(name, func(t *testing.T) {
			o := newTown(t, 1)
			o.serve("b", 2)
			c := o.channel("b:9092")
			under := o.park(c, "g", time.Minute)
			o.w.Run(time.Second)
			if under.done != 0 || len(o.seen) != 1 {
				t.Fatalf("%+v, seen %v", under, o.seen)
			}
			at := o.w.Now().Mono
			breaks(o)
			o.w.Run(time.Second)
			o.wantLost(under, peer.Broken, true)
			if under.at > at+10*time.Millisecond {
				t.Fatalf("told after %v", under.at-at)
			}
			o.wantEndings(peer.Broken)
			if !o.endings[0].Stood {
				t.Fatal("it stood")
			}
			if name == "kill -9" {
				o.serve("b", 2)
			}
			again := o.join(c, "after", time.Minute)
			o.w.Run(10 * time.Millisecond)
			o.wantAnswered(again) // at once: the last attempt was a second ago
			o.wantQuiet()
		})
	}
}

// TestAnIdleConnectionThatBreaksIsToldToo: nothing is under way, and a process may have died (architecture D11).
func TestAnIdleConnectionThatBreaksIsToldToo(t *testing.T) {
	o := newTown(t, 1)
	o.serve("b", 2)
	c := o.channel("b:9092")
	a := o.join(c, "x", time.Minute)
	o.w.Run(time.Minute)
	o.wantAnswered(a)
	o.net.Kill("b")
	o.w.Run(10 * time.Millisecond)
	o.wantEndings(peer.Broken)
}

// TestSilenceEndsTheConnection: whatever is under way behind a request that gets no answer would wait as well.
func TestSilenceEndsTheConnection(t *testing.T) {
	for _, way := range [][2]string{{"a", "b"}, {"b", "a"}} {
		t.Run(way[0]+" to "+way[1], func(t *testing.T) {
			o := newTown(t, 1)
			o.serve("b", 2)
			c := o.channel("b:9092")
			before := o.join(c, "before", time.Minute)
			o.w.Run(time.Second)
			o.wantAnswered(before)
			o.net.Cut(way[0], way[1])
			asked := o.w.Now().Mono
			first, second := o.join(c, "first", 2*time.Second), o.join(c, "second", time.Minute)
			o.w.Run(time.Second)
			if first.done+second.done != 0 || len(o.endings) != 0 {
				t.Fatal("answered too early")
			}
			o.w.Run(2 * time.Second)
			o.wantLost(first, peer.Silent, true)
			o.wantLost(second, peer.Silent, true)
			if first.at-asked != 2*time.Second || second.at != first.at {
				t.Fatalf("after %v and %v", first.at-asked, second.at-asked)
			}
			o.wantEndings(peer.Silent)
			if got := kafka.ErrRequestTimedOut; fault.CodeOf(first.err) != got {
				t.Fatalf("%v", first.err)
			}
			o.net.Heal(way[0], way[1])
			after := o.join(c, "after", time.Minute)
			o.w.Run(time.Second)
			o.wantAnswered(after)
			o.wantQuiet()
		})
	}
}

// TestAMachineThatIsOffIsSilent, also for those who have the time to wait.
func TestAMachineThatIsOffIsSilent(t *testing.T) {
	o := newTown(t, 1)
	o.serve("b", 2)
	o.net.PowerOff("b")
	c := o.channel("b:9092")
	begun := o.w.Now().Mono
	short, long := o.join(c, "short", time.Second), o.join(c, "long", time.Hour)
	o.w.Run(time.Minute)
	o.wantLost(short, peer.Silent, false)
	o.wantLost(long, peer.Silent, false)
	if short.at-begun != time.Second || long.at-begun != 10*time.Second {
		t.Fatalf("after %v and %v", short.at-begun, long.at-begun)
	}
	second := o.join(c, "second", time.Hour)
	begun = o.w.Now().Mono
	o.w.Run(time.Minute)
	if o.wantLost(second, peer.Silent, false); second.at-begun != 20*time.Second { // KIP-601
		t.Fatalf("the second attempt took %v", second.at-begun)
	}
	o.wantEndings(peer.Silent, peer.Silent)
}

// TestAHalfOpenConnectionIsResetWhenItsMachineIsBack.
func TestAHalfOpenConnectionIsResetWhenItsMachineIsBack(t *testing.T) {
	o := newTown(t, 1)
	o.serve("b", 2)
	c := o.channel("b:9092")
	a := o.join(c, "x", time.Minute)
	o.w.Run(time.Second)
	o.wantAnswered(a)
	o.net.PowerOff("b")
	lost := o.join(c, "lost", time.Minute)
	o.w.Run(5 * time.Second)
	if lost.done != 0 || len(o.endings) != 0 {
		t.Fatal("silence is taken for an end")
	}
	o.net.PowerOn("b")
	o.serve("b", 2)
	o.w.Run(5 * time.Second)
	o.wantLost(lost, peer.Broken, true)
	if slices.Contains(o.seen, "lost") {
		t.Fatal("the new process got what was sent to the old one")
	}
}

func TestCloseAnswersEverybody(t *testing.T) {
	o := newTown(t, 1)
	o.serve("b", 2)
	c := o.channel("b:9092")
	under := o.park(c, "g", time.Minute)
	o.w.Run(time.Second)
	d := o.channel("b:9092")
	unsent := o.join(d, "unsent", time.Minute)
	c.Close()
	d.Close()
	d.Close()
	late := o.join(d, "late", time.Minute)
	if under.done+unsent.done != 0 {
		t.Fatal("answered inline")
	}
	o.w.Run(time.Second)
	o.wantLost(under, peer.Closed, true)
	o.wantLost(unsent, peer.Closed, false)
	o.wantLost(late, peer.Closed, false)
	o.wantEndings()
	o.wantQuiet()
}

// TestWhatTheOtherSideDoesNotOfferIsRefusedHere, with both sides named, and hurts nobody else.
func TestWhatTheOtherSideDoesNotOfferIsRefusedHere(t *testing.T) {
	o := newTown(t, 1)
	handlers := o.handlers("b")
	delete(handlers, kafka.KeyNodeMessages)
	handlers[kafka.KeyApiVersions] = func(req *wire.Request) {
		out := kmsg.NewPtrApiVersionsResponse()
		for key, span := range map[kafka.APIKey][2]int16{kafka.KeyJoinGroup: {0, 5}, kafka.KeySyncGroup: {50, 60}} {
			k := kmsg.NewApiVersionsResponseApiKey()
			k.ApiKey, k.MinVersion, k.MaxVersion = int16(key), span[0], span[1]
			out.ApiKeys = append(out.ApiKeys, k)
		}
		req.Reply(wire.Reply{Message: out})
	}
	var versions []int16
	join := handlers[kafka.KeyJoinGroup]
	handlers[kafka.KeyJoinGroup] = func(req *wire.Request) {
		versions = append(versions, req.Version)
		join(req)
	}
	o.serveWith("b", handlers)
	c := o.channel("b:9092")
	newer, before, after := o.park(c, "g", time.Minute), o.join(c, "before", time.Minute), o.join(c, "after", time.Minute)
	var missing error
	c.Tell(&wire.NodeCall{}, time.Minute, func(_ wire.NodeAnswer, err error) { missing = err })
	o.w.Run(time.Second)
	o.wantAnswered(before, after)
	if !slices.Equal(versions, []int16{5, 5}) {
		t.Fatalf("asked in versions %v, where 5 is the newest of both", versions)
	}
	if err := newer.err; fault.CodeOf(err) != kafka.ErrUnsupportedVersion || !strings.Contains(err.Error(), "b:9092 offers SyncGroup in versions 50 to 60, and we speak 0 to 5") {
		t.Fatalf("%v", err)
	}
	if fault.CodeOf(missing) != kafka.ErrUnsupportedVersion || !strings.Contains(missing.Error(), "b:9092 does not offer NodeMessages") {
		t.Fatalf("%v", missing)
	}
	if peer.MaybeSent(newer.err) || peer.MaybeSent(missing) {
		t.Fatal("they were surely not sent")
	}
	o.wantEndings()
}

// TestAnOldServerIsAskedAgain: one that doesn't know our version of ApiVersions says which it knows (KIP-511).
func TestAnOldServerIsAskedAgain(t *testing.T) {
	o := newTown(t, 1)
	var asked []int16
	handlers := o.handlers("b")
	var cfg interface {
		Advertised(wire.Audience) []kmsg.ApiVersionsResponseApiKey
	}
	handlers[kafka.KeyApiVersions] = func(req *wire.Request) {
		asked = append(asked, req.Version)
		out := kmsg.NewPtrApiVersionsResponse()
		out.ApiKeys = cfg.Advertised(wire.Nodes)
		if req.Version > 2 {
			old := kmsg.NewPtrApiVersionsResponse()
			old.ErrorCode = int16(kafka.ErrUnsupportedVersion)
			k := kmsg.NewApiVersionsResponseApiKey()
			k.ApiKey, k.MaxVersion = int16(kafka.KeyApiVersions), 2
			old.ApiKeys = append(old.ApiKeys, k)
			req.Reply(wire.Reply{Body: raw(old.AppendTo(nil))})
			return
		}
		req.Reply(wire.Reply{Message: out})
	}
	o.serveWith("b", handlers)
	cfg = o.servers[0].Table
	a := o.join(o.channel("b:9092"), "x", time.Minute)
	o.w.Run(time.Second)
	o.wantAnswered(a)
	if !slices.Equal(asked, []int16{4, 2}) {
		t.Fatalf("asked in versions %v", asked)
	}
}

type raw []byte

func (r raw) AppendTo(dst []byte) []byte { return append(dst, r...) }

// TestNoMoreIsSentThanTheWindow, and what waits goes on when answers come.
func TestNoMoreIsSentThanTheWindow(t *testing.T) {
	o := newTown(t, 1)
	opts := o.options()
	opts.Unanswered = 1000
	o.peers = peer.New(opts)
	var held []*wire.Request
	handlers := o.handlers("b")
	handlers[kafka.KeyProduce] = func(req *wire.Request) { r := *req; held = append(held, &r) }
	o.serveWith("b", handlers)
	c := o.channel("b:9092")
	api, _ := o.peers.API(kafka.KeyProduce)
	answered := 0
	ask := func(size int) {
		c.Ask(peer.Request{
			API: api, Timeout: time.Minute,
			Body: func(dst []byte, version int16) []byte {
				m := kmsg.NewPtrProduceRequest()
				m.SetVersion(version)
				m.Acks = -1
				p := kmsg.NewProduceRequestTopicPartition()
				p.Records = make([]byte, size)
				topic := kmsg.NewProduceRequestTopic()
				topic.Partitions = append(topic.Partitions, p)
				m.Topics = append(m.Topics, topic)
				return m.AppendTo(dst)
			},
			Done: func(a peer.Answer, err error) {
				if err != nil {
					t.Error(err)
					return
				}
				answered++
				a.Release()
			},
		})
	}
	ask(50_000) // alone it goes whatever its size
	for range 5 {
		ask(450)
	}
	for _, want := range []int{1, 3, 4, 5, 6} {
		o.w.Run(time.Second)
		if len(held) < want || len(held) > want+1 {
			t.Fatalf("%d requests reached the server, want %d", len(held), want)
		}
		held[answered].Reply(wire.Reply{Body: &wire.ProduceAnswer{Version: held[answered].Version}})
	}
	o.w.Run(time.Second)
	if len(held) != 6 || answered != 5 {
		t.Fatalf("%d reached the server, %d answered", len(held), answered)
	}
}

// TestAnAnswerWaitsForMemory: the reader stops, and goes on when some is free.
func TestAnAnswerWaitsForMemory(t *testing.T) {
	o := newTown(t, 1)
	o.budget = wire.NewBudget(1 << 20)
	o.serve("b", 2)
	c := o.channel("b:9092")
	api := must(peer.New(o.options()).API(kafka.KeyFetch))
	var answers []peer.Answer
	ask := func() {
		c.Ask(peer.Request{
			API: api, Timeout: time.Hour, Body: fetchBody(400_000),
			Done: func(a peer.Answer, err error) {
				if err != nil {
					t.Error(err)
				}
				answers = append(answers, a)
			},
		})
	}
	for range 6 {
		ask()
		o.w.Run(time.Second)
	}
	if n := len(answers); n < 2 || n > 4 {
		t.Fatalf("%d answers of 400 KB came with a budget of a megabyte", n)
	}
	for i := 0; i < 6; i++ {
		o.w.RunUntil(time.Second, func() bool { return len(answers) > i })
		if len(answers) <= i {
			t.Fatalf("answer %d doesn't come although memory is free", i)
		}
		r, err := wire.ParseFetchReply(answers[i].Version, answers[i].Body)
		if err != nil || r.Partitions != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		answers[i].Release()
	}
	o.wantQuiet()
}

func must[T any](v T, ok bool) T {
	if !ok {
		panic("there is none")
	}
	return v
}

func fetchBody(n int) func([]byte, int16) []byte {
	m := kmsg.NewPtrFetchRequest()
	m.MaxBytes, m.SessionEpoch = int32(n), -1
	return func(dst []byte, version int16) []byte {
		m.SetVersion(version)
		return m.AppendTo(dst)
	}
}
