package replica_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/broker/fetch"
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/listen"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/controller"
	machine "github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/replica"
	"github.com/milena-io/milena/internal/sim/network"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// city is three brokers on a network, and a controller that is everywhere at once and decides at once; its words take a moment.
type city struct {
	t      testing.TB
	w      *world.Virtual
	net    *network.Network
	width  int
	minISR int
	nodes  []*broker
	regs   []machine.Registration // by partition
	epochs map[kafka.NodeID]kafka.BrokerEpoch
	acked  []map[kafka.Offset]string
	sent   int
	lag    time.Duration
	refuse func(id kafka.NodeID) error // asked before a log is opened; nil refuses nothing
	slots  int                         // sessions that a leader keeps
	asked  int                         // requests to fetch
}

// broker is one process.
type broker struct {
	c        *city
	id       kafka.NodeID
	epoch    kafka.BrokerEpoch
	fs       *disk.Mem
	parts    []*partition.Partition
	seen     map[int]kafka.PartitionEpoch
	knows    map[int]kafka.LeaderEpoch // by the newest image, of what was here and is not any more
	area     *fetch.Fetches
	peers    *peer.Peers
	fetchers *replica.Fetchers
	wishes   *replica.Wishes
	stop     func()
	dead     bool
}

// slow is a disk that takes its time for a sync: more than a trip over the network.
type slow struct{ *world.Virtual }

func (s slow) Go(f func()) { s.After(time.Duration(s.Uint64()%8000)*time.Microsecond, f) }

var topic = kafka.TopicID{1}

func newCity(t testing.TB, seed uint64, partitions, minISR int) *city {
	return newCityOf(t, seed, partitions, minISR, 10)
}

func newCityOf(t testing.TB, seed uint64, partitions, minISR, slots int) *city {
	w := world.NewVirtual(seed)
	c := &city{t: t, w: w, slots: slots, net: network.New(w, seed, network.LAN()), width: partitions, minISR: minISR, epochs: map[kafka.NodeID]kafka.BrokerEpoch{}, lag: 2 * time.Second}
	for i := range partitions {
		all := []kafka.NodeID{1, 2, 3}
		leader := all[i%3]
		c.regs = append(c.regs, machine.Registration{Leader: leader, LeaderEpoch: 1, PartitionEpoch: 1, Replicas: all, ISR: all})
		c.acked = append(c.acked, map[kafka.Offset]string{})
	}
	for id := kafka.NodeID(1); id <= 3; id++ {
		c.nodes = append(c.nodes, nil)
		c.start(id, disk.NewMem())
	}
	c.w.Run(time.Second)
	return c
}

func host(id kafka.NodeID) string { return fmt.Sprintf("h%d", id) }
func addr(id kafka.NodeID) string { return host(id) + ":9092" }

func (c *city) node(id kafka.NodeID) *broker { return c.nodes[id-1] }

