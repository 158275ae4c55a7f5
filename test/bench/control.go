package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/test/bench/prober"
)

// heldTopics and heldEach make the 10,000 partitions of the cluster whose controller is killed.
const (
	heldTopics = 10
	heldEach   = 1000
)

// measureControllerKill kills with -9 the active controller of a cluster with 10,000 partitions: until a topic can be created.
func measureControllerKill(ctx context.Context, l *lab, name string) (values, error) {
	c, err := l.cluster(ctx, name)
	if err != nil {
		return nil, err
	}
	defer c.Kill9()
	for i := range heldTopics {
		if err := c.make(ctx, placed(fmt.Sprintf("held-%d", i), heldEach)); err != nil {
			return nil, err
		}
	}
	if err := pause(ctx, 3*time.Second); err != nil {
		return nil, err
	}
	victim, err := c.controller(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, backWithin)
	defer cancel()
	m := &mover{c: c, ids: c.others(victim)}
	if err := m.once(ctx); err != nil { // what is asked works
		return nil, err
	}
	began := time.Now()
	if err := c.Node(victim).Kill9(); err != nil {
		return nil, err
	}
	v := values{"partitions": heldTopics * heldEach}
	if v["most ms"], err = m.until(ctx, began); err != nil {
		return nil, fmt.Errorf("%w; see %s", err, c.logs(m.ids[0]))
	}
	log.Printf("%s: metadata changes again: %v", name, v)
	return v, nil
}

// mover changes metadata: it creates topics of one partition, by every node that is left.
type mover struct {
	c   *cluster
	ids []int32

	mu   sync.Mutex
	n    int
	last error
}

func (m *mover) request() *kmsg.CreateTopicsRequest {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n++
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 7, 1000
	req.Topics = []kmsg.CreateTopicsRequestTopic{topicOf(fmt.Sprintf("moved-%d", m.n), 1, func(int32) []int32 { return m.ids[:1] })}
	return req
}

func (m *mover) once(ctx context.Context) error {
	for _, id := range m.ids {
		resp, err := prober.Ask(ctx, m.c.Node(id).Bootstrap(), m.request())
		if err != nil {
			return err
		}
		if err := created(resp); err != nil {
			return err
		}
	}
	return nil
}

// until tries every few milliseconds over several connections to each node that is left, and tells after how many milliseconds the first
// change was acknowledged.
func (m *mover) until(ctx context.Context, began time.Time) (ms float64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	won := make(chan float64, 2*probeConns)
	var wg sync.WaitGroup
	for _, id := range m.ids {
		for range probeConns / 2 {
			wg.Go(func() { m.try(ctx, m.c.Node(id).Bootstrap(), began, won) })
		}
	}
	select {
	case ms = <-won:
	case <-ctx.Done():
		m.mu.Lock()
		err = errors.Join(ctx.Err(), m.last)
		m.mu.Unlock()
	}
	cancel()
	wg.Wait()
	return ms, err
}

func (m *mover) try(ctx context.Context, addr string, began time.Time, won chan<- float64) {
	var conn *prober.Conn
	defer func() { conn.Close() }()
	for ctx.Err() == nil {
		var resp kmsg.Response
		var err error
		if conn == nil {
			conn, err = prober.Dial(ctx, addr)
		}
		if err == nil {
			if resp, err = conn.Ask(m.request(), 2*time.Second); err != nil {
				conn.Close()
				conn = nil
			} else if err = created(resp); err == nil {
				won <- float64(time.Since(began)) / 1e6
				return
			}
		}
		m.mu.Lock()
		m.last = err
		m.mu.Unlock()
		_ = pause(ctx, probeAgain)
	}
}

