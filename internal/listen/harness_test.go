package listen

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// journal takes the log's lines.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) Enabled(context.Context, slog.Level) bool { return true }
func (j *journal) WithAttrs([]slog.Attr) slog.Handler       { return j }
func (j *journal) WithGroup(string) slog.Handler            { return j }
func (j *journal) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
	return nil
}

func (j *journal) count(part string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, l := range j.lines {
		if strings.Contains(l, part) {
			n++
		}
	}
	return n
}

// tally is an observer that counts.
type tally struct {
	mu                 sync.Mutex
	opened, open, most int
	closed, refused    []string
	done               []int32 // correlation ids
	in, out            int64
}

func (o *tally) Opened(wire.Peer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.opened++
	o.open++
	o.most = max(o.most, o.open)
}

func (o *tally) Closed(_ wire.Peer, reason string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open--
	o.closed = append(o.closed, reason)
}

func (o *tally) Refused(_ wire.Peer, what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refused = append(o.refused, what)
}

func (o *tally) Received(_ wire.Peer, n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.in += int64(n)
}

func (o *tally) Sent(_ wire.Peer, n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.out += int64(n)
}

func (o *tally) Done(r *wire.Request, _, _ int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done = append(o.done, r.CorrelationID)
}

// snapshot returns the events so far, which a concurrent server may still add to.
func (o *tally) snapshot() (closed, refused []string, done []int32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.closed), slices.Clone(o.refused), slices.Clone(o.done)
}

// rig is the sessions of one listener in a virtual world. Its handlers note what begins; the test answers.
type rig struct {
	t     *testing.T
	w     *world.Virtual
	cfg   *Config
	log   *journal
	seen  *tally
	begun []*wire.Request
	at    map[int32]time.Duration // when a request began
}

func newConfig(w world.World, memory int64, log *journal, seen *tally, handler wire.Handler) *Config {
	handlers := map[kafka.APIKey]wire.Handler{}
	for _, key := range []kafka.APIKey{
		kafka.KeyProduce, kafka.KeyFetch, kafka.KeyMetadata, kafka.KeyApiVersions, kafka.KeyHeartbeat, kafka.KeySyncGroup,
	} {
		handlers[key] = handler
	}
	budget := wire.NewBudget(memory)
	return &Config{
		Table: wire.NewTable(handlers), Pool: wire.NewPool(budget, true), Budget: budget, Limits: DefaultLimits(),
		MaxRequestBytes: 100 << 20, Observer: seen, Log: NewRateLimited(slog.New(log), w, time.Second),
	}
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, w: world.NewVirtual(3), log: &journal{}, seen: &tally{}, at: map[int32]time.Duration{}}
	r.cfg = newConfig(r.w, 256<<20, r.log, r.seen, func(req *wire.Request) {
		if req.Key == kafka.KeyProduce || req.Key == kafka.KeyFetch {
			begun := *req
			req = &begun // the original serves other requests when it was answered
		}
		r.begun = append(r.begun, req)
		r.at[req.CorrelationID] = r.w.Now().Mono
	})
	return r
}

// client is the far end of a Link.
type client struct {
	r   *rig
	l   *Link
	in  []byte
	got []int32 // correlation ids of the answers
	n   int32   // requests sent
	end int     // how often it was told that the server closed the connection
}

func (r *rig) connect() *client {
	c := &client{r: r}
	peer := wire.Peer{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Addr: netip.MustParseAddrPort("10.0.0.1:999"), ConnectionID: 7}
	if r.cfg.Login == nil {
		peer.Principal = wire.Anonymous
	}
	c.l = Connect(r.cfg, r.w, peer, r.cfg.Table.Handle, c.receive)
	return c
}