// start begins a process on a disk, under a new broker epoch.
func (c *city) start(id kafka.NodeID, fs *disk.Mem) {
	c.epochs[id]++
	b := &broker{c: c, id: id, epoch: c.epochs[id], fs: fs, seen: map[int]kafka.PartitionEpoch{}, knows: map[int]kafka.LeaderEpoch{}}
	c.nodes[id-1] = b
	must.OK(fs.MkdirAll("d"))
	must.OK(fs.SyncDir("."))
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	pool := wire.NewPool(wire.NewBudget(1<<30), true)
	o := peer.DefaultOptions()
	o.World, o.Dialer, o.Pool = c.w, c.net.Dialer(host(id)), pool
	b.peers = peer.New(o)
	b.fetchers = replica.New(replica.Options{
		World: c.w, Peers: b.peers, Self: id, Logger: quiet,
		Identity: func() (string, kafka.BrokerEpoch) { return "c", b.epoch },
		Settings: func() replica.Settings {
			return replica.Settings{MaxBytes: 1 << 20, ResponseBytes: 10 << 20, MinBytes: 1, Wait: 500 * time.Millisecond, Backoff: 200 * time.Millisecond, Timeout: 3 * time.Second, Shards: 1}
		},
	})
	b.wishes = replica.NewWishes(c.w, b, id, func() kafka.BrokerEpoch { return b.epoch })
	env := &partition.Env{World: c.w, Flusher: disk.NewFlusher(slow{c.w}, "d"), Self: id, Replication: b, Logger: quiet, Failed: func(err error) {
		if !b.dead {
			c.t.Error(err)
		}
	}}
	for i := range c.width {
		tp := kafka.TopicPartition{Topic: "t", Partition: int32(i)}
		p := partition.New(env, tp, &partition.Config{Log: log.DefaultConfig(), MinISR: c.minISR}, 0, func(cfg log.Config) (*log.Log, error) {
			if c.refuse != nil {
				if err := c.refuse(id); err != nil {
					return nil, err
				}
			}
			return log.Open(log.Options{FS: fs, Path: fmt.Sprintf("d/t-%d", i), Partition: tp, Config: cfg, Now: c.w.Now()})
		})
		b.parts = append(b.parts, p)
	}
	b.area = fetch.New(c.w, b, fetch.Limits{MaxBytes: 10 << 20, SessionSlots: c.slots, SessionEvictMs: 1000, SessionBytes: 1 << 30}, wire.NewBudget(1<<40), quiet)
	cfg := &listen.Config{
		Budget: wire.NewBudget(256 << 20), Limits: listen.DefaultLimits(), MaxRequestBytes: 100 << 20,
		Observer: listen.Unobserved{}, Log: listen.NewRateLimited(quiet, c.w, time.Second),
	}
	cfg.Pool = wire.NewPool(cfg.Budget, true)
	cfg.Table = wire.NewTable(map[kafka.APIKey]wire.Handler{
		kafka.KeyFetch: func(req *wire.Request) {
			c.asked++
			b.area.Fetch(req)
		},
		kafka.KeyListOffsets:          b.area.ListOffsets,
		kafka.KeyOffsetForLeaderEpoch: b.area.OffsetForLeaderEpoch,
		kafka.KeyApiVersions: func(req *wire.Request) {
			out := kmsg.NewPtrApiVersionsResponse()
			out.ApiKeys = cfg.Table.Advertised(wire.Nodes)
			req.Reply(wire.Reply{Message: out})
		},
	})
	b.stop = c.net.Listen(addr(id), func(remote netip.AddrPort, receive func([]byte)) network.Served {
		return listen.Connect(cfg, c.w, wire.Peer{Listener: "INTERNAL", Protocol: "PLAINTEXT", Addr: remote, Principal: wire.Anonymous}, cfg.Table.Handle, receive)
	})
	b.consider()
	for i := range c.regs {
		b.learn(i, c.regs[i])
	}
}

// consider looks at the followers of what this broker leads, again and again.
func (b *broker) consider() {
	if b.dead {
		return
	}
	for _, p := range b.parts {
		partition.AsLeader(p).Consider(b.c.lag)
	}
	b.c.w.After(b.c.lag/2, b.consider)
}

// learn is the image's word on a partition; images come in order.
func (b *broker) learn(i int, reg machine.Registration) {
	if b.dead || reg.PartitionEpoch < b.seen[i] {
		return
	}
	b.seen[i] = reg.PartitionEpoch
	id := kafka.TopicIDPartition{TopicID: topic, Partition: int32(i)}
	p := b.parts[i]
	b.wishes.Know(p, id)
	p.Become(reg)
	if reg.Leader == b.id || reg.Leader == kafka.NoNode {
		b.fetchers.Unfollow(id)
		return
	}
	b.fetchers.Follow(id, p, reg.Leader, addr(reg.Leader))
}

func (b *broker) Member(id kafka.NodeID) (kafka.BrokerEpoch, bool) {
	return b.c.epochs[id], !b.c.node(id).dead
}
func (b *broker) Wish(p *partition.Partition)    { b.wishes.Wish(p) }
func (b *broker) Durable(p *partition.Partition) { b.fetchers.Durable(p) }

