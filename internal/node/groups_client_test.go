package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/world"
)

// plug is a network that can be pulled out of a node: its listeners and connections end at once.
type plug struct {
	mu    sync.Mutex
	ends  []interface{ Close() error }
	addr  string
	ended bool
}

type plugged struct {
	net.Listener
	p *plug
}

func (p *plug) listen(network, addr string) (net.Listener, error) {
	if p.addr != "" {
		addr = p.addr // the node comes back where it was
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		return nil, err
	}
	p.addr = l.Addr().String()
	p.add(l)
	return plugged{l, p}, nil
}

func (p *plug) add(c interface{ Close() error }) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ends = append(p.ends, c)
	if p.ended {
		_ = c.Close()
	}
}

func (l plugged) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.p.add(c)
	}
	return c, err
}

func (p *plug) pull() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	for _, c := range p.ends {
		_ = c.Close()
	}
}

// live is a node with real time and real sockets over a disk in memory.
type live struct {
	t    *testing.T
	proc *world.Process
	fs   *disk.Mem
	plug *plug
	node *Node
}

func newLive(t *testing.T) *live {
	l := &live{t: t, fs: disk.NewMem(), plug: &plug{}}
	l.boot()
	t.Cleanup(l.stop)
	return l
}

func (l *live) boot() {
	l.t.Helper()
	l.proc = world.NewProcess(world.NewReal())
	l.plug = &plug{addr: l.plug.addr}
	set := map[string]string{
		"node.id": "1", "process.roles": "broker,controller", "listeners": "PLAINTEXT://127.0.0.1:0", "log.dirs": "data",
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT", "controller.listener.names": "CONTROLLER",
		"offsets.topic.replication.factor": "1", "offsets.topic.num.partitions": "3", "group.initial.rebalance.delay.ms": "0",
	}
	ready := make(chan error, 1)
	n, err := Start(Options{
		World: l.proc, FS: l.fs, Values: config.Values{Scope: config.Broker, Set: maps.Clone(set)}, Listen: l.plug.listen,
		Logger: slog.New(slog.DiscardHandler), Failed: func(err error) { l.t.Errorf("the node gave up: %v", err) },
	}, func(err error) { ready <- err })
	if err == nil {
		err = <-ready
	}
	if err != nil {
		l.t.Fatal(err)
	}
	l.node = n
}

// cut ends the node as a power cut does: what was not synced is gone. It comes back on the same port.
func (l *live) cut() {
	l.t.Helper()
	l.plug.pull()
	l.proc.Kill()
	l.fs = l.fs.PowerCut()
	l.boot()
}

func (l *live) stop() {
	done := make(chan error, 1)
	l.node.Stop(func(err error) { done <- err })
	if err := <-done; err != nil {
		l.t.Errorf("stop: %v", err)
	}
}

func (l *live) client(opts ...kgo.Opt) *kgo.Client {
	l.t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(l.plug.addr), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))...)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(c.Close)
	return c
}

// tally is what the consumers of a group have seen and what the broker has acknowledged.
type tally struct {
	mu      sync.Mutex
	seen    map[string]bool
	acked   map[int32]int64
	owned   map[string]int
	commits int
	changed chan struct{}
}

func newTally() *tally {
	return &tally{seen: map[string]bool{}, acked: map[int32]int64{}, owned: map[string]int{}, changed: make(chan struct{})}
}

func (y *tally) change(f func()) {
	y.mu.Lock()
	defer y.mu.Unlock()
	f()
	close(y.changed)
	y.changed = make(chan struct{})
}

// await waits until a condition holds.
func (y *tally) await(ctx context.Context, t *testing.T, what string, is func() bool) {
	t.Helper()
	for {
		y.mu.Lock()
		ok, changed := is(), y.changed
		y.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("never: %s; %d records seen, %d commits, partitions %v", what, len(y.seen), y.commits, y.owned)
		}
	}
}

// consume is one member: it reads, commits each poll and says what was acknowledged.
func (y *tally) consume(ctx context.Context, l *live, name string, opts ...kgo.Opt) {
	own := func(sign int) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, m map[string][]int32) {
			y.change(func() { y.owned[name] += sign * len(m["t"]) })
		}
	}
	c := l.client(append(opts, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(), kgo.SessionTimeout(10*time.Second), kgo.HeartbeatInterval(100*time.Millisecond),
		kgo.OnPartitionsAssigned(own(1)), kgo.OnPartitionsRevoked(own(-1)), kgo.OnPartitionsLost(own(-1)))...)
	go func() {
		for ctx.Err() == nil {
			records := c.PollFetches(ctx).Records()
			if len(records) == 0 {
				continue
			}
			err := c.CommitRecords(ctx, records...)
			y.change(func() {
				for _, r := range records {
					y.seen[string(r.Value)] = true
					if err == nil {
						y.acked[r.Partition] = max(y.acked[r.Partition], r.Offset+1)
					}
				}
				if err == nil {
					y.commits++
				}
			})
		}
	}()
}

// TestGroupsOfARealClientSurviveAPowerCut: three cooperative members, one of them static, lose the broker under load. No
// commit that was acknowledged is lost, and every record is read.
func TestGroupsOfARealClientSurviveAPowerCut(t *testing.T) {
	l := newLive(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	admin := kadm.NewClient(l.client())
	if _, err := admin.CreateTopic(ctx, 6, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	y := newTally()
	y.consume(ctx, l, "a", kgo.InstanceID("i-1"))
	y.consume(ctx, l, "b")
	y.consume(ctx, l, "c")
	y.await(ctx, t, "everybody has two partitions", func() bool {
		return y.owned["a"] == 2 && y.owned["b"] == 2 && y.owned["c"] == 2
	})
	producer := l.client(kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	sent := 0
	send := func(n int) {
		for range n {
			r := &kgo.Record{Topic: "t", Value: fmt.Append(nil, sent)}
			sent++
			producer.Produce(ctx, r, func(_ *kgo.Record, err error) {
				if err != nil && !errors.Is(err, kgo.ErrClientClosed) {
					t.Errorf("produce: %v", err)
				}
			})
		}
	}
	for cut := range 3 {
		send(500)
		if err := producer.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		send(500)
		had := 0
		y.change(func() { had = y.commits })
		y.await(ctx, t, "commits under load", func() bool { return y.commits > had+3 || len(y.seen) == sent })
		acked := map[int32]int64{}
		y.change(func() { maps.Copy(acked, y.acked) })
		l.cut()
		admin = kadm.NewClient(l.client()) // the old one's connection is dead, and it says so
		got, err := admin.FetchOffsets(ctx, "g")
		if err != nil {
			t.Fatal(err)
		}
		for p, want := range acked {
			if o, ok := got.Lookup("t", p); !ok || o.At < want {
				t.Errorf("cut %d: partition %d: offset %d is committed, %d was acknowledged", cut, p, o.At, want)
			}
		}
		y.await(ctx, t, "every record", func() bool { return len(y.seen) == sent })
	}
	described, err := admin.DescribeGroups(ctx, "g")
	if err != nil || described["g"].State != "Stable" || len(described["g"].Members) != 3 || described["g"].Protocol != "cooperative-sticky" {
		t.Fatalf("%v %+v", err, described["g"])
	}
	cancel()
}
