// Package metrics shows a running node to operators: the series that Kafka dashboards and alert rules query, health and
// readiness, the slowest requests, and profiles, over HTTP.
//
// The assembly makes one Metrics a node, gives it to node as its listen.Observer, tells it of the node by Watch, and
// serves its Handler, on a port of its own by Serve. It never decides anything about Kafka and never logs; no state is
// shared between two Metrics, so that many nodes live in one process.
//
// The page is written here and not by a metrics library's registry: the TYPE and HELP lines that Prometheus wants, the
// quantiles that Kafka's boards read and histograms with fixed bounds come from one set of atomic counters each. What is
// told of the Go runtime and of the process comes from VictoriaMetrics/metrics.
//
// Invariants: what the Observer is told costs atomic additions and no allocation once an API, a listener and a reason were
// seen; a counter never goes down; what a client makes up (an API key, a version, what it calls itself) makes no series, and
// topics, partitions and groups only as many as the limit allows.
package metrics

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// Options is what a Metrics is given.
type Options struct {
	Version string // of the build, for milena_build_info
	Commit  string
	// PartitionLimit is milena.metrics.partition.limit: with more partitions, topics, groups or committed offsets than
	// that, their single series are left out and milena_metrics_truncated is 1.
	PartitionLimit int
	// Now is the node's clock, World.Now.
	Now func() kafka.Instant
	// GroupsWait bounds how long a scrape waits for the group coordinator; zero is two seconds.
	GroupsWait time.Duration
}

// Metrics is what one node has counted. It is a listen.Observer.
type Metrics struct {
	o         Options
	source    atomic.Pointer[Source]
	serving   atomic.Pointer[error] // why not; nil inside: it serves
	apis      [apiKeys]atomic.Pointer[api]
	listeners table[listener]
	closed    table[atomic.Uint64] // connections by the reason of their end
	refused   table[atomic.Uint64] // input that closed its connection, by what it was
	syncs     histogram
	gaps      atomic.Uint64 // scrapes that went without groups

	scrape sync.Mutex // one page is written at a time; it guards what follows
	seen   memory
}

// apiKeys is above every API key of Kafka; it bounds what is kept, as a key comes from a client.
const apiKeys = 128

// The last places are taken by what has no key of Kafka's there.
const (
	slotConsumer = apiKeys - 3 + iota // fetches of consumers
	slotFollower                      // fetches of replicas
	slotNodes                         // NodeMessages, our own API
)

var errStarting = errors.New("the node is starting")

// New returns a Metrics that has counted nothing, of a node that is starting.
func New(o Options) *Metrics {
	must.Hold(o.Now != nil, "metrics without a clock")
	if o.GroupsWait == 0 {
		o.GroupsWait = 2 * time.Second
	}
	m := &Metrics{o: o, seen: memory{apis: map[string]*recentAPI{}}}
	m.Serving(errStarting)
	return m
}

// Watch tells whom to ask for what events do not tell. Until then the page has only what was counted.
func (m *Metrics) Watch(s Source) { m.source.Store(&s) }

// Serving tells that clients are served now, or why they are not: /readyz says so.
func (m *Metrics) Serving(notYet error) { m.serving.Store(&notYet) }

// Synced counts one sync of a file and how long it took.
func (m *Metrics) Synced(took time.Duration) { m.syncs.observe(took) }
