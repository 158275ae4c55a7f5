package network

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// far is a server's end that notes what it gets.
type far struct {
	receive func([]byte)
	remote  netip.AddrPort
	got     []byte
	cut     int
}

func (f *far) Send(b []byte) { f.got = append(f.got, b...) }
func (f *far) Cut()          { f.cut++ }

// near is a client's end that notes what it gets.
type near struct {
	conn   peer.Conn
	opened int
	got    []byte
	space  [7]byte
	full   bool // takes nothing
	wake   func()
	ended  []peer.Ending
}

func (n *near) Opened() { n.opened++ }
func (n *near) Starved(wake func()) bool {
	n.wake = wake
	return n.full
}
func (n *near) Space() []byte       { return n.space[:] }
func (n *near) Filled(k int)        { n.got = append(n.got, n.space[:k]...) }
func (n *near) Ended(e peer.Ending) { n.ended = append(n.ended, e) }
func (n *near) send(b []byte) {
	buf := wire.NewPool(nil, true).Get(len(b))
	buf.B = append(buf.B, b...)
	n.conn.Send(buf)
}

type rig struct {
	w   *world.Virtual
	net *Network
	far []*far
}

func newRig(seed uint64) *rig {
	w := world.NewVirtual(seed)
	r := &rig{w: w, net: New(w, seed, LAN())}
	r.listen()
	return r
}

func (r *rig) listen() (stop func()) {
	return r.net.Listen("b:1", func(remote netip.AddrPort, receive func([]byte)) Served {
		f := &far{receive: receive, remote: remote}
		r.far = append(r.far, f)
		return f
	})
}

func (r *rig) dial() *near {
	n := &near{}
	n.conn = r.net.Dialer("a").Dial("b:1", n)
	return n
}

func (r *rig) connect(t *testing.T) (*near, *far) {
	t.Helper()
	n := r.dial()
	r.w.Run(time.Second)
	if n.opened != 1 || len(n.ended) != 0 || len(r.far) == 0 {
		t.Fatalf("%+v, %d accepted", n, len(r.far))
	}
	return n, r.far[len(r.far)-1]
}

func wantEnded(t *testing.T, n *near, how peer.How) {
	t.Helper()
	if len(n.ended) != 1 || n.ended[0].How != how {
		t.Fatalf("ended %v, want %v", n.ended, how)
	}
}

// TestBytesArriveInOrderOrTheConnectionBreaks, whatever happens to the links.
func TestBytesArriveInOrderOrTheConnectionBreaks(t *testing.T) {
	whole, broken := 0, 0
	for seed := uint64(1); seed <= 200; seed++ {
		r := newRig(seed)
		n, f := r.connect(t)
		dice := r.w.Rand()
		var there, back []byte
		for i := range 100 {
			b := bytes.Repeat([]byte{byte(i)}, 1+dice.IntN(50))
			if dice.IntN(2) == 0 {
				n.send(b)
				there = append(there, b...)
			} else {
				f.receive(b)
				back = append(back, b...)
			}
			switch dice.IntN(20) {
			case 0:
				r.net.Cut("a", "b")
			case 1:
				r.net.Cut("b", "a")
			case 2:
				r.net.Heal("a", "b")
			case 3:
				r.net.Heal("b", "a")
			case 4:
				if dice.IntN(20) == 0 {
					r.net.Break("a", "b")
				}
			}
			r.w.Run(time.Duration(dice.IntN(300)) * time.Microsecond)
		}
		r.net.Isolated("a", false)
		r.w.Run(time.Second)
		if !bytes.HasPrefix(there, f.got) || !bytes.HasPrefix(back, n.got) {
			t.Fatalf("seed %d: not what was sent", seed)
		}
		if len(n.ended) > 0 {
			broken++
			if wantEnded(t, n, peer.Broken); f.cut != 1 {
				t.Fatalf("seed %d: the server was told %d times", seed, f.cut)
			}
			continue
		}
		whole++
		if len(f.got) != len(there) || len(n.got) != len(back) || f.cut != 0 {
			t.Fatalf("seed %d: %d bytes of %d, and %d of %d back", seed, len(f.got), len(there), len(n.got), len(back))
		}
	}
	if whole < 50 || broken < 20 {
		t.Fatalf("%d whole, %d broken", whole, broken)
	}
}

// TestALinkIsCutOneWay: the other way goes on, and what waited arrives when it heals.
func TestALinkIsCutOneWay(t *testing.T) {
	r := newRig(1)
	n, f := r.connect(t)
	r.net.Cut("a", "b")
	n.send([]byte("there"))
	f.receive([]byte("back"))
	r.w.Run(time.Hour)
	if len(f.got) != 0 || string(n.got) != "back" || len(n.ended) != 0 || f.cut != 0 {
		t.Fatalf("%q there, %q back", f.got, n.got)
	}
	late := r.dial()
	r.w.Run(time.Hour)
	if late.opened != 0 || len(late.ended) != 0 || len(r.far) != 1 {
		t.Fatal("a connection came about over a cut link")
	}
	r.net.Heal("a", "b")
	r.w.Run(time.Second)
	if string(f.got) != "there" || late.opened != 1 {
		t.Fatalf("%q arrived, %d opened", f.got, late.opened)
	}
}

