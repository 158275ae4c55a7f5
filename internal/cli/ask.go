package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	askPatience      = 2 * time.Second // how long one broker is waited for where another may be asked
	electionPatience = 3 * time.Second // how long an election of the metadata quorum is waited for
)

// errNoController is why nobody has answered what needs a controller: the brokers are there, and wait for one as the client does.
var errNoController = errors.New("no controller answers the brokers")

// askAny sends what any broker answers or passes on, to the brokers that the user named before the others, until one gives an answer that is
// not of one that knows no controller; else it returns the last. The client by itself would send what is a controller's to a broker that the
// metadata takes for alive, and without a quorum the metadata goes on to name those that have died. It is left to the client when no broker
// can be asked at once, and errNoController when those that can do not answer. Each gets a request of its own.
func askAny[R kmsg.Response](ctx context.Context, c *kgo.Client, request func() kmsg.Request, code func(R) int16) (last R, err error) {
	answered, silent := false, false
	for began, i, all := time.Now(), 0, slices.Concat(c.SeedBrokers(), c.DiscoveredBrokers()); i < len(all) && time.Since(began) < 2*askPatience; i++ {
		within, cancel := context.WithTimeout(ctx, askPatience)
		resp, err := all[i].Request(within, request())
		silent = silent || err != nil && within.Err() != nil
		cancel()
		if r, fits := resp.(R); err == nil && fits {
			if last, answered = r, true; !elsewhere(code(r)) {
				return last, nil
			}
		}
	}
	switch {
	case answered:
		return last, nil
	case errors.Is(ctx.Err(), context.Canceled):
		return last, ctx.Err()
	case silent:
		return last, errNoController
	}
	resp, err := c.Request(ctx, request())
	if err != nil {
		return last, err
	}
	return resp.(R), nil
}

// elsewhere reports whether another broker may know more.
func elsewhere(code int16) bool {
	err := kerr.ErrorForCode(code)
	return errors.Is(err, kerr.NotLeaderForPartition) || errors.Is(err, kerr.NotController) || errors.Is(err, kerr.RequestTimedOut)
}

// leaderless reports whether an answer to DescribeQuorum says that nobody leads, or that nobody who would know is there.
func leaderless(err error) bool {
	return errors.Is(err, kerr.NotLeaderForPartition) || errors.Is(err, errNoController) || errors.Is(err, kerr.RequestTimedOut)
}

// noQuorum is the failure of what needs a controller while nobody leads the metadata quorum.
func noQuorum(err error) *failure {
	f := &failure{exit: exitUnreachable, code: "NOT_LEADER_OR_FOLLOWER", message: noLeader(err), cause: err}
	return f.try("start those that are down; milena cluster health --wait 5m waits until it is led")
}

func noLeader(err error) string {
	if errors.Is(err, kerr.NotLeaderForPartition) { // what a voter answers that knows no leader
		return "nobody leads the metadata quorum: more than half of its voters have to be up and reach each other"
	}
	return "no controller answers the brokers: nobody leads the metadata quorum, or they do not reach who does"
}

// withoutQuorum is why nobody leads, nil where somebody does or nobody says.
func withoutQuorum(ctx context.Context, c *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	if _, err := quorumAnswer(ctx, c); leaderless(err) {
		return err
	}
	return nil
}

// lookToChange looks around for a command that changes something. What nobody could carry out fails here, after the time that an election
// takes, before the command takes for alive what nobody has buried.
func lookToChange(ctx context.Context, c *kgo.Client, adm *kadm.Client) (*clusterState, error) {
	for began := time.Now(); ; {
		s, err := lookAround(ctx, c, adm)
		if err != nil || !leaderless(s.quorumErr) {
			return s, err
		}
		if time.Since(began) > electionPatience {
			return nil, noQuorum(s.quorumErr)
		}
		select {
		case <-ctx.Done():
			return nil, noQuorum(s.quorumErr)
		case <-time.After(healthPause):
		}
	}
}

// held is what a broker has in its log directories.
type held struct {
	silent bool // it does not answer at all
	told   bool // it has said what it holds
	dirs   []kmsg.DescribeLogDirsResponseDir
}

// askHeld asks brokers for what they hold, all at once: some may be gone that nobody has buried.
func askHeld(ctx context.Context, c *kgo.Client, brokers []int32) (map[int32]held, error) {
	all := make([]held, len(brokers))
	most := askPatience
	if end, ok := ctx.Deadline(); ok {
		most = time.Until(end) / 2 // a broker whose disk hangs leaves time for the rest
	}
	var wg sync.WaitGroup
	for i, id := range brokers {
		wg.Go(func() {
			within, cancel := context.WithTimeout(ctx, askPatience)
			_, err := c.Broker(int(id)).Request(within, kmsg.NewPtrApiVersionsRequest())
			cancel()
			if all[i].silent = err != nil; err != nil {
				return
			}
			within, cancel = context.WithTimeout(ctx, most)
			defer cancel()
			all[i].dirs, err = logDirsOf(within, c, id, nil, false)
			all[i].told = err == nil
		})
	}
	wg.Wait()
	out := map[int32]held{}
	for i, id := range brokers {
		out[id] = all[i]
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("asking the brokers what they hold: %w", err)
	}
	return out, nil
}
