// Package kill is the suites that end the broker in the middle of produce requests, again and again, under one idempotent
// producer at acks=all, and let the offline reader judge what is on disk: nothing acknowledged is lost, nothing is doubled,
// nothing out of order.
//
// `run` lists them. The producer never gives up, so in the end everything it sent is acknowledged and the log has to be
// exactly what was sent. SIGKILL keeps the page cache; the suite of power cuts takes that away, too, under a real kernel and
// its journal. Every image that a power cut may leave is judged elsewhere, on an in-memory disk.
package kill

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/offline"
	"github.com/milena-io/milena/test/compat/suite"
)

const (
	topic      = "killed"
	partitions = 3
	// patience bounds the wait for acknowledgements. It is a bound on a hang, not a measurement.
	patience = 90 * time.Second
)

// Suites lists the suites.
func Suites() []suite.Suite {
	return []suite.Suite{
		{Name: "kill", About: "kill -9 during produce, $KILLS times (200), judged by the offline reader", Run: run},
		{Name: "powercut", About: "power cuts of a small ext4 file system during produce, $POWERCUTS times; needs root", Run: powerCuts, Asked: true},
		{Name: "faults", About: "errors of the real kernel, injected by strace during produce; needs ptrace", Run: faulty, Asked: true},
	}
}

// end is a way in which a broker ends, again and again.
type end struct {
	name  string
	times int
	acks  int          // the least number of acknowledgements between two
	judge int          // each so many rounds the disk is judged
	read  reader       // what it may leave
	come  func() error // when it returns, the process is gone and the disk is what the next one finds
}

func run(ctx context.Context, s *suite.Session) error {
	n, err := asked("KILLS", 200)
	if err != nil {
		return err
	}
	if s.System == "kafka" {
		n = min(n, 8) // it takes seconds to come back, and is here to prove the suite
	}
	node, err := newNode(s)
	if err != nil {
		return err
	}
	defer node.Kill9()
	// Reading everything each time would take longer than the rest: every tenth kill, and the whole at the end.
	return survive(ctx, s, node, end{name: "kill -9", times: n, acks: 1000, judge: 10, read: offline.Read, come: node.Kill9})
}

// asked is how often, by an environment variable or as usual.
func asked(variable string, usual int) (int, error) {
	text := os.Getenv(variable)
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", variable, err)
	}
	return n, nil
}

// newNode is a broker with small segments, so that its ends also meet rolls, indexes and producer snapshots.
func newNode(s *suite.Session) (broker.Broker, error) {
	return broker.New(s.System, broker.Options{Dir: filepath.Join(s.Dir, "broker"), Overrides: map[string]string{
		"log.segment.bytes": "1048576", "auto.create.topics.enable": "false",
	}})
}

// begin starts a broker that has nothing yet, and a producer.
func begin(ctx context.Context, node broker.Broker) (*flow, error) {
	if err := node.Start(ctx); err != nil {
		return nil, err
	}
	if err := makeTopic(ctx, node.Bootstrap()); err != nil {
		return nil, err
	}
	return newFlow(node.Bootstrap())
}

// survive lets a broker end and start under a producer, and wants everything that this sent in the end.
func survive(ctx context.Context, s *suite.Session, node broker.Broker, e end) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute+time.Duration(e.times)*20*time.Second)
	defer cancel()
	flow, err := begin(ctx, node)
	if err != nil {
		return err
	}
	defer flow.close()
	if !s.Case(fmt.Sprintf("%d times %s, each with requests in flight: nothing acknowledged is lost", e.times, e.name), func() error {
		return again(ctx, node, flow, e)
	}) {
		return nil
	}
	finished(ctx, s, node, flow)
	return nil
}

// finished ends a suite: the last acknowledgements, a clean stop, and the whole disk.
func finished(ctx context.Context, s *suite.Session, node broker.Broker, flow *flow) {
	s.Case("everything sent is acknowledged in the end", func() error { return flow.finish(ctx) })
	s.Case("the broker stops cleanly", node.Stop)
	s.Case("on disk stands exactly what was sent, in order", func() error { return judge(node, flow, offline.Read, true) })
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

// again ends the broker until so many ends met requests in flight; one that met none does not count.
func again(ctx context.Context, node broker.Broker, flow *flow, e end) error {
	chance := rand.New(rand.NewPCG(20, 26))
	for met, round := 0, 0; met < e.times; round++ {
		if round > e.times+e.times/10+5 {
			return fmt.Errorf("only %d of %d met requests in flight", met, round)
		}
		hit, err := once(ctx, node, flow, e, e.acks+chance.IntN(e.acks), round%e.judge == e.judge-1)
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		if hit {
			met++
		}
	}
	return nil
}

// once ends the broker after so many more acknowledgements and starts it again; hit tells whether requests were in flight.
func once(ctx context.Context, node broker.Broker, flow *flow, e end, acks int, judged bool) (hit bool, err error) {
	if err := flow.wait(ctx, acks); err != nil {
		return false, err
	}
	before := flow.interrupted.Load()
	if err := e.come(); err != nil {
		return false, err
	}
	if judged {
		if err := judge(node, flow, e.read, false); err != nil {
			return false, err
		}
	}
	if err := node.Start(ctx); err != nil {
		return false, err
	}
	// The client has noticed by the time it has an answer from the new process.
	if err := flow.wait(ctx, 1); err != nil {
		return false, fmt.Errorf("after the restart: %w", err)
	}
	return flow.interrupted.Load() > before, nil
}
