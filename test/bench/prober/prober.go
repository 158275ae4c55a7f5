// Package prober writes to every partition of a topic of a cluster, again and again, and tells for how long each of them could not
// be written. It is a raw client: it speaks Produce v10 with acks=all over a few connections to each node, many partitions a
// request, tries again every few milliseconds, goes where the answers say the leader is (KIP-951), and has no other patience of its
// own. So what it sees is the cluster's doing; what a client library adds to that is measured beside it.
//
// The parts of the benchmark that stop and kill nodes call it. It never judges.
//
// Invariants: a write has one due time and is tried until it is acknowledged; of a partition one write at a time is under way; a
// partition whose leader's connection is refused is asked of another node, which names who leads now.
package prober

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/test/bench/raw"
)

// Options say what is probed and how.
type Options struct {
	Bootstrap []string
	Topic     string
	// Period is how long after a write was due a partition's next one is. Again is how long after a refused try comes the next.
	Period, Again time.Duration
	// Connections to each node. Partitions share them; what one of them waits for, those of its request wait for.
	Connections int
}

// Prober is at work from Start to Stop.
type Prober struct {
	o      Options
	nodes  []node
	groups []*group
	stop   context.CancelFunc
	wg     sync.WaitGroup
}

type node struct {
	id   int32
	addr string
}

// group is the partitions that share a connection to each node.
type group struct {
	all *Prober

	mu    sync.Mutex
	parts []*part
	down  map[int32]time.Time // when a connection to a node was last refused or lost
	mark  time.Time
	hurry bool
	last  error // the newest reason why something was not acknowledged, for who waits in vain
}

// part is one partition.
type part struct {
	number int32
	batch  []byte
	at     int32     // the node that is asked next
	due    time.Time // of the write that is under way or comes next
	next   time.Time // when it is tried next
	flying bool
	sent   time.Time // the try that is under way

	leader int32         // who acknowledged last
	again  time.Duration // from the mark to the first acknowledgement of a try that was sent after it
	worst  time.Duration // of the writes acknowledged since the mark: from when it was due
	ended  time.Duration // from the mark until the worst was acknowledged
	tries  int           // refused since the mark
	was    int32         // who led at the mark
}

// Start begins to write. It returns when every partition was acknowledged once.
func Start(ctx context.Context, o Options) (*Prober, error) {
	p := &Prober{o: o}
	leaders, err := p.learn(ctx)
	if err != nil {
		return nil, err
	}
	for range o.Connections {
		p.groups = append(p.groups, &group{all: p, down: map[int32]time.Time{}})
	}
	one, now := raw.Batch(1, 16), time.Now()
	for i, leader := range leaders {
		g := p.groups[i%len(p.groups)]
		due := now.Add(o.Period * time.Duration(i) / time.Duration(len(leaders)))
		g.parts = append(g.parts, &part{number: int32(i), batch: one, at: leader, due: due, next: due, leader: -1, again: -1})
	}
	running, stop := context.WithCancel(context.Background())
	p.stop = stop
	for _, g := range p.groups {
		for _, n := range p.nodes {
			p.wg.Go(func() { g.run(running, n) })
		}
	}
	if err := p.Await(ctx, func(t Told) bool { return t.Leader >= 0 }); err != nil {
		p.Stop()
		return nil, fmt.Errorf("the first writes: %w", err)
	}
	return p, nil
}

// Stop ends it.
func (p *Prober) Stop() {
	p.stop()
	p.wg.Wait()
}

// Told is what is known of one partition.
type Told struct {
	Partition int32
	Was       int32         // who led it at the mark
	Leader    int32         // who acknowledged last, -1 for nobody yet
	Again     time.Duration // from the mark to the first acknowledgement of a try sent after it; -1 while there is none
	Worst     time.Duration // the longest that a write took which was acknowledged since the mark, from when it was due
	Ended     time.Duration // from the mark until the worst of them was acknowledged
	Tries     int           // refused since the mark
}

// Mark says that something happens now: figures count from here. Hurried, every partition is due at once.
func (p *Prober) Mark(hurry bool) time.Time {
	for _, g := range p.groups {
		g.mu.Lock()
	}
	now := time.Now()
	for _, g := range p.groups {
		g.mark, g.hurry = now, hurry
		for _, x := range g.parts {
			x.again, x.worst, x.ended, x.tries, x.was = -1, 0, 0, 0, x.leader
			if hurry && !x.flying {
				x.due, x.next = now, now
			}
		}
		g.mu.Unlock()
	}
	return now
}

// Told tells of every partition, by number.
func (p *Prober) Told() []Told {
	var all []Told
	for _, g := range p.groups {
		g.mu.Lock()
		for _, x := range g.parts {
			all = append(all, Told{Partition: x.number, Was: x.was, Leader: x.leader, Again: x.again, Worst: x.worst, Ended: x.ended, Tries: x.tries})
		}
		g.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b Told) int { return int(a.Partition - b.Partition) })
	return all
}

// Await waits until f says yes to every partition.
func (p *Prober) Await(ctx context.Context, f func(Told) bool) error {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		all := p.Told()
		missing := slices.IndexFunc(all, func(t Told) bool { return !f(t) })
		if missing < 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waiting for partition %d: %+v", missing, all[missing]), context.Cause(ctx), p.reason())
		case <-look.C:
		}
	}
}

func (p *Prober) reason() error {
	for _, g := range p.groups {
		g.mu.Lock()
		last := g.last
		g.mu.Unlock()
		if last != nil {
			return last
		}
	}
	return nil
}

// learn asks who the nodes are and who leads what.
func (p *Prober) learn(ctx context.Context) ([]int32, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 9
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &p.o.Topic
	req.Topics = []kmsg.MetadataRequestTopic{topic}
	var last error
	for _, addr := range p.o.Bootstrap {
		resp, err := Ask(ctx, addr, req)
		if err != nil {
			last = err
			continue
		}
		m := resp.(*kmsg.MetadataResponse)
		p.nodes = p.nodes[:0]
		for _, b := range m.Brokers {
			p.nodes = append(p.nodes, node{b.NodeID, fmt.Sprintf("%s:%d", b.Host, b.Port)})
		}
		leaders := make([]int32, len(m.Topics[0].Partitions))
		for _, one := range m.Topics[0].Partitions {
			leaders[one.Partition] = one.Leader
			if one.Leader < 0 {
				leaders[one.Partition] = p.nodes[0].id
			}
		}
		if len(leaders) > 0 {
			return leaders, nil
		}
		last = fmt.Errorf("%s knows no partition of %s", addr, p.o.Topic)
	}
	return nil, last
}
