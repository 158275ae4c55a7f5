package peer

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// Options are what all channels of a node share.
type Options struct {
	World    world.World
	Dialer   Dialer
	Pool     *wire.Pool // of requests and answers; see the package comment about its budget
	ClientID string     // in every request's header
	Software string     // the version that ApiVersions tells of us
	// MaxAnswerBytes is the longest answer that is believed. A Fetch answer may exceed what was asked for by one batch.
	MaxAnswerBytes int32
	// Setup is how long a connection may take until requests can be sent (socket.connection.setup.timeout.ms); it doubles
	// with each attempt that fails, up to SetupMax (socket.connection.setup.timeout.max.ms, KIP-601).
	Setup, SetupMax time.Duration
	// Backoff is the least time between two attempts (reconnect.backoff.ms); it doubles with each attempt that fails, up to
	// BackoffMax (reconnect.backoff.max.ms, KIP-144).
	Backoff, BackoffMax time.Duration
	// Unanswered is how many bytes of requests a channel sends before it waits for answers; one request always goes.
	Unanswered int
}

// DefaultOptions returns Kafka's defaults; World, Dialer and Pool are to be filled in.
func DefaultOptions() Options {
	return Options{
		ClientID: "milena", Software: "0", MaxAnswerBytes: 128 << 20,
		Setup: 10 * time.Second, SetupMax: 30 * time.Second, Backoff: 50 * time.Millisecond, BackoffMax: time.Second,
		Unanswered: 16 << 20,
	}
}

// Peers makes the channels of one node.
type Peers struct {
	o         Options
	deadlines *world.Deadlines
	apis      map[kafka.APIKey]wire.API
}

// New makes them.
func New(o Options) *Peers {
	p := &Peers{o: o, deadlines: world.NewDeadlines(o.World), apis: map[kafka.APIKey]wire.API{}}
	for _, a := range wire.APIs() {
		p.apis[a.Key] = a
	}
	p.apis[kafka.KeyNodeMessages], _ = wire.Lookup(kafka.KeyNodeMessages)
	return p
}

// api returns what we know of the API of a message.
func (p *Peers) api(m kmsg.Request) wire.API {
	if a, ok := p.apis[kafka.APIKey(m.Key())]; ok {
		return a
	}
	a := wire.API{Key: kafka.APIKey(m.Key()), Max: m.MaxVersion(), Flexible: -1}
	probe := kmsg.RequestForKey(m.Key())
	for v := int16(0); v <= a.Max && a.Flexible < 0; v++ {
		if probe.SetVersion(v); probe.IsFlexible() {
			a.Flexible = v
		}
	}
	return a
}

// API returns what this node speaks of an API, for Request.API. ok is false for one that wire doesn't know.
func (p *Peers) API(key kafka.APIKey) (api wire.API, ok bool) {
	api, ok = p.apis[key]
	return api, ok
}

// Channel makes a channel to an address. It connects when something is asked. ended hears of each connection's end, and of
// each attempt's that failed; it may be nil.
func (p *Peers) Channel(addr string, ended func(Ending)) *Channel {
	if ended == nil {
		ended = func(Ending) {}
	}
	return &Channel{p: p, addr: addr, ended: ended}
}