// measureSole kills with -9 the node that alone has a partition, and starts it again: from the start of the process until it leads and
// acknowledges.
func measureSole(ctx context.Context, l *lab, name string) (values, error) {
	c, err := l.cluster(ctx, name)
	if err != nil {
		return nil, err
	}
	defer c.Kill9()
	controller, err := c.controller(ctx)
	if err != nil {
		return nil, err
	}
	victim := c.others(controller)[0]
	if err := c.make(ctx, topicOf("sole", 10, func(int32) []int32 { return []int32{victim} }, [2]string{"min.insync.replicas", "1"})); err != nil {
		return nil, err
	}
	p, err := prober.Start(ctx, prober.Options{Bootstrap: c.Bootstrap(), Topic: "sole", Period: probeAgain, Again: probeAgain, Connections: 1})
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	if err := pause(ctx, 3*time.Second); err != nil {
		return nil, err
	}
	if err := c.Node(victim).Kill9(); err != nil {
		return nil, err
	}
	gone := p.Mark(true)
	started := make(chan error, 1)
	go func() { started <- c.Node(victim).Start(ctx) }()
	wait, cancel := context.WithTimeout(ctx, backWithin)
	defer cancel()
	err = p.Await(wait, func(t prober.Told) bool { return t.Again >= 0 })
	if err := errors.Join(err, <-started); err != nil {
		return nil, fmt.Errorf("%w; see %s", err, c.logs(victim))
	}
	again := make([]time.Duration, 0, 10)
	for _, t := range p.Told() {
		again = append(again, t.Again-c.Node(victim).Began().Sub(gone))
	}
	v := spreadOf(again)
	log.Printf("%s: acknowledges again: %v", name, v)
	return v, nil
}

// The topics that are created: 10,000 partitions in five requests, or in one, and 1,000 topics of one partition one by one.
const (
	manyRequests = 5
	manyEach     = 2000
	oneByOne     = 1000
)

// measureCreate is how long it takes to create 1,000 topics one by one, and then 10,000 partitions at once, all with three replicas:
// until the answer, and until every node shows them.
func measureCreate(ctx context.Context, l *lab, name string) (values, error) {
	c, err := l.cluster(ctx, name)
	if err != nil {
		return nil, err
	}
	defer c.Kill9()
	v := values{}
	clock := func(what string, began time.Time) { v[what+" ms"] = float64(time.Since(began)) / 1e6 }
	controller, err := c.controller(ctx)
	if err != nil {
		return nil, err
	}
	addr := c.Node(c.others(controller)[0]).Bootstrap() // not the controller: most requests aren't asked of it
	conn, err := prober.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	n := l.scaled(oneByOne)
	began := time.Now()
	for i := range n {
		req := kmsg.NewPtrCreateTopicsRequest()
		req.Version, req.TimeoutMillis, req.Topics = 7, 60_000, []kmsg.CreateTopicsRequestTopic{placed(fmt.Sprintf("one-%d", i), 1)}
		resp, err := conn.Ask(req, time.Minute)
		if err != nil {
			return nil, err
		}
		if err := created(resp); err != nil {
			return nil, err
		}
	}
	clock("one by one", began)
	v["one by one each ms"] = v["one by one ms"] / float64(n)
	if err := c.shown(ctx, fmt.Sprintf("one-%d", n-1)); err != nil {
		return nil, err
	}
	began = time.Now()
	for i := range manyRequests {
		if err := create(ctx, addr, placed(fmt.Sprintf("many-%d", i), manyEach)); err != nil {
			return nil, err
		}
	}
	clock("five requests", began)
	for i := range manyRequests {
		if err := c.shown(ctx, fmt.Sprintf("many-%d", i)); err != nil {
			return nil, err
		}
	}
	clock("five requests shown", began)
	if c.Name() == "milena" { // Apache Kafka refuses more than 10,000 records in one request
		began = time.Now()
		if err := create(ctx, addr, placed("at-once", manyRequests*manyEach)); err != nil {
			return nil, err
		}
		clock("one request", began)
		if err := c.shown(ctx, "at-once"); err != nil {
			return nil, err
		}
		clock("one request shown", began)
	}
	log.Printf("%s: created: %v", name, v)
	return v, nil
}
