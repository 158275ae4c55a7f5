package node

import (
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/replica"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/storage"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// replication is what this broker does with others for its partitions: it fetches for those that follow, takes leaders' wishes
// to the controller, and looks after the followers of what it leads.
type replication struct {
	n        *Node
	peers    *peer.Peers
	fetchers *replica.Fetchers
	wishes   *replica.Wishes
	mender   *replica.Mender
	comparer *replica.Comparer
	assents  *replica.Assents

	mu     sync.Mutex
	timers map[*storage.Volume]world.Timer // of the next look at the followers of what is led from a directory; empty while this broker is alone
	closed bool
}

func newReplication(n *Node) *replication {
	r := &replication{n: n, timers: map[*storage.Volume]world.Timer{}}
	v := n.o.Values
	o := peer.DefaultOptions()
	o.World, o.Dialer = n.o.World, n.o.Dialer
	if o.Dialer == nil {
		o.Dialer = &peer.TCP{World: n.o.World}
	}
	o.Setup, o.SetupMax = v.Millis("socket.connection.setup.timeout.ms"), v.Millis("socket.connection.setup.timeout.max.ms")
	// Answers have memory of their own: they must not wait for what clients' requests hold, which may wait for them.
	o.Pool = wire.NewPool(wire.NewBudget(v.Int("milena.request.memory.max.bytes")), false)
	r.peers = peer.New(o)
	self := n.settings.NodeID()
	r.fetchers = replica.New(replica.Options{
		World: n.o.World, Peers: r.peers, Self: self, Logger: n.log("kafka.server.ReplicaFetcherThread"),
		Identity: func() (string, kafka.BrokerEpoch) { return n.storage.ClusterID(), n.session.brokerEpoch() },
		Settings: r.settings, Ended: r.lost,
	})
	r.mender = replica.NewMender(replica.MenderOptions{
		World: n.o.World, Peers: r.peers, Logger: n.log("kafka.log"), Sources: r.sources, Settings: r.settings,
	})
	r.comparer = replica.NewComparer(replica.ComparerOptions{
		World: n.o.World, Peers: r.peers, Self: self, Logger: n.log("kafka.log"), Sources: r.sources, Leads: r.leads,
		Rate: func() int64 { return n.o.Values.Int("milena.scrub.io.max.bytes.per.second") },
	})
	r.assents = replica.NewAssents(r.peers, self)
	r.wishes = replica.NewWishes(n.o.World, r, self, n.session.brokerEpoch)
	return r
}

// settings are the keys of replica.fetch.* as they are now.
func (r *replication) settings() replica.Settings {
	v := r.n.o.Values
	const shards = "num.replica.fetchers"
	return replica.Settings{
		MaxBytes: int32(v.Int("replica.fetch.max.bytes")), ResponseBytes: int32(v.Int("replica.fetch.response.max.bytes")),
		MinBytes: int32(v.Int("replica.fetch.min.bytes")), Wait: v.Millis("replica.fetch.wait.max.ms"),
		Backoff: v.Millis("replica.fetch.backoff.ms"), Timeout: v.Millis("replica.socket.timeout.ms"),
		Shards: int(r.n.settings.Layers().Broker(shards).Int(shards)),
	}
}

// Submit takes a leader's wishes to the controllers (replica.Control).
func (r *replication) Submit(timeout time.Duration, cmd controller.Command, done func(reply any, err error)) {
	r.n.control.Submit(timeout, cmd, done)
}

// Member implements partition.Replication.
func (r *replication) Member(id kafka.NodeID) (epoch kafka.BrokerEpoch, eligible bool) {
	return r.n.replicas.Member(id)
}

// Wish implements partition.Replication.
func (r *replication) Wish(p *partition.Partition) { r.wishes.Wish(p) }

// Durable implements partition.Replication.
func (r *replication) Durable(p *partition.Partition) { r.fetchers.Durable(p) }

// follow has a partition fetched from whoever leads it, if that is another; it has taken its registration. Who has no other
// replica is left alone, and a broker that goes fetches nothing that the others don't wait for: its disk and theirs may be one.
func (r *replication) follow(img *image.Image, id kafka.TopicIDPartition, p *partition.Partition, reg *image.Partition) {
	leader := img.Broker(reg.Leader)
	if leader == nil || leader.ID == r.n.replicas.self || r.goes(img) && !slices.Contains(reg.ISR(), r.n.replicas.self) {
		r.fetchers.Unfollow(id)
		return
	}
	addr, ok := r.address(leader)
	if !ok {
		r.fetchers.Unfollow(id)
		return
	}
	r.fetchers.Follow(id, p, leader.ID, addr)
}

// goes reports whether this broker is on its way out, as the metadata has it.
func (r *replication) goes(img *image.Image) bool {
	b := img.Broker(r.n.replicas.self)
	return b != nil && b.ShuttingDown && b.Incarnation == r.n.session.incarnation
}

// forget ends what is done for a partition that is here no more.
func (r *replication) forget(id kafka.TopicIDPartition, p *partition.Partition) {
	r.fetchers.Unfollow(id)
	r.wishes.Forget(p)
	r.mender.Forget(id)
}

// damaged has a partition repaired from another replica (R15).
func (r *replication) damaged(name kafka.TopicPartition) {
	t := r.n.replicas.Image().TopicNamed(name.Topic)
	if t == nil {
		return
	}
	id := kafka.TopicIDPartition{TopicID: t.ID, Partition: name.Partition}
	if p, err := r.n.replicas.ByID(id); err == nil {
		r.mender.Damaged(id, p)
	}
}

// leads reports whether this node leads a partition.
func (r *replication) leads(id kafka.TopicIDPartition) bool {
	if t := r.n.replicas.Image().Topic(id.TopicID); t != nil {
		p, ok := t.Partition(id.Partition)
		return ok && p.Leader == r.n.replicas.self
	}
	return false
}

// scrubbed has a log compared with those of other replicas.
func (r *replication) scrubbed(p *partition.Partition) {
	if t := r.n.replicas.Image().TopicNamed(p.Name().Topic); t != nil {
		r.comparer.Compare(kafka.TopicIDPartition{TopicID: t.ID, Partition: p.Name().Partition}, p)
	}
}

// sources are the other replicas of a partition: its leader, then who is in sync, then the others.
func (r *replication) sources(id kafka.TopicIDPartition) (out []replica.Source) {
	img := r.n.replicas.Image()
	t := img.Topic(id.TopicID)
	if t == nil {
		return nil
	}
	p, ok := t.Partition(id.Partition)
	if !ok {
		return nil
	}
	for _, n := range slices.Concat([]kafka.NodeID{p.Leader}, p.ISR(), p.Replicas()) {
		b := img.Broker(n)
		if b == nil || n == r.n.replicas.self || b.Fenced || slices.ContainsFunc(out, func(s replica.Source) bool { return s.Node == n }) {
			continue
		}
		if addr, ok := r.address(b); ok {
			out = append(out, replica.Source{Node: n, Addr: addr})
		}
	}
	return out
}

// address is where other brokers reach one; there may be none of that id.
func (r *replication) address(b *image.Broker) (addr string, ok bool) {
	if b == nil {
		return "", false
	}
	e, ok := b.Endpoint(r.n.settings.node.Listeners.InterBroker)
	return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))), ok
}

