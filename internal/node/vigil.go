package node

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/wire"
)

// vigil is the active controller's eye on the brokers that have no vote: a connection to each, over which nothing is said once it
// stands. When it ends the process at the other end is asked for (architecture D11). Voters are seen by the mail.
type vigil struct {
	s *seat

	mu   sync.Mutex
	on   map[kafka.NodeID]*watched
	dead map[kafka.NodeID]kafka.BrokerEpoch // being fenced
}

// watched is one broker that is watched.
type watched struct {
	v      *vigil
	broker *image.Broker
	// Under the vigil's lock.
	channel *peer.Channel // nil once it is over
	asked   bool          // whether the process lives; one question at a time
}

// vigilRest is how long after a broker proved to live, or proved nothing, its connection is made again.
const vigilRest = 500 * time.Millisecond

// look begins and ends watches, as the image and the role of this node want it.
func (v *vigil) look() {
	want := map[kafka.NodeID]*image.Broker{}
	if v.s.Active() && !v.s.n.life.Over() {
		for b := range v.s.n.feed.Image().Brokers() {
			votes := slices.ContainsFunc(v.s.voters(), func(o record.Voter) bool { return o.ID == b.ID })
			if b.ID != v.s.n.settings.NodeID() && !b.Fenced && !votes {
				want[b.ID] = b
			}
		}
	}
	var over []*peer.Channel
	var begun []*watched
	v.mu.Lock()
	for id, w := range v.on {
		if b := want[id]; b == nil || b.Epoch != w.broker.Epoch {
			over = append(over, w.channel)
			w.channel = nil
			delete(v.on, id)
		}
	}
	for id, b := range want {
		if v.on[id] != nil {
			continue
		}
		e, ok := v.s.n.among(b)
		if !ok {
			continue
		}
		w := &watched{v: v, broker: b}
		w.channel = v.s.n.replicas.others.peers.Channel(net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))), func(peer.Ending) { w.ended() })
		if v.on == nil {
			v.on = map[kafka.NodeID]*watched{}
		}
		v.on[id] = w
		begun = append(begun, w)
	}
	v.mu.Unlock()
	slices.SortFunc(over, func(a, b *peer.Channel) int { return cmp.Compare(a.Addr(), b.Addr()) })
	slices.SortFunc(begun, func(a, b *watched) int { return cmp.Compare(a.broker.ID, b.broker.ID) })
	for _, c := range over {
		c.Close()
	}
	for _, w := range begun {
		w.connect()
	}
}

// connect makes the connection, by asking who is there.
func (w *watched) connect() {
	w.v.mu.Lock()
	c := w.channel
	w.v.mu.Unlock()
	if c == nil {
		return
	}
	n := w.v.s.n
	call := &wire.NodeCall{ClusterID: n.ClusterID(), From: n.member(), To: wire.Member{Node: kafka.NoNode}}
	c.Tell(call, probeTimeout, func(wire.NodeAnswer, error) {}) // what is amiss ends the connection
}

// ended asks for the process to which the connection ended.
func (w *watched) ended() {
	w.v.mu.Lock()
	again := w.channel != nil && !w.asked
	w.asked = w.asked || again
	w.v.mu.Unlock()
	if !again {
		return
	}
	since := w.v.s.n.o.World.Now().Mono
	w.v.s.n.examine(w.broker, func(f peer.Finding) {
		w.v.mu.Lock()
		w.asked = false
		w.v.mu.Unlock()
		if f.Life == peer.Gone {
			w.v.s.bury(w.broker, since, f.Reason)
		}
		w.v.s.n.o.World.After(vigilRest, w.connect) // a watch that is over by then does nothing
	})
}

// examine asks for a broker's process because something gave reason to.
func (v *vigil) examine(b *image.Broker) {
	since := v.s.n.o.World.Now().Mono
	v.s.n.examine(b, func(f peer.Finding) {
		if f.Life == peer.Gone {
			v.s.bury(b, since, f.Reason)
		}
	})
}

// buries notes that a broker is being fenced because it is dead; false where that is under way: several connections to a process end
// with it.
func (v *vigil) buries(b *image.Broker) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.dead[b.ID] == b.Epoch {
		return false
	}
	if v.dead == nil {
		v.dead = map[kafka.NodeID]kafka.BrokerEpoch{}
	}
	v.dead[b.ID] = b.Epoch
	return true
}

// buried notes that it is done, or came to nothing.
func (v *vigil) buried(b *image.Broker) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.dead, b.ID)
}

// notice hears of a change of the metadata.
func (v *vigil) notice(d image.Delta) {
	for range d.Brokers() {
		v.s.n.feed.WaitFor(d.To.Offset()+1, func() { v.s.n.o.World.Go(v.look) })
		return
	}
}

// close ends all watches.
func (v *vigil) close() {
	v.mu.Lock()
	all := v.on
	v.on = nil
	var over []*peer.Channel
	for _, w := range all {
		over = append(over, w.channel)
		w.channel = nil
	}
	v.mu.Unlock()
	slices.SortFunc(over, func(a, b *peer.Channel) int { return cmp.Compare(a.Addr(), b.Addr()) })
	for _, c := range over {
		c.Close()
	}
}
