// Package node puts one Milena process together: log directories, metadata quorum, feed, partitions, coordinator, handlers
// and listeners, in the order in which they can be started and stopped.
//
// milena (the embedded API), cli and sim start one. It connects parts and decides nothing itself; everything it does is a
// continuation on the World it is given, so that a simulation runs whole nodes on one goroutine.
//
// Invariants: no byte of a directory is touched before its lock is held; nobody is served before the broker is
// registered, unfenced and has its own image; a clean stop answers what is in flight before it closes.
package node

import (
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/milena-io/milena/internal/broker/cluster"
	"github.com/milena-io/milena/internal/broker/configs"
	"github.com/milena-io/milena/internal/broker/fetch"
	"github.com/milena-io/milena/internal/broker/groups"
	"github.com/milena-io/milena/internal/broker/produce"
	"github.com/milena-io/milena/internal/broker/topics"
	"github.com/milena-io/milena/internal/broker/transactions"
	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/coordinator"
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/feed"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/listen"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/storage"
	"github.com/milena-io/milena/internal/upkeep"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// Options is what a node is given.
type Options struct {
	World  world.World
	FS     disk.FS
	Values config.Values // static broker keys
	// ClusterID is the cluster's id, when somebody chose it; a directory of another cluster is refused.
	ClusterID string
	// Listen binds a listener, net.Listen in production. With nil the node has no sockets, and clients come by Connect.
	Listen   func(network, addr string) (net.Listener, error)
	Logger   *slog.Logger
	Observer listen.Observer // may be nil
	// Descriptors is how many files and sockets the node may have open; 0 for what the process may.
	Descriptors int
	// Features is what this process can run of each feature; nil for what this version can. Another range is a node of another version.
	Features []staterecord.FeatureRange
	// Dialer opens connections to other nodes; nil is TCP.
	Dialer peer.Dialer
	// Follow is given what the node follows the metadata log by, and answers what it uses instead: a simulation's comes late. May be nil.
	Follow func(feed.Source) feed.Source
	// Synced is told of every sync of a file and how long it took; may be nil.
	Synced func(took time.Duration)
	// Recovering is told every second how many logs of an unclean stop are recovered, and at the end that all are; nil has the
	// log tell it, where it takes longer than a second.
	Recovering func(done, total int)
	// Failed is told once when the node cannot go on: its disk failed or its metadata log lies. It is to be killed, not
	// stopped: nothing can be closed cleanly any more.
	Failed func(error)
}

// Node is one running process.
type Node struct {
	o         Options
	deadlines *world.Deadlines
	settings  settings
	life      life

	storage  *storage.Storage
	metadata atomic.Pointer[log.Log] // of __cluster_metadata-0, once it is open
	upkeep   *upkeep.Upkeep
	control  *seat
	feed     *feed.Feed
	replicas *replicas
	groups   *coordinator.Coordinator // nil where it is only a controller
	edge     edge
	session  session
	areas    areas
}

// areas are the handlers.
type areas struct {
	produce      *produce.Produces
	fetch        *fetch.Fetches
	topics       *topics.Topics
	groups       *groups.Groups
	configs      *configs.Configs
	cluster      *cluster.Cluster
	transactions *transactions.Transactions
}

// Start begins to start a node. ready is called once: with nil when clients are served, or with why they will not be;
// the node has then given everything back. Errors that need no waiting are returned and ready is never called.
func Start(o Options, ready func(error)) (*Node, error) {
	if o.Observer == nil {
		o.Observer = silent{}
	}
	if o.Descriptors == 0 {
		o.Descriptors = disk.Descriptors()
	}
	n := &Node{o: o, deadlines: world.NewDeadlines(o.World)}
	n.settings = settings{n: n, static: o.Values, rates: newRates(o.Values)}
	n.life = life{n: n, began: o.World.Now().Mono, startedMs: o.World.Now().WallMs}
	n.session = session{n: n, ready: ready, incarnation: kafka.IncarnationID(o.World.UUID()), epoch: -1, leaving: departure{n: n}}
	if err := n.settings.check(); err != nil {
		return nil, err
	}
	n.replicas = newReplicas(n)
	if err := n.openStorage(); err != nil {
		return nil, err
	}
	n.upkeep = upkeep.New(upkeep.Options{
		World: o.World, Static: o.Values, Layers: n.settings.layers, Storage: n.storage, Logger: o.Logger, Began: n.life.began,
		Recovering: o.Recovering, Recovered: n.replicas.news.recovered, Replicas: n.replicas, Life: &n.life,
		Scrubbed: n.replicas.others.scrubbed, Stalls: n.session.hangs,
	})
	if err := n.assemble(); err != nil {
		n.abandon()
		return nil, err
	}
	if err := n.edge.open(n); err != nil {
		n.abandon()
		return nil, err
	}
	n.control.start()
	return n, nil
}

// run begins to follow the metadata, and to take part in the cluster.
func (n *Node) run() {
	source := feed.Source(n.control)
	if n.o.Follow != nil {
		source = n.o.Follow(source)
	}
	n.feed.Start(source)
	n.session.begin()
}

// assemble makes every part that the roles ask for, without starting any.
func (n *Node) assemble() error {
	roles := n.settings.node.Roles
	n.storage.Look()
	act := n.replicas.apply
	if !roles.Broker {
		act = n.follow
	}
	var misfit error
	n.feed = feed.New(n.o.World.Go, func(d image.Delta) {
		if misfit != nil {
			return // it builds on what was not acted on
		}
		if misfit = n.fits(d); misfit != nil {
			n.life.Fail(misfit)
			return
		}
		act(d)
		n.control.vigil.notice(d)
		n.control.enlist.notice(d)
		n.replicas.news.brokers(d)
	}, n.life.Fail)
	if err := n.edge.bind(n); err != nil {
		return err
	}
	n.edge.budget = wire.NewBudget(n.o.Values.Int("milena.request.memory.max.bytes"))
	var err error
	if n.control, err = newSeat(n); err != nil {
		return err
	}
	n.assembleAreas(roles)
	n.edge.assemble(n)
	return nil
}

// assembleAreas makes the handlers: those that any node may have, and those of what only brokers keep.
func (n *Node) assembleAreas(roles config.Roles) {
	w, img := n.o.World, n.feed.Image
	n.areas = areas{
		topics:  topics.New(w, img, n.control, n.replicas, &n.settings),
		configs: configs.New(img, n.control, &n.settings),
		cluster: cluster.New(w, img, n.control, description{n}),
	}
	if !roles.Broker {
		return
	}
	n.groups = coordinator.New(n.coordinatorEnv())
	n.areas.produce = produce.New(w, n.deadlines, n.replicas)
	n.areas.fetch = fetch.New(w, n.replicas, n.settings.fetchLimits(), n.edge.budget, n.o.Logger)
	n.areas.groups = groups.New(n.groups, groupMetadata{n}, groupMetadata{n}, w)
	n.areas.transactions = transactions.New(&n.session, n.replicas)
}

// follow is what a node that is only a controller does about a new image: once that knows the cluster it is ready.
func (n *Node) follow(d image.Delta) {
	if d.From.MetadataVersion() == 0 && d.To.MetadataVersion() > 0 {
		n.o.World.Go(n.session.open)
	}
	for range d.Configs() {
		n.edge.limit(n.settings.connectionLimits(d.To))
		break
	}
}

// abandon gives back what a start that failed has taken.
func (n *Node) abandon() {
	n.feed.Stop()
	if n.control != nil {
		n.control.close()
	}
	n.edge.clients.close(0)
	n.edge.controllers.close(0)
	n.storage.Abandon()
}

// ClusterID returns the cluster's id.
func (n *Node) ClusterID() string { return n.storage.ClusterID() }

// log is the node's log for one of its parts, by the names that Kafka's loggers have.
func (n *Node) log(component string) *slog.Logger { return n.o.Logger.With("component", component) }