func TestAProcessThatDiesResetsAndRefuses(t *testing.T) {
	r := newRig(1)
	n, f := r.connect(t)
	f.receive([]byte("last words"))
	r.net.Kill("b")
	r.w.Run(time.Second)
	if wantEnded(t, n, peer.Broken); string(n.got) != "last words" || f.cut != 0 {
		t.Fatalf("%q, cut %d", n.got, f.cut)
	}
	late := r.dial()
	r.w.Run(time.Second)
	wantEnded(t, late, peer.Refused)
	r.listen()
	r.connect(t)
	m, g := r.connect(t)
	r.net.Kill("a") // whose own process hears nothing
	r.w.Run(time.Second)
	if g.cut != 1 || len(m.ended) != 0 {
		t.Fatalf("the server was told %d times, the dead process %v", g.cut, m.ended)
	}
}

func TestAMachineWithoutPowerIsSilentAndForgets(t *testing.T) {
	r := newRig(1)
	n, f := r.connect(t)
	f.receive([]byte("never sent"))
	r.net.PowerOff("b")
	n.send([]byte("x"))
	late := r.dial()
	r.w.Run(time.Hour)
	if len(n.ended)+len(late.ended) != 0 || len(n.got) != 0 {
		t.Fatalf("%v and %v, %q", n.ended, late.ended, n.got)
	}
	r.net.PowerOn("b")
	r.w.Run(time.Second)
	wantEnded(t, n, peer.Broken)
	wantEnded(t, late, peer.Refused)
	if len(f.got) != 0 {
		t.Fatal("a dead process got something")
	}
}

func TestClosingIsToldBehindWhatWasSent(t *testing.T) {
	r := newRig(1)
	n, f := r.connect(t)
	n.send([]byte("bye"))
	n.conn.Close()
	n.conn.Close()
	if len(n.ended) != 0 {
		t.Fatal("told inline")
	}
	f.receive([]byte("too late"))
	r.w.Run(time.Second)
	if wantEnded(t, n, peer.Closed); f.cut != 1 || string(f.got) != "bye" || len(n.got) != 0 {
		t.Fatalf("cut %d, %q", f.cut, f.got)
	}
	m, g := r.connect(t)
	g.receive([]byte("bye"))
	g.receive(nil)
	g.receive([]byte("never"))
	r.w.Run(time.Second)
	if wantEnded(t, m, peer.Broken); string(m.got) != "bye" {
		t.Fatalf("%q", m.got)
	}
	early := r.dial()
	early.conn.Close()
	r.w.Run(time.Second)
	if wantEnded(t, early, peer.Closed); early.opened != 0 || r.far[2].cut != 1 {
		t.Fatalf("opened %d, cut %d", early.opened, r.far[2].cut)
	}
}

// TestWhoHasNoMemoryIsNotGivenBytes.
func TestWhoHasNoMemoryIsNotGivenBytes(t *testing.T) {
	r := newRig(1)
	n, f := r.connect(t)
	n.full = true
	f.receive([]byte("a long answer indeed"))
	r.w.Run(time.Second)
	if len(n.got) != 0 {
		t.Fatalf("%q", n.got)
	}
	n.full = false
	n.wake()
	n.wake()
	if len(n.got) != 0 {
		t.Fatal("given inline")
	}
	r.w.Run(time.Second)
	if string(n.got) != "a long answer indeed" {
		t.Fatalf("%q", n.got)
	}
}

func TestDelaysAreOfEachDirection(t *testing.T) {
	r := newRig(1)
	n, f := r.connect(t)
	r.net.Delay("a", "b", Delay{Least: time.Second, Most: 2 * time.Second})
	n.send([]byte("x"))
	f.receive([]byte("y"))
	r.w.Run(900 * time.Millisecond)
	if len(f.got) != 0 || string(n.got) != "y" {
		t.Fatalf("%q there, %q back", f.got, n.got)
	}
	r.w.Run(1200 * time.Millisecond)
	if string(f.got) != "x" {
		t.Fatal("it didn't arrive")
	}
	other := newRig(1)
	m, _ := other.connect(t)
	if fmt.Sprint(other.far[0].remote) != fmt.Sprint(f.remote) || m.opened != n.opened || slices.Compare(m.got, nil) != 0 {
		t.Fatal("the same seed gives another run")
	}
}