// lost hears that a connection to a leader ended. Where the active controller is here, that asks whether the leader lives; elsewhere
// it has learned by a connection of its own.
func (r *replication) lost(leader kafka.NodeID, _ peer.Ending) {
	s := r.n.control
	if r.n.life.Over() || !s.Active() {
		return
	}
	if b := r.n.feed.Image().Broker(leader); b != nil && !b.Fenced {
		s.vigil.examine(b)
	}
}

// brokers hears that others came, went or moved: whom they lead is fetched from where they are now, and who leads looks again
// at who may be in sync.
func (r *replication) brokers(d image.Delta) {
	moved, changed := map[kafka.NodeID]bool{}, false
	for c := range d.Brokers() {
		changed = true
		if c.New != nil && (c.Old == nil || !slices.Equal(c.Old.Endpoints, c.New.Endpoints)) {
			moved[c.New.ID] = true
		}
	}
	if !changed {
		return
	}
	r.watch(d.To)
	for id, p := range r.n.replicas.ordered() {
		t := d.To.Topic(id.TopicID)
		if t == nil {
			continue
		}
		reg, ok := t.Partition(id.Partition)
		if !ok || len(reg.Replicas()) < 2 {
			continue
		}
		if reg.Leader == r.n.replicas.self {
			r.n.o.World.Go(func() { partition.AsLeader(p).Consider(0) })
		} else if moved[reg.Leader] {
			r.follow(d.To, id, p, reg)
		}
	}
}

// watch looks at the followers twice in replica.lag.time.max.ms, for as long as there are other brokers.
func (r *replication) watch(img *image.Image) {
	others := 0
	for range img.Brokers() {
		others++
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if others > 1 && len(r.timers) == 0 && !r.closed {
		for _, v := range r.n.storage.Volumes {
			r.lookAgain(v)
		}
	}
}

func (r *replication) lag() time.Duration { return r.n.o.Values.Millis("replica.lag.time.max.ms") }

// look looks at the followers of what is led from a directory. One that hangs keeps no other from being looked at.
func (r *replication) look(v *storage.Volume) {
	lag := r.lag()
	for _, p := range r.n.replicas.All() {
		if v.Env.Holds(p) {
			partition.AsLeader(p).Consider(lag)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.lookAgain(v)
	}
}

func (r *replication) lookAgain(v *storage.Volume) {
	r.timers[v] = r.n.o.World.After(r.lag()/2, func() { r.look(v) })
}

// close ends all of it.
func (r *replication) close() {
	r.mu.Lock()
	r.closed = true
	for _, t := range r.timers {
		t.Stop()
	}
	r.mu.Unlock()
	r.fetchers.Close()
	r.wishes.Close()
	r.mender.Close()
	r.comparer.Close()
	r.assents.Close()
}

// among is where other nodes reach a broker. A process that is only a controller has no listener of that name, and takes the first.
func (n *Node) among(b *image.Broker) (e staterecord.Endpoint, ok bool) {
	if e, ok = b.Endpoint(n.settings.node.Listeners.InterBroker); !ok && len(b.Endpoints) > 0 && !n.settings.node.Roles.Broker {
		return b.Endpoints[0], true
	}
	return e, ok
}

// examine asks whether the process of a broker's registered incarnation lives (architecture D11).
func (n *Node) examine(b *image.Broker, done func(peer.Finding)) {
	e, ok := n.among(b)
	if !ok {
		n.o.World.Go(func() { done(peer.Finding{Reason: "it has no listener for other brokers"}) })
		return
	}
	p := peer.Prober{Peers: n.replicas.others.peers, Self: n.identity, Timeout: probeTimeout}
	p.Probe(peer.Suspect{Addr: net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))), Node: b.ID, Incarnation: b.Incarnation}, done)
}

// probeTimeout is how long a process has to show that it lives.
const probeTimeout = 500 * time.Millisecond
