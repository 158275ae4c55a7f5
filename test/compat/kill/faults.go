package kill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/offline"
	"github.com/milena-io/milena/test/compat/suite"
	"github.com/milena-io/milena/test/compat/volume"
)

// fault is what the kernel answers while requests are in flight.
type fault struct {
	rule string
	// fatal is one after which nobody knows what is on the disk: the broker, whose only directory it is, says so and ends
	// (S5). Any other it lives through, and goes on by itself when the fault is over (S6).
	fatal bool
}

// faults are the calls that the data path makes, each failing once it is under way.
func faults() []fault {
	return []fault{
		{"fdatasync:error=EIO:when=5+", true},
		{"fdatasync:error=EIO:when=7", true},
		{"fsync:error=EIO", true},
		{"pwrite64:error=EIO:when=9+", true},
		{"pwrite64:error=ENOSPC:when=9..11", false},
		{"fdatasync:error=ENOSPC:when=9", true},
		{"pread64:error=EIO:when=3+", true},
		{"renameat:error=EIO", true},
		{"sync_file_range:error=EIO", false},
		{"fdatasync:delay_enter=300ms:when=3..6", false},
	}
}

// faulty lets the real kernel fail under a broker with a producer and a reader, and wants every acknowledged record after
// it. Where a file system can be mounted its power is cut as well, so that nothing counts but what was synced.
func faulty(ctx context.Context, s *suite.Session) error {
	if err := canInject(); err != nil {
		s.Case("faults of the kernel", func() error { return err })
		return nil
	}
	all := faults()
	ctx, cancel := context.WithTimeout(ctx, time.Duration(len(all))*3*time.Minute)
	defer cancel()
	disk, unmounted := volume.New(filepath.Join(s.Dir, "volume"), filepath.Join(s.Dir, "broker", "data"), volumeBytes)
	if unmounted == nil {
		defer func() { _ = disk.Close() }()
	} else {
		fmt.Fprintf(s.Log, "  after each fault the broker is killed, but no power is cut: %v\n", unmounted)
	}
	node, err := newNode(s)
	if err != nil {
		return err
	}
	defer node.Kill9()
	flow, err := begin(ctx, node)
	if err != nil {
		return err
	}
	defer flow.close()
	come := node.Kill9
	if unmounted == nil {
		come = func() error { return cutPower(node, disk) }
	}
	chance := rand.New(rand.NewPCG(22, 26))
	for i, f := range all {
		if !s.Case(f.rule, func() error {
			_, err := once(ctx, node, flow, end{read: offline.ReadCut, come: func() error {
				return errors.Join(suffer(ctx, node, flow, f, filepath.Join(s.Dir, fmt.Sprintf("strace-%d", i))), come())
			}}, 200+chance.IntN(200), true)
			return err
		}) {
			return nil
		}
	}
	finished(ctx, s, node, flow)
	return nil
}

// suffer lets a fault happen.
func suffer(ctx context.Context, node broker.Broker, flow *flow, f fault, log string) error {
	pid := node.Pid()
	before, err := complaints(node)
	if err != nil {
		return err
	}
	in, err := inject(pid, f.rule, log)
	if err != nil {
		return err
	}
	defer in.stop()
	reading, done := context.WithCancel(ctx)
	defer done()
	go read(reading, node.Bootstrap())
	if !f.fatal {
		if err := eventually("a call is met", func() (bool, error) { n, err := in.hits(); return n > 0, err }); err != nil {
			return err
		}
		// A segment and more, so that it also rolls.
		if err := flow.wait(ctx, 4000); err != nil {
			return fmt.Errorf("after the fault: %w", err)
		}
		return syscall.Kill(pid, 0)
	}
	err = eventually("the broker has ended by itself", func() (bool, error) {
		return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH), nil
	})
	if err != nil {
		return err
	}
	told, err := complaints(node)
	if err == nil && told == before {
		err = errors.New("the broker has ended and does not say that its log directory failed")
	}
	return err
}

// complaints counts how often a broker said that its log directory failed.
func complaints(node broker.Broker) (int, error) {
	said, err := os.ReadFile(node.Logs())
	return bytes.Count(said, []byte("Error in log directory "+node.DataDir())), err
}

// read reads the topic from its beginning, again and again. What it gets is not its business.
func read(ctx context.Context, bootstrap string) {
	for ctx.Err() == nil {
		client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if err != nil {
			return
		}
		for range 50 {
			some, cancel := context.WithTimeout(ctx, time.Second)
			client.PollFetches(some)
			cancel()
		}
		client.Close()
	}
}

// eventually waits until something is so.
func eventually(what string, is func() (bool, error)) error {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for end := time.After(patience); ; {
		if ok, err := is(); ok || err != nil {
			return err
		}
		select {
		case <-again.C:
		case <-end:
			return fmt.Errorf("%s: not within %s", what, patience)
		}
	}
}
