// Package replica carries replication between brokers: it fetches for the partitions that follow, and takes what leaders wish
// for an ISR to the controller.
//
// node starts one Fetchers and one Wishes, and tells them from each new image who follows whom; partitions call them through
// partition.Replication. They decide nothing about offsets, truncation or ISR: machine/replica does, behind partition. They
// never hold a lock while they call a partition, and never wait.
//
// Invariants: an answer is acted on only for the position that its own request named (R10), which partition checks once more;
// one Fetch for records is under way with a leader at a time, and beside it reports, which tell of durable offsets (architecture
// D7); whoever is followed is asked of or waits for a time that was set.
package replica

import (
	"bytes"
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// Options is what Fetchers are given.
type Options struct {
	World  world.World
	Peers  *peer.Peers
	Self   kafka.NodeID
	Logger *slog.Logger
	// Opening is where logs are opened and recovered; nil is World.Go.
	Opening *world.Pool
	// Identity tells cluster and broker epoch, which are known only once the broker is registered; -1 before.
	Identity func() (clusterID string, epoch kafka.BrokerEpoch)
	Settings func() Settings
	// Ended hears how a connection to a leader ended, so that whoever asks whether it is gone can; may be nil.
	Ended func(leader kafka.NodeID, how peer.Ending)
}

// Settings are the keys of replica.fetch.*, which may change.
type Settings struct {
	MaxBytes      int32         // of a partition: replica.fetch.max.bytes
	ResponseBytes int32         // replica.fetch.response.max.bytes
	MinBytes      int32         // replica.fetch.min.bytes
	Wait          time.Duration // replica.fetch.wait.max.ms
	Backoff       time.Duration // replica.fetch.backoff.ms: the most, after refusals one after the other
	Timeout       time.Duration // replica.socket.timeout.ms
	Shards        int           // num.replica.fetchers
}

// Fetchers fetch for all followers of one node.
type Fetchers struct {
	o   Options
	api wire.API

	mu     sync.Mutex
	links  map[link]*fetcher
	where  map[kafka.TopicIDPartition]*fetcher
	names  map[*partition.Partition]*followed
	closed bool
}

// link is one connection to a leader.
type link struct {
	leader kafka.NodeID
	addr   string
	shard  int
}

// New makes them; they follow nobody.
func New(o Options) *Fetchers {
	if o.Ended == nil {
		o.Ended = func(kafka.NodeID, peer.Ending) {}
	}
	api, _ := o.Peers.API(kafka.KeyFetch)
	api.Min, api.Served = wire.FetchCallMin, wire.FetchCallMin
	return &Fetchers{
		o: o, api: api, links: map[link]*fetcher{}, where: map[kafka.TopicIDPartition]*fetcher{}, names: map[*partition.Partition]*followed{},
	}
}

// Follow has a partition fetched from a leader at an address; it was told of its registration before. Calling it again, for
// the same or another leader, says that the registration is newer.
func (f *Fetchers) Follow(id kafka.TopicIDPartition, p *partition.Partition, leader kafka.NodeID, addr string) {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return
	}
	to := link{leader, addr, f.shard(id)}
	was, is := f.where[id], f.links[to]
	if is == nil {
		is = newFetcher(f, to)
		f.links[to] = is
	}
	f.where[id] = is
	if was != nil && was != is {
		f.leave(was, id)
	}
	f.names[p] = is.follow(id, p)
	f.mu.Unlock()
	is.pump()
}

// Unfollow ends the fetching for a partition.
func (f *Fetchers) Unfollow(id kafka.TopicIDPartition) {
	f.mu.Lock()
	was := f.where[id]
	if was != nil {
		delete(f.where, id)
		f.leave(was, id)
	}
	f.mu.Unlock()
}

// leave takes a partition from a fetcher, which ends with its last one. Called with the mutex held.
func (f *Fetchers) leave(from *fetcher, id kafka.TopicIDPartition) {
	gone, left := from.unfollow(id)
	if gone != nil && f.names[gone.p] == gone {
		delete(f.names, gone.p)
	}
	if left == 0 {
		delete(f.links, from.to)
		f.o.World.Go(from.close)
	}
}

// shard is which of a leader's connections a partition is fetched on.
func (f *Fetchers) shard(id kafka.TopicIDPartition) int {
	n := uint64(max(f.o.Settings().Shards, 1))
	h := uint64(uint32(id.Partition))
	for _, b := range id.TopicID {
		h = h*31 + uint64(b)
	}
	return int(h % n)
}

// Durable has a leader told how far a follower is durable (partition.Replication).
func (f *Fetchers) Durable(p *partition.Partition) {
	f.mu.Lock()
	x := f.names[p]
	f.mu.Unlock()
	if x != nil {
		x.of.durable(x)
	}
}

// Close ends all fetching.
func (f *Fetchers) Close() {
	f.mu.Lock()
	f.closed = true
	all := make([]*fetcher, 0, len(f.links))
	for _, x := range f.links {
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b *fetcher) int {
		return cmp.Or(cmp.Compare(a.to.leader, b.to.leader), cmp.Compare(a.to.addr, b.to.addr), cmp.Compare(a.to.shard, b.to.shard))
	})
	clear(f.links)
	clear(f.where)
	clear(f.names)
	f.mu.Unlock()
	for _, x := range all {
		x.close()
	}
}

// Followed is a partition that is fetched, for whom it is shown to.
type Followed struct {
	Name    kafka.TopicPartition
	Leader  kafka.NodeID
	Shard   int
	Lag     int64 // records below the leader's high watermark that it had not, at the last answer
	Resting bool  // it was refused, and is asked for again after a pause
}

// Followed lists what is fetched, by name and number.
func (f *Fetchers) Followed() []Followed {
	f.mu.Lock()
	all := make([]*followed, 0, len(f.names))
	for _, d := range f.names {
		all = append(all, d)
	}
	f.mu.Unlock()
	out := make([]Followed, 0, len(all))
	for _, d := range all {
		d.of.mu.Lock()
		if !d.over {
			out = append(out, Followed{Name: d.p.Name(), Leader: d.of.to.leader, Shard: d.of.to.shard, Lag: d.lag, Resting: d.resting})
		}
		d.of.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b Followed) int {
		return cmp.Or(cmp.Compare(a.Name.Topic, b.Name.Topic), cmp.Compare(a.Name.Partition, b.Name.Partition))
	})
	return out
}

// sorted is the partitions of a map in an order that is the same each time.
func sorted[V any](m map[kafka.TopicIDPartition]V) []kafka.TopicIDPartition {
	return slices.SortedFunc(maps.Keys(m), func(a, b kafka.TopicIDPartition) int {
		return cmp.Or(bytes.Compare(a.TopicID[:], b.TopicID[:]), cmp.Compare(a.Partition, b.Partition))
	})
}
