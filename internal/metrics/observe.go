package metrics

import (
	"sync/atomic"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/listen"
	"github.com/milena-io/milena/internal/wire"
)

var _ listen.Observer = (*Metrics)(nil)

// listener is what was counted of one listener's connections.
type listener struct {
	opened, closed     atomic.Uint64
	bytesIn, bytesOut  atomic.Uint64
	requests, answered atomic.Uint64
}

// Opened counts a connection.
func (m *Metrics) Opened(p wire.Peer) { m.listeners.row(p.Listener).opened.Add(1) }

// Closed counts the end of a connection and its reason.
func (m *Metrics) Closed(p wire.Peer, reason string) {
	m.listeners.row(p.Listener).closed.Add(1)
	m.closed.row(reason).Add(1)
}

// Refused counts input that closed its connection.
func (m *Metrics) Refused(_ wire.Peer, what string) { m.refused.row(what).Add(1) }

// Received counts bytes from clients.
func (m *Metrics) Received(p wire.Peer, bytes int) {
	m.listeners.row(p.Listener).bytesIn.Add(uint64(bytes))
}

// Sent counts bytes to clients.
func (m *Metrics) Sent(p wire.Peer, bytes int) {
	m.listeners.row(p.Listener).bytesOut.Add(uint64(bytes))
}

// Done counts a request and where its time went.
func (m *Metrics) Done(r *wire.Request, requestBytes, responseBytes int64) {
	l := m.listeners.row(r.Peer.Listener)
	l.requests.Add(1)
	if responseBytes > 0 {
		l.answered.Add(1)
	}
	a := m.api(r.Key)
	if a == nil {
		return
	}
	s := stagesOf(r)
	a.count(r, &s, requestBytes, responseBytes)
	a.slowest.offer(r, &s, requestBytes, responseBytes)
	switch { // as in Kafka a fetch counts by who fetched, too
	case r.Key != kafka.KeyFetch:
	case r.Fetch.ReplicaID >= 0:
		m.slot(slotFollower, kafka.KeyFetch, "FetchFollower").count(r, &s, requestBytes, responseBytes)
	default:
		m.slot(slotConsumer, kafka.KeyFetch, "FetchConsumer").count(r, &s, requestBytes, responseBytes)
	}
}

// api is what was counted of one API.
type api struct {
	key               kafka.APIKey
	name              string
	versions          [apiVersions]atomic.Uint64
	bytesIn, bytesOut atomic.Uint64
	// Kafka's TotalTimeMs, RequestQueueTimeMs, LocalTimeMs, RemoteTimeMs and ResponseSendTimeMs.
	total, queue, local, remote, respond histogram
	slowest                              slowest
}

// apiVersions is above every version of Kafka's; the last one stands for those beyond.
const apiVersions = 32

func (a *api) version(v int16) *atomic.Uint64 { return &a.versions[min(max(v, 0), apiVersions-1)] }

// count takes a request in.
func (a *api) count(r *wire.Request, s *stages, requestBytes, responseBytes int64) {
	a.version(r.Version).Add(1)
	a.bytesIn.Add(uint64(requestBytes))
	a.bytesOut.Add(uint64(responseBytes))
	a.total.observe(s.total)
	a.queue.observe(s.queue)
	a.local.observe(s.local)
	a.remote.observe(s.remote)
	a.respond.observe(s.respond)
}

// api finds what is counted of an API, nil for a key that cannot be.
func (m *Metrics) api(key kafka.APIKey) *api {
	at := int(key)
	switch {
	case key == kafka.KeyNodeMessages:
		at = slotNodes
	case key < 0 || key >= slotConsumer:
		return nil
	}
	if a := m.apis[at].Load(); a != nil {
		return a // its name, which costs something to find, is not asked for
	}
	return m.slot(at, key, key.String())
}

// slot finds what is counted in a place.
func (m *Metrics) slot(at int, key kafka.APIKey, name string) *api {
	if a := m.apis[at].Load(); a != nil {
		return a
	}
	m.apis[at].CompareAndSwap(nil, &api{key: key, name: name})
	return m.apis[at].Load()
}

// stages is where the time of a request went.
type stages struct {
	total   time.Duration
	queue   time.Duration // from its arrival until it was admitted
	local   time.Duration // the handler's own
	remote  time.Duration // waiting: for the disk, the replicas, or records to come
	respond time.Duration // from the answer until it was written: behind those before it, and in the socket
	sent    time.Duration // on the monotonic clock
}

// stagesOf reads a timeline, in which any stage may be missing.
func stagesOf(r *wire.Request) stages {
	t := &r.Timeline
	began := r.Arrived.Mono
	admitted := max(t.Queued, t.Decoded, began)
	worked := max(t.Appended, admitted)
	answered := max(t.Answered, worked, t.Flushed, t.Replicated)
	if t.Appended == 0 {
		worked = answered // nothing to wait for: all of it was the handler's
	}
	sent := max(t.Sent, answered)
	return stages{
		total: sent - began, queue: admitted - began, local: worked - admitted, remote: answered - worked,
		respond: sent - answered, sent: sent,
	}
}