func (b *broker) ByName(k kafka.TopicPartition) (*partition.Partition, error) {
	if _, gone := b.knows[int(k.Partition)]; gone {
		return nil, fault.New("test", kafka.ErrNotLeaderOrFollower, "no replica of %s is here", k)
	}
	return b.parts[k.Partition], nil
}

// Succeeded knows of no more than each replica does by itself, but of those that are not here any more.
func (b *broker) Succeeded(k kafka.TopicPartition, id kafka.TopicID, epoch kafka.LeaderEpoch) error {
	if !id.IsZero() && id != topic {
		return fault.New("test", kafka.ErrUnknownTopicId, "%s is another one", k)
	}
	if later, gone := b.knows[int(k.Partition)]; gone && later > epoch {
		return fault.New("test", kafka.ErrFencedLeaderEpoch, "%s is at leader epoch %d", k, later)
	}
	return nil
}
func (b *broker) ByID(k kafka.TopicIDPartition) (*partition.Partition, error) {
	return b.parts[k.Partition], nil
}
func (b *broker) Leader(string, string, kafka.TopicID, int32) *wire.LeaderHint { return nil }
func (b *broker) Near(kafka.NodeID, string) (string, bool)                     { return "", true }

// Submit is the controller: it grants what is up to date.
func (b *broker) Submit(_ time.Duration, cmd controller.Command, done func(any, error)) {
	c := b.c
	c.w.After(time.Millisecond, func() {
		if b.dead {
			return
		}
		if c.w.Uint64()%10 == 0 {
			done(nil, fault.New("test", kafka.ErrRequestTimedOut, "lost"))
			return
		}
		var out []controller.AlteredPartition
		for _, w := range cmd.(controller.AlterPartition).Partitions {
			out = append(out, c.grant(b, w))
		}
		c.w.After(time.Millisecond, func() { done(out, nil) })
	})
}

func (c *city) grant(b *broker, w controller.PartitionWish) controller.AlteredPartition {
	i := int(w.ID.Partition)
	reg := &c.regs[i]
	a := controller.AlteredPartition{ID: w.ID}
	switch {
	case w.LeaderEpoch != reg.LeaderEpoch || reg.Leader != b.id:
		a.Code = kafka.ErrFencedLeaderEpoch
	case w.PartitionEpoch != reg.PartitionEpoch:
		a.Code = kafka.ErrInvalidUpdateVersion
	default:
		for j, n := range w.ISR {
			if c.node(n).dead || w.Epochs[j] >= 0 && w.Epochs[j] != c.epochs[n] {
				a.Code = kafka.ErrIneligibleReplica
				return a
			}
		}
		reg.ISR, reg.PartitionEpoch = slices.Clone(w.ISR), reg.PartitionEpoch+1
		c.publish(i)
		a.Leader, a.LeaderEpoch, a.PartitionEpoch, a.ISR = reg.Leader, reg.LeaderEpoch, reg.PartitionEpoch, reg.ISR
	}
	return a
}

// publish tells every broker what stands, each a little later.
func (c *city) publish(i int) {
	reg := c.regs[i]
	reg.ISR = slices.Clone(reg.ISR)
	for _, b := range c.nodes {
		c.w.After(time.Duration(c.w.Uint64()%5+1)*time.Millisecond, func() { b.learn(i, reg) })
	}
}

// kill ends a process, with the power of its machine or without, and moves its leaderships.
func (c *city) kill(id kafka.NodeID, power bool) {
	b := c.node(id)
	b.dead = true
	b.fetchers.Close()
	b.wishes.Close()
	if power {
		c.net.PowerOff(host(id))
		b.fs = b.fs.PowerCut()
	} else {
		c.net.Kill(host(id))
		b.fs = b.fs.Killed()
	}
	b.stop()
	c.fence(id)
}

