package metrics

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// clock is a clock that stands still until it is moved.
type clock struct{ now kafka.Instant }

func (c *clock) read() kafka.Instant { return c.now }

func (c *clock) move(d time.Duration) {
	c.now.Mono += d
	c.now.WallMs += d.Milliseconds()
}

func newMetrics(limit int) (*Metrics, *clock) {
	c := &clock{kafka.Instant{Mono: time.Hour, WallMs: 1_790_000_000_000}}
	return New(Options{Version: "1.2.3", Commit: "abc", PartitionLimit: limit, Now: c.read}), c
}

var peer = wire.Peer{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Addr: netip.MustParseAddrPort("10.0.0.1:4000")}

// request is a request whose stages end after the given times.
func request(c *clock, key kafka.APIKey, queued, worked, answered, sent time.Duration) *wire.Request {
	at := c.now.Mono
	return &wire.Request{
		Peer: peer, Key: key, Version: 3, CorrelationID: 7, ClientID: `me "and" you`, Arrived: c.now,
		Timeline: wire.Timeline{Decoded: at, Queued: at + queued, Appended: at + worked, Answered: at + answered, Sent: at + sent},
	}
}

// node is a Source that says what it was given.
type node struct {
	standing   Standing
	topics     []Topic
	partitions []Partition
	followed   []Followed
	groups     []Group
	err        error
	silent     bool
	asked      int // for partitions
}

func (n *node) Standing() Standing { return n.standing }
func (n *node) Topics() []Topic    { return n.topics }
func (n *node) Partitions() []Partition {
	n.asked++
	return n.partitions
}

func (n *node) Followed() []Followed { return n.followed }

func (n *node) Groups(done func([]Group, error)) {
	if !n.silent {
		done(n.groups, n.err)
	}
}

// full is a node of which there is something to tell in every family.
func full() *node {
	return &node{
		standing: Standing{
			Node: 1, State: Running, Memory: Memory{Used: 10, Limit: 100},
			Dirs:    []Dir{{Path: "/data", TotalBytes: 1000, UsableBytes: 400}, {Path: "/lost", Offline: true, TotalBytes: -1, UsableBytes: -1}},
			Brokers: []Broker{{ID: 1, Address: "one:9092"}, {ID: 2, Address: "two:9092", Fenced: true}},
			Replicas: Replicas{
				All: 3, Led: 2, UnderReplicated: 1, UnderMinISR: 1, AtMinISR: 1, Offline: 0, Reassigning: 1,
			},
			Replication: Replication{ISRShrinks: 3, ISRExpands: 2, FailedISRUpdates: 1, MaxLag: 9, FailedPartitions: 1},
			Traffic:     Traffic{Produces: 9, FailedProduces: 1, BytesIn: 900, Records: 90, Fetches: 5, FailedFetches: 2, BytesOut: 500, ReplicationIn: 70, ReplicationOut: 80},
			Controller: Controller{
				Active: true, Topics: 4, Partitions: 12, OfflinePartitions: 1, NotPreferred: 2, UncleanElections: 3,
				LastAppliedOffset: 77, LastAppliedTimestamp: 1_790_000_000_123,
			},
			Quorum: Quorum{Leader: 1, Epoch: 5, Leading: true, HighWatermark: 78, LogEnd: 79, Voters: 1, Vote: 1, Commit: Latency{Count: 3, Sum: 30 * time.Millisecond, Max: 20 * time.Millisecond}},
		},
		topics: []Topic{{Name: "orders", Partitions: 2, Traffic: Traffic{Produces: 8, BytesIn: 800, Records: 80, Fetches: 4, BytesOut: 400}}},
		partitions: []Partition{
			{TopicPartition: kafka.TopicPartition{Topic: "orders"}, Bytes: 4096, LogStart: 10, High: 90, LogEnd: 91, Leader: 1, Preferred: true, Replicas: 3, InSync: 3, MinISR: 2},
			{TopicPartition: kafka.TopicPartition{Topic: "orders", Partition: 1}, LogEnd: 5, High: 5, Leader: 1, Replicas: 3, InSync: 1, MinISR: 2, UnderReplicated: true, UnderMinISR: true, Followers: []Follower{
				{Node: 2, Known: true, Lag: 2, NotDurable: 4, Behind: 1500 * time.Millisecond, SinceFetch: 20 * time.Millisecond, Waits: "records"},
				{Node: 3, Behind: -1, SinceFetch: -1, Waits: "first_fetch"},
			}},
		},
		followed: []Followed{{TopicPartition: kafka.TopicPartition{Topic: "orders", Partition: 2}, Leader: 2, Lag: 9}},
		groups: []Group{{Name: `bill"ing\`, State: "Stable", Members: 2, Offsets: []Committed{
			{TopicPartition: kafka.TopicPartition{Topic: "orders"}, Offset: 50, Lag: 40, Known: true},
			{TopicPartition: kafka.TopicPartition{Topic: "orders", Partition: 1}, Offset: 5, Known: true},
			{TopicPartition: kafka.TopicPartition{Topic: "remote"}, Offset: 3},
		}}},
	}
}

// get asks the handler as somebody on this machine does.
func get(m *Metrics, path string) *httptest.ResponseRecorder {
	return getFrom(m, "127.0.0.1:5555", path)
}

func getFrom(m *Metrics, from, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.RemoteAddr = from
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, r)
	return w
}

func scrape(t testing.TB, m *Metrics, query string) map[string]*pageFamily {
	t.Helper()
	w := get(m, "/metrics"+query)
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatalf("%d, %v: %s", w.Code, w.Header(), w.Body)
	}
	return readPage(t, w.Body.String())
}
