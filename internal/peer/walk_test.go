package peer_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/sim/network"
)

// TestRandomWalk asks a lot while the network and the other node suffer everything. Each request is answered once, by the
// answer to itself or by an error; what was surely not sent was never seen; requests were seen in order and once; all memory
// comes back; and the same seed gives the same run.
func TestRandomWalk(t *testing.T) {
	reached := map[string]int{}
	for seed := uint64(1); seed <= 150; seed++ {
		first := walk(t, seed, reached)
		if seed%10 == 0 {
			if second := walk(t, seed, reached); second != first {
				t.Fatalf("seed %d: two runs differ:\n%.400s\n%.400s", seed, first, second)
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	for _, what := range []string{"answered", "refused, not sent", "broken, sent", "broken, not sent", "silent, sent", "silent, not sent", "closed, sent"} {
		if reached[what] < 10 {
			t.Errorf("only %d requests were %s: %v", reached[what], what, reached)
		}
	}
}

func walk(t *testing.T, seed uint64, reached map[string]int) (trace string) {
	o := newTown(t, seed)
	dice := o.w.Rand()
	o.serve("b", 2)
	c := o.channel("b:9092")
	var all []*asked
	parks := dice.IntN(3) == 0
	for range 200 {
		switch dice.IntN(12) {
		case 0:
			faults(o, dice.IntN(6))
		case 1:
			o.w.Run(time.Duration(dice.IntN(3000)) * time.Millisecond)
		case 2:
			if parks {
				all = append(all, o.park(c, fmt.Sprint(len(all)), time.Duration(dice.IntN(2000))*time.Millisecond))
				continue
			}
			fallthrough
		default:
			all = append(all, o.join(c, fmt.Sprint(len(all)), time.Duration(dice.IntN(4000))*time.Millisecond))
			o.w.Run(time.Duration(dice.IntN(2000)) * time.Microsecond)
		}
		if dice.IntN(60) == 0 {
			c.Close()
			c = o.channel("b:9092")
		}
	}
	o.net.PowerOn("b")
	o.net.Isolated("b", false)
	o.w.Run(time.Minute)
	for i, a := range all {
		o.judge(i, a, reached)
		trace += fmt.Sprintln(i, a.at, a.err)
	}
	o.wantQuiet()
	last := -1
	for _, s := range o.seen {
		var n int
		_, _ = fmt.Sscan(s, &n)
		if n <= last {
			t.Errorf("%d was seen behind %d", n, last)
		}
		last = n
	}
	return trace
}

func faults(o *town, which int) {
	switch which {
	case 0:
		o.net.Cut("a", "b")
	case 1:
		o.net.Cut("b", "a")
	case 2:
		o.net.Isolated("b", false)
	case 3:
		o.net.Break("a", "b")
	case 4:
		o.net.Kill("b")
	case 5:
		o.net.PowerOff("b")
		o.w.Run(10 * time.Millisecond)
		o.net.PowerOn("b")
	}
	if which >= 4 && o.w.Rand().IntN(3) > 0 {
		o.serve("b", 2)
	}
}

// judge holds what became of a request against what the server saw.
func (o *town) judge(i int, a *asked, reached map[string]int) {
	if a.done != 1 {
		o.t.Errorf("request %d is answered %d times", i, a.done)
		return
	}
	seen := slices.Contains(o.seen, fmt.Sprint(i))
	var l *peer.Lost
	switch {
	case a.err == nil:
		reached["answered"]++
		if !seen {
			o.t.Errorf("request %d is answered and was not seen", i)
		}
	case !errors.As(a.err, &l):
		o.t.Errorf("request %d: %v", i, a.err)
	case l.MaybeSent:
		reached[l.How.String()+", sent"]++
	default:
		reached[l.How.String()+", not sent"]++
		if seen {
			o.t.Errorf("request %d was seen, and is said not to be sent: %v", i, a.err)
		}
	}
}

// script is a server that answers requests with bytes of its own.
type script struct {
	receive func([]byte)
	answer  func(key kafka.APIKey, correlation int32) []byte
	cut     bool
}

func (s *script) Cut() { s.cut = true }
func (s *script) Send(b []byte) { // whole requests, as small ones come unless they are cut
	for len(b) >= 12 {
		n := int(binary.BigEndian.Uint32(b))
		if a := s.answer(kafka.APIKey(binary.BigEndian.Uint16(b[4:])), int32(binary.BigEndian.Uint32(b[8:]))); a != nil {
			s.receive(a)
		}
		b = b[min(len(b), 4+n):]
	}
}

func framed(correlation int32, body []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(4+len(body)))
	out = binary.BigEndian.AppendUint32(out, uint32(correlation))
	return append(out, body...)
}

// scripted starts a script on host b that offers everything; answers other than to ApiVersions are the caller's.
func scripted(o *town, answer func(key kafka.APIKey, correlation int32) []byte) {
	table := sessions(o.w, o.handlers("b")).Table
	o.net.Listen("b:9092", func(_ netip.AddrPort, receive func([]byte)) network.Served {
		s := &script{receive: receive}
		s.answer = func(key kafka.APIKey, correlation int32) []byte {
			if key == kafka.KeyApiVersions {
				return framed(correlation, versions(table))
			}
			return answer(key, correlation)
		}
		return s
	})
}

// joined is an answer to JoinGroup behind its correlation id.
func joined() []byte {
	m := kmsg.NewPtrJoinGroupResponse()
	m.SetVersion(9)
	return m.AppendTo([]byte{0})
}

// TestAnswersThatMakeNoSenseEndTheConnection.
func TestAnswersThatMakeNoSenseEndTheConnection(t *testing.T) {
	for name, answer := range map[string]func(correlation int32) []byte{
		"another's":    func(correlation int32) []byte { return framed(correlation+1, joined()) },
		"too long":     func(int32) []byte { return []byte{0x7f, 0, 0, 0, 1} },
		"too short":    func(int32) []byte { return []byte{0, 0, 0, 3, 1, 2, 3} },
		"without tags": func(correlation int32) []byte { return framed(correlation, nil) },
		"lying tags":   func(correlation int32) []byte { return framed(correlation, []byte{9, 1, 200}) },
		"HTTP":         func(int32) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n\r\n") },
		"nothing asked": func(correlation int32) []byte {
			return append(framed(correlation, make([]byte, 60)), framed(99, nil)...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newTown(t, 1)
			scripted(o, func(_ kafka.APIKey, correlation int32) []byte { return answer(correlation) })
			a := o.join(o.channel("b:9092"), "", time.Minute)
			o.w.Run(time.Second)
			if name != "nothing asked" {
				o.wantLost(a, peer.Garbled, true)
			}
			o.wantEndings(peer.Garbled)
			o.wantQuiet()
		})
	}
}

// TestAGreetingIsShort: nobody is believed a long one.
func TestAGreetingIsShort(t *testing.T) {
	o := newTown(t, 1)
	o.net.Listen("b:9092", func(_ netip.AddrPort, receive func([]byte)) network.Served {
		return &script{receive: receive, answer: func(_ kafka.APIKey, correlation int32) []byte { return framed(correlation, make([]byte, 100_000)) }}
	})
	a := o.join(o.channel("b:9092"), "x", time.Minute)
	o.w.Run(time.Second)
	o.wantLost(a, peer.Garbled, false)
	o.wantEndings(peer.Garbled)
	o.wantQuiet()
}

// TestAnAnswerThatDoesNotDecodeIsAnError, and its connection goes on: the stream is in order.
func TestAnAnswerThatDoesNotDecodeIsAnError(t *testing.T) {
	o := newTown(t, 1)
	n := 0
	scripted(o, func(_ kafka.APIKey, correlation int32) []byte {
		if n++; n == 1 {
			return framed(correlation, []byte{0, 1, 2, 3})
		}
		return framed(correlation, joined())
	})
	c := o.channel("b:9092")
	bad, good := o.join(c, "bad", time.Minute), o.join(c, "", time.Minute)
	o.w.Run(time.Second)
	o.wantLost(bad, peer.Garbled, true)
	o.wantAnswered(good)
	o.wantEndings()
	o.wantQuiet()
}
