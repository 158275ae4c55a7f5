package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/milena-io/milena/test/bench/gap"
	"github.com/milena-io/milena/test/bench/prober"
)

// The load of the failover figures: a topic whose partitions all are led by the victim, written by the raw prober.
const (
	led         = 1000
	probePeriod = 500 * time.Millisecond // between writes of a partition in peace: 2,000 a second in all
	probeAgain  = 5 * time.Millisecond
	probeConns  = 8
	// backWithin bounds what is waited for.
	backWithin = 2 * time.Minute
)

// measureLeaderKill kills with -9 the leader of 1,000 partitions that does not control.
func measureLeaderKill(ctx context.Context, l *lab, name string) (values, error) {
	return l.killLeader(ctx, name, false)
}

// measureBothKill kills the leader of 1,000 partitions that is the active controller, too.
func measureBothKill(ctx context.Context, l *lab, name string) (values, error) {
	return l.killLeader(ctx, name, true)
}

func (l *lab) killLeader(ctx context.Context, name string, controls bool) (values, error) {
	c, err := l.cluster(ctx, name)
	if err != nil {
		return nil, err
	}
	defer c.Kill9()
	victim, p, err := l.ledBy(ctx, c, controls)
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	seen, err := l.watched(ctx, c, victim)
	if err != nil {
		return nil, err
	}
	defer seen.stop()
	killed := p.Mark(true)
	if err := c.Node(victim).Kill9(); err != nil {
		return nil, err
	}
	v := values{"partitions": led, "controlled": flag01(controls)}
	ctx, cancel := context.WithTimeout(ctx, backWithin)
	defer cancel()
	if err := p.Await(ctx, func(t prober.Told) bool { return t.Again >= 0 && t.Leader != victim }); err != nil {
		return nil, fmt.Errorf("%w; see %s", err, c.logs(c.others(victim)[0]))
	}
	backAgain(v, p.Told(), victim)
	if err := seen.note(ctx, v); err != nil {
		return nil, err
	}
	log.Printf("%s: writable again after %s: %v", name, time.Since(killed).Round(time.Millisecond), v)
	return v, nil
}

func flag01(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// backAgain notes when the first, the middle and the last partition of the victim were written again.
func backAgain(v values, all []prober.Told, victim int32) {
	var again []time.Duration
	for _, t := range all {
		if t.Was == victim {
			again = append(again, t.Again)
		}
	}
	for name, ms := range spreadOf(again) {
		v[name] = ms
	}
	v["led by the victim"] = float64(len(again))
}

// spreadOf is the middle, the last hundredth and the most of what is not sorted.
func spreadOf(all []time.Duration) values {
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	v := quantiles(all)
	v["least ms"] = float64(all[0]) / 1e6
	return v
}

// ledBy makes a topic led by one node, which controls or does not, and starts to write to it.
func (l *lab) ledBy(ctx context.Context, c *cluster, controls bool) (victim int32, p *prober.Prober, err error) {
	controller, err := c.controller(ctx)
	if err != nil {
		return 0, nil, err
	}
	victim = controller
	if !controls {
		victim = c.others(controller)[0]
	}
	others := c.others(victim)
	topic := topicOf("led", led, func(p int32) []int32 {
		return []int32{victim, others[p%2], others[(p+1)%2]}
	}, [2]string{"min.insync.replicas", "2"})
	if err := c.make(ctx, topic); err != nil {
		return 0, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, backWithin)
	defer cancel()
	p, err = prober.Start(ctx, prober.Options{Bootstrap: c.Bootstrap(), Topic: "led", Period: probePeriod, Again: probeAgain, Connections: probeConns})
	if err != nil {
		return 0, nil, err
	}
	if err := pause(ctx, 3*time.Second); err != nil { // the load is even, and what a start leaves to do is done
		p.Stop()
		return 0, nil, err
	}
	if now, err := c.controller(ctx); err != nil || (now == victim) != controls {
		p.Stop()
		return 0, nil, errors.Join(fmt.Errorf("the controller moved to %d", now), err)
	}
	return victim, p, nil
}

// measureShutdown stops with SIGTERM a leader of 1,000 partitions: the longest that a write took.
func measureShutdown(ctx context.Context, l *lab, name string) (values, error) {
	c, err := l.cluster(ctx, name)
	if err != nil {
		return nil, err
	}
	defer c.Kill9()
	victim, p, err := l.ledBy(ctx, c, false)
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	v := values{"partitions": led}
	p.Mark(false)
	if err := pause(ctx, 4*time.Second); err != nil {
		return nil, err
	}
	longest(v, "in peace ", p.Told())
	seen, err := l.watched(ctx, c, victim)
	if err != nil {
		return nil, err
	}
	defer seen.stop()
	began := p.Mark(false)
	if err := c.Node(victim).Stop(); err != nil {
		return nil, err
	}
	v["stop ms"] = float64(time.Since(began)) / 1e6
	ctx, cancel := context.WithTimeout(ctx, backWithin)
	defer cancel()
	if err := p.Await(ctx, func(t prober.Told) bool { return t.Again >= 0 && t.Leader != victim }); err != nil {
		return nil, fmt.Errorf("%w; see %s", err, c.logs(c.others(victim)[0]))
	}
	if err := pause(ctx, 2*probePeriod); err != nil { // a write that was due while the node stopped is acknowledged now or counted
		return nil, err
	}
	longest(v, "", p.Told())
	if err := seen.note(ctx, v); err != nil {
		return nil, err
	}
	log.Printf("%s: stopped: %v", name, v)
	return v, nil
}

// longest notes the longest that the writes of a partition took, of all partitions.
func longest(v values, when string, all []prober.Told) {
	worst := make([]time.Duration, len(all))
	tries := 0
	for i, t := range all {
		worst[i] = t.Worst
		tries += t.Tries
	}
	for name, ms := range spreadOf(worst) {
		v[when+name] = ms
	}
	v[when+"refused"] = float64(tries)
}

// watchers are producers of other people's clients beside the prober.
type watchers struct{ all []*gap.Client }

// watched starts the clients on a topic of their own, led by the victim, and returns when each of them writes.
func (l *lab) watched(ctx context.Context, c *cluster, victim int32) (*watchers, error) {
	t := topicOf("seen", 1, func(int32) []int32 { return append([]int32{victim}, c.others(victim)...) }, [2]string{"min.insync.replicas", "2"})
	if err := c.make(ctx, t); err != nil {
		return nil, err
	}
	all, err := gap.Start(ctx, c.Bootstrap(), "seen")
	if err != nil {
		return nil, err
	}
	w := &watchers{all}
	for _, one := range all {
		for acked := 0; acked < 400; {
			if _, _, acked, err = one.Worst(); err == nil {
				err = pause(ctx, 100*time.Millisecond)
			}
			if err != nil {
				w.stop()
				return nil, err
			}
		}
	}
	return w, nil
}

// note notes the longest that a record of each waited, once all write again.
func (w *watchers) note(ctx context.Context, v values) error {
	for _, one := range w.all {
		longest, before, now := 0.0, -1, 0
		for steady := 0; steady < 5; {
			ms, failed, acked, err := one.Worst()
			if err == nil {
				err = pause(ctx, 200*time.Millisecond)
			}
			if err != nil {
				return err
			}
			longest, before, now = max(longest, ms), now, acked
			v[one.Name+" failed"] = float64(failed)
			if steady++; now == before {
				steady = 0
			}
		}
		v[one.Name+" ms"] = longest
	}
	return nil
}

func (w *watchers) stop() { gap.Stop(w.all) }