func (c *client) receive(b []byte) {
	if b == nil {
		c.end++
	}
	c.in = append(c.in, b...)
	for len(c.in) >= 4 && len(c.in) >= 4+int(binary.BigEndian.Uint32(c.in)) {
		c.got = append(c.got, int32(binary.BigEndian.Uint32(c.in[4:])))
		c.in = c.in[4+binary.BigEndian.Uint32(c.in):]
	}
}

// send sends requests, numbered from 0 over the life of the connection, and lets the world come to rest.
func (c *client) send(reqs ...kmsg.Request) {
	for _, req := range reqs {
		c.l.Send(frame(c.n, req))
		c.n++
	}
	c.r.settle()
}

func frame(correlation int32, req kmsg.Request) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("c")).AppendRequest(nil, req, correlation)
}

// settle runs everything but timers.
func (r *rig) settle() { r.w.Run(5 * time.Millisecond) }

// wantBegun compares the requests that have begun so far.
func (r *rig) wantBegun(want ...int32) {
	r.t.Helper()
	var got []int32
	for _, b := range r.begun {
		got = append(got, b.CorrelationID)
	}
	if !slices.Equal(got, want) {
		r.t.Fatalf("begun %v, want %v", got, want)
	}
}

func (c *client) wantAnswers(want ...int32) {
	c.r.t.Helper()
	if !slices.Equal(c.got, want) {
		c.r.t.Fatalf("answers to %v, want %v", c.got, want)
	}
}

// answer answers the request that began as the nth.
func (r *rig) answer(nth int) { r.reply(nth, answerOf(r.begun[nth])) }

func (r *rig) reply(nth int, reply wire.Reply) {
	r.begun[nth].Reply(reply)
	r.settle()
}

func answerOf(req *wire.Request) wire.Reply {
	if req.Key == kafka.KeyProduce {
		return wire.Reply{Body: &wire.ProduceAnswer{Version: req.Version}}
	}
	return wire.Reply{Message: kmsg.RequestForKey(int16(req.Key)).ResponseKind()}
}

// payload answers with n bytes beside the encoded part, and counts its release.
func payload(n int, released *int) wire.Reply {
	return wire.Reply{Payload: &wire.Payload{Pieces: []wire.Piece{{Bytes: make([]byte, n)}}, Release: func() { *released++ }}}
}

func metadata() kmsg.Request {
	m := kmsg.NewPtrMetadataRequest()
	m.Version = 12
	return m
}

func apiVersions() kmsg.Request {
	m := kmsg.NewPtrApiVersionsRequest()
	m.Version, m.ClientSoftwareName, m.ClientSoftwareVersion = 4, "test", "1.0"
	return m
}

func consume() kmsg.Request {
	m := kmsg.NewPtrFetchRequest()
	m.Version, m.SessionEpoch = 12, -1
	return m
}

func follow() kmsg.Request {
	m := kmsg.NewPtrFetchRequest()
	m.Version, m.ReplicaID = 12, 2
	return m
}

// write is a Produce with so many bytes of records.
func write(acks int16, n int) kmsg.Request {
	m := kmsg.NewPtrProduceRequest()
	m.Version, m.Acks, m.TimeoutMillis = 11, acks, 1000
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = make([]byte, n)
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic, topic.Partitions = "t", append(topic.Partitions, p)
	m.Topics = append(m.Topics, topic)
	return m
}

// wantQuiet checks that everything was given back.
func (r *rig) wantQuiet() {
	r.t.Helper()
	if used := r.cfg.Budget.Used(); used != 0 {
		r.t.Fatalf("%d bytes stay charged", used)
	}
	if _, _, done := r.seen.snapshot(); len(done) != len(r.begun) {
		r.t.Fatalf("%d requests began, %d are done: %v", len(r.begun), len(done), done)
	}
}

func (r *rig) wantClosed(reasons ...string) {
	r.t.Helper()
	if closed, _, _ := r.seen.snapshot(); fmt.Sprint(closed) != fmt.Sprint(reasons) {
		r.t.Fatalf("closed for %q, want %q", closed, reasons)
	}
}
