package peer_test

import (
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/wire"
)

// probing is a prober on host a, and node 2 on host b.
func probing(t *testing.T, seed uint64) (o *town, s peer.Suspect, probe func(peer.Suspect) (peer.Finding, time.Duration)) {
	o = newTown(t, seed)
	o.serve("b", 2)
	self := wire.Identity{ClusterID: "c", Member: wire.Member{Node: 1, Directory: kafka.DirectoryID{1}}}
	p := &peer.Prober{Peers: peer.New(o.options()), Self: func() wire.Identity { return self }, Timeout: time.Second}
	s = peer.Suspect{Addr: "b:9092", Node: 2, Incarnation: o.identity["b"].Incarnation}
	return o, s, func(s peer.Suspect) (peer.Finding, time.Duration) {
		t.Helper()
		var found []peer.Finding
		began := o.w.Now().Mono
		p.Probe(s, func(f peer.Finding) { found = append(found, f) })
		if len(found) != 0 {
			t.Fatal("answered inline")
		}
		o.w.RunUntil(10*time.Second, func() bool { return len(found) > 0 })
		took := o.w.Now().Mono - began
		o.w.Run(10 * time.Second)
		if len(found) != 1 {
			t.Fatalf("answered %d times", len(found))
		}
		o.wantQuiet()
		return found[0], took
	}
}

func wantFinding(t *testing.T, f peer.Finding, life peer.Life, reason string) {
	t.Helper()
	if f.Life != life || !strings.Contains(f.Reason, reason) {
		t.Fatalf("%v: %s; want %v: ... %s", f.Life, f.Reason, life, reason)
	}
}

func TestAProbeTellsTheLivingFromTheDead(t *testing.T) {
	for _, c := range []struct {
		name   string
		does   func(o *town, s *peer.Suspect)
		life   peer.Life
		reason string
		within time.Duration
	}{
		{"alive", func(*town, *peer.Suspect) {}, peer.Alive, "of node 2 answers at b:9092", 20 * time.Millisecond},
		{"killed", func(o *town, _ *peer.Suspect) { o.net.Kill("b") }, peer.Gone, "nobody listens at b:9092 any more", 20 * time.Millisecond},
		{"started anew", func(o *town, _ *peer.Suspect) { o.net.Kill("b"); o.serve("b", 2) }, peer.Gone, "node 2 was started anew", 20 * time.Millisecond},
		{"another in its place", func(o *town, _ *peer.Suspect) { o.net.Kill("b"); o.serve("b", 3) }, peer.Gone, "node 3 of cluster \"c\" answers at b:9092, where node 2 was", 20 * time.Millisecond},
		{"another cluster in its place", func(o *town, _ *peer.Suspect) {
			o.net.Kill("b")
			o.serve("b", 2)
			o.identity["b"].ClusterID = "other"
		}, peer.Gone, "node 2 was started anew", 20 * time.Millisecond},
		{"no power", func(o *town, _ *peer.Suspect) { o.net.PowerOff("b") }, peer.Unknown, "does not say who is there: peer.NodeMessages: asking b:9092: no answer came", time.Second},
		{"cut to it", func(o *town, _ *peer.Suspect) { o.net.Cut("a", "b") }, peer.Unknown, "does not say who is there", time.Second},
		{"cut from it", func(o *town, _ *peer.Suspect) { o.net.Cut("b", "a") }, peer.Unknown, "does not say who is there", time.Second},
		{"not one of ours", func(o *town, _ *peer.Suspect) {
			o.net.Kill("b")
			handlers := o.handlers("b")
			delete(handlers, kafka.KeyNodeMessages)
			o.serveWith("b", handlers)
		}, peer.Unknown, "does not offer NodeMessages", 20 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, s, probe := probing(t, 1)
			c.does(o, &s)
			f, took := probe(s)
			wantFinding(t, f, c.life, c.reason)
			if took > c.within {
				t.Fatalf("found after %v", took)
			}
			if f.Life == peer.Alive && f.Who != *o.identity["b"] {
				t.Fatalf("%+v", f.Who)
			}
		})
	}
}

// TestAProcessThatIsDyingIsAskedAgain: its machine takes connections and resets them until it is dead.
func TestAProcessThatIsDyingIsAskedAgain(t *testing.T) {
	o, s, probe := probing(t, 1)
	o.net.Cut("b", "a") // so that the question is on its way when it dies
	o.w.After(500*time.Microsecond, func() { o.net.Break("a", "b") })
	o.w.After(time.Millisecond, func() { o.net.Kill("b"); o.net.Heal("b", "a") })
	f, took := probe(s)
	wantFinding(t, f, peer.Gone, "nobody listens")
	if took > 50*time.Millisecond {
		t.Fatalf("found after %v", took)
	}
}

// TestAProbeHasNoEffect: nothing is taken, and who asks need not know whom it will meet.
func TestAProbeHasNoEffect(t *testing.T) {
	o, s, probe := probing(t, 1)
	f, _ := probe(s)
	if wantFinding(t, f, peer.Alive, ""); len(o.taken) != 0 {
		t.Fatalf("taken %v", o.taken)
	}
}
