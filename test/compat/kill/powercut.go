package kill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/suite"
)

// acksBetweenCuts is the least number of acknowledgements between two power cuts.
const acksBetweenCuts = 200

// powerCuts runs the broker on a small ext4 file system and cuts its power, again and again, with requests in flight: what
// was not synced is gone with the page cache, as the kernel and its journal leave it. $POWERCUTS says how often.
func powerCuts(ctx context.Context, s *suite.Session) error {
	n := 20
	if text := os.Getenv("POWERCUTS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			return fmt.Errorf("POWERCUTS: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(n)*time.Minute)
	defer cancel()
	dir := filepath.Join(s.Dir, "broker")
	disk, err := newVolume(filepath.Join(s.Dir, "volume"), filepath.Join(dir, "data"))
	if err != nil {
		s.Case("a file system whose power can be cut", func() error { return suite.Skip("%v", err) })
		return nil
	}
	defer func() { _ = disk.close() }()
	node, err := broker.New(s.System, broker.Options{Dir: dir, Overrides: map[string]string{
		"log.segment.bytes": "1048576", "auto.create.topics.enable": "false",
	}})
	if err != nil {
		return err
	}
	if err := node.Start(ctx); err != nil {
		return err
	}
	defer node.Kill9() // before the volume goes
	if err := makeTopic(ctx, node.Bootstrap()); err != nil {
		return err
	}
	flow, err := newFlow(node.Bootstrap())
	if err != nil {
		return err
	}
	defer flow.close()
	if !s.Case(fmt.Sprintf("%d power cuts, each with requests in flight: nothing acknowledged is lost", n), func() error {
		return cutting(ctx, node, disk, flow, n)
	}) {
		return nil
	}
	s.Case("everything sent is acknowledged in the end", func() error { return flow.finish(ctx) })
	s.Case("the broker stops cleanly", node.Stop)
	s.Case("on disk stands exactly what was sent, in order", func() error { return judge(node, flow, true) })
	return nil
}

// cutting cuts until n cuts met requests in flight. Each is judged.
func cutting(ctx context.Context, node broker.Broker, disk *volume, flow *flow, n int) error {
	chance := rand.New(rand.NewPCG(21, 26))
	for met, round := 0, 0; met < n; round++ {
		if round > n+n/10+5 {
			return fmt.Errorf("only %d of %d power cuts met requests in flight", met, round)
		}
		if err := flow.wait(ctx, acksBetweenCuts+chance.IntN(acksBetweenCuts)); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		before := flow.interrupted.Load()
		if err := errors.Join(disk.cut(), node.Kill9()); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		if err := disk.restore(); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		if err := judge(node, flow, false); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		if err := node.Start(ctx); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		if err := flow.wait(ctx, 1); err != nil {
			return fmt.Errorf("round %d, after the restart: %w", round, err)
		}
		if flow.interrupted.Load() > before {
			met++
		}
	}
	return nil
}
