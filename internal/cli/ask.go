package cli

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// askPatience is how long one broker is waited for where another may be asked.
const askPatience = 2 * time.Second

// askAny sends what any broker answers or passes on, to the brokers that the user named before the others, until one gives an answer that is
// good; else it returns the last. The client by itself would send what is a controller's to a broker that the metadata takes for alive, and
// without a quorum the metadata goes on to name those that have died. It is left to the client when no broker answers at once.
func askAny[R kmsg.Response](ctx context.Context, c *kgo.Client, req kmsg.Request, good func(R) bool) (last R, err error) {
	answered := false
	for _, b := range slices.Concat(c.SeedBrokers(), c.DiscoveredBrokers()) {
		within, cancel := context.WithTimeout(ctx, askPatience)
		resp, err := b.Request(within, req)
		cancel()
		if r, fits := resp.(R); err == nil && fits {
			if last, answered = r, true; good(r) {
				return last, nil
			}
		}
	}
	if answered {
		return last, nil
	}
	resp, err := c.Request(ctx, req)
	if err != nil {
		return last, err
	}
	return resp.(R), nil
}

// noQuorum is the failure of what needs a controller while nobody leads the metadata quorum.
func noQuorum() *failure {
	f := &failure{
		exit: exitUnreachable, code: "NOT_LEADER_OR_FOLLOWER",
		message: "nobody leads the metadata quorum: more than half of its voters have to be up and reach each other",
	}
	return f.try("start those that are down; milena cluster health --wait 5m waits until it is led")
}

// leaderless reports whether voters answer, and none of them knows who leads the metadata quorum. It asks by connections of its own: on the
// others its question would wait behind one that nobody answers.
func (a *app) leaderless(ctx context.Context) bool {
	c, err := a.client()
	if err != nil {
		return false
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	_, err = quorumAnswer(ctx, c)
	return errors.Is(err, kerr.NotLeaderForPartition)
}

// lookToChange looks around for a command that changes something: one that nobody could carry out fails here, before it takes for alive what
// nobody has buried.
func lookToChange(ctx context.Context, c *kgo.Client, adm *kadm.Client) (*clusterState, error) {
	s, err := lookAround(ctx, c, adm)
	if err == nil && errors.Is(s.quorumErr, kerr.NotLeaderForPartition) {
		return nil, noQuorum()
	}
	return s, err
}