func (c *city) fence(id kafka.NodeID) {
	for i := range c.regs {
		reg := &c.regs[i]
		if !slices.Contains(reg.ISR, id) || len(reg.ISR) == 1 && reg.Leader == kafka.NoNode {
			continue
		}
		reg.PartitionEpoch++
		if len(reg.ISR) > 1 {
			reg.ISR = slices.DeleteFunc(slices.Clone(reg.ISR), func(n kafka.NodeID) bool { return n == id })
		}
		if reg.Leader == id {
			reg.LeaderEpoch++
			reg.Leader = kafka.NoNode
			for _, n := range reg.ISR {
				if !c.node(n).dead {
					reg.Leader = n
					break
				}
			}
		}
		c.publish(i)
	}
}

// revive starts a process again on its disk.
func (c *city) revive(id kafka.NodeID) {
	c.net.PowerOn(host(id))
	c.start(id, c.node(id).fs)
	for i := range c.regs {
		reg := &c.regs[i]
		if reg.Leader == kafka.NoNode && slices.Contains(reg.ISR, id) {
			reg.Leader, reg.LeaderEpoch, reg.PartitionEpoch = id, reg.LeaderEpoch+1, reg.PartitionEpoch+1
		}
		c.publish(i)
	}
}

// write appends a record of its own with acks=all to whoever leads.
func (c *city) write(i int) {
	leader := c.regs[i].Leader
	if leader == kafka.NoNode || c.node(leader).dead {
		return
	}
	c.sent++
	value := fmt.Sprintf("value %d", c.sent)
	r := record.NewBuilder(record.Plain())
	r.Append(c.w.Now().WallMs, nil, []byte(value))
	b := c.node(leader)
	b.parts[i].Append(partition.Append{Batch: must.Get(r.Build()), Acks: -1, Epoch: kafka.NoLeaderEpoch}, func(a partition.Appended) {
		if a.Err == nil && !b.dead { // the dead answer nobody
			c.acked[i][a.Base] = value
		}
	})
}

// contents are the values in a partition of a broker, by offset, up to its log end.
func (c *city) contents(id kafka.NodeID, i int) map[kafka.Offset]string {
	p := c.node(id).parts[i]
	out := map[kafka.Offset]string{}
	for from := kafka.Offset(0); from < p.Standing().End; {
		got, err := p.Read(partition.Read{From: from, MaxBytes: 1 << 20, MinOne: true, CurrentEpoch: -1, LastEpoch: -1, AnyReplica: true})
		if err != nil {
			c.t.Fatal(err)
		}
		b, err := got.Slice.AppendTo(nil)
		got.Slice.Release()
		if err != nil || len(b) == 0 {
			break
		}
		for len(b) > 0 {
			batch, rest, err := record.Next(b)
			must.OK(err)
			must.OK(batch.Each(record.Limits{}, func(r *record.Record) error {
				out[r.Offset] = string(r.Value)
				return nil
			}))
			from, b = batch.NextOffset(), rest
		}
	}
	return out
}

// settle lets everything that lives catch up, and holds it against what was acknowledged.
func (c *city) settle() {
	c.t.Helper()
	c.w.Run(10 * time.Second)
	for i := range c.regs {
		reg := c.regs[i]
		if len(reg.ISR) != 3 {
			c.t.Fatalf("partition %d: ISR %v of leader %d after everybody was back", i, reg.ISR, reg.Leader)
		}
		end := c.node(reg.Leader).parts[i].Standing()
		for _, b := range c.nodes {
			if s := b.parts[i].Standing(); s.End != end.End || s.High != end.End || s.Durable != end.End {
				c.t.Fatalf("partition %d: node %d stands at %+v, its leader %d at %+v", i, b.id, s, reg.Leader, end)
			}
			have := c.contents(b.id, i)
			for o, v := range c.acked[i] {
				if have[o] != v {
					c.t.Fatalf("partition %d of node %d: offset %d is %q, and %q was acknowledged", i, b.id, o, have[o], v)
				}
			}
		}
	}
}
