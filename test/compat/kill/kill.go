// Package kill is the suite that kills the broker with SIGKILL in the middle of produce requests, again and again,
// under one idempotent producer at acks=all, and lets the offline reader judge what is on disk: nothing acknowledged
// is lost, nothing is doubled, nothing out of order.
//
// `run` lists it. The producer never gives up, so in the end everything it sent is acknowledged and the log has to be
// exactly what was sent. SIGKILL keeps the page cache; the suite of power cuts takes that away, too, under a real kernel and
// its journal. Every image that a power cut may leave is judged elsewhere, on an in-memory disk.
package kill

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/suite"
)

const (
	topic      = "killed"
	partitions = 3
	// acksBetween is the least number of acknowledgements between two kills.
	acksBetween = 1000
	// patience bounds the wait for those. It is a bound on a hang, not a measurement.
	patience = 90 * time.Second
)

// Suites lists the suites.
func Suites() []suite.Suite {
	return []suite.Suite{
		{Name: "kill", About: "kill -9 during produce, 200 times, judged by the offline reader", Run: run},
		{Name: "powercut", About: "power cuts of a small ext4 file system during produce, $POWERCUTS times; needs root", Run: powerCuts, Asked: true},
	}
}

// rounds is how often the broker is killed. Apache Kafka takes seconds to come back, and is here to prove the suite.
func rounds(system string) int {
	if system == "kafka" {
		return 8
	}
	return 200
}

func run(ctx context.Context, s *suite.Session) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	node, err := broker.New(s.System, broker.Options{Dir: filepath.Join(s.Dir, "broker"), Overrides: map[string]string{
		// Small segments, so that kills also meet rolls, indexes and producer snapshots.
		"log.segment.bytes": "1048576", "auto.create.topics.enable": "false",
	}})
	if err != nil {
		return err
	}
	if err := node.Start(ctx); err != nil {
		return err
	}
	defer node.Kill9()
	if err := makeTopic(ctx, node.Bootstrap()); err != nil {
		return err
	}
	flow, err := newFlow(node.Bootstrap())
	if err != nil {
		return err
	}
	defer flow.close()
	n := rounds(s.System)
	if !s.Case(fmt.Sprintf("%d kills, each with requests in flight", n), func() error {
		return killing(ctx, node, flow, n)
	}) {
		return nil
	}
	s.Case("everything sent is acknowledged in the end", func() error { return flow.finish(ctx) })
	s.Case("the broker stops cleanly", node.Stop)
	s.Case("on disk stands exactly what was sent, in order", func() error { return judge(node, flow, true) })
	return nil
}

func makeTopic(ctx context.Context, bootstrap string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return err
	}
	defer client.Close()
	made, err := kadm.NewClient(client).CreateTopic(ctx, partitions, 1, nil, topic)
	if err != nil {
		return err
	}
	return made.Err
}

// killing kills until n kills met requests in flight; a kill that met none does not count.
func killing(ctx context.Context, node broker.Broker, flow *flow, n int) error {
	chance := rand.New(rand.NewPCG(20, 26))
	for met, round := 0, 0; met < n; round++ {
		if round > n+n/10+5 {
			return fmt.Errorf("only %d of %d kills met requests in flight", met, round)
		}
		if err := flow.wait(ctx, acksBetween+chance.IntN(acksBetween)); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		before := flow.interrupted.Load()
		if err := node.Kill9(); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		// Reading everything each time would take longer than the rest: every tenth kill, and the whole at the end.
		if round%10 == 9 {
			if err := judge(node, flow, false); err != nil {
				return fmt.Errorf("round %d: %w", round, err)
			}
		}
		if err := node.Start(ctx); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		// The client has noticed by the time it has an answer from the new process.
		if err := flow.wait(ctx, 1); err != nil {
			return fmt.Errorf("round %d, after the restart: %w", round, err)
		}
		if flow.interrupted.Load() > before {
			met++
		}
	}
	return nil
}
