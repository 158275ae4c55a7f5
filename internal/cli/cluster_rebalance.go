package cli

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func (a *app) clusterRebalance() *cobra.Command {
	var f applyFlags
	var leaders bool
	c := a.command(spec{
		use: "rebalance", short: "Give every broker as many replicas, and as many to lead",
		long: `Works out the moves that even replicas and leaders out between the brokers that are up, shows them, asks, and carries
them out. With --leaders only the order of replicas is changed: no record is copied. It is milena reassign plan --even
and apply in one, and an election of preferred leaders after it.`,
		example: "  milena cluster rebalance --leaders     # after a rolling restart\n  milena cluster rebalance --throttle 50MiB",
		doc:     appliedDoc{},
		run: func(ctx context.Context, _ []string) error {
			var d planDoc
			err := a.admin(ctx, func(ctx context.Context, c *kgo.Client, adm *kadm.Client) error {
				s, err := lookToChange(ctx, c, adm)
				if err == nil {
					d, err = planFor(ctx, c, s, planFlags{evenly: !leaders, leaders: leaders})
				}
				return err
			})
			if err == nil {
				err = a.carryOut(ctx, "cluster.rebalance", d, f)
			}
			if err != nil || f.dryRun || f.noWait {
				return err
			}
			return a.admin(ctx, func(ctx context.Context, c *kgo.Client, adm *kadm.Client) error {
				n, err := electPreferred(ctx, c, adm, func(*partitionStanding) bool { return true })
				if err == nil && n > 0 {
					a.note("the preferred replica was asked to lead %s", plural(int64(n), "partition"))
				}
				return err
			})
		},
	})
	a.applyOptions(c, &f)
	c.Flags().BoolVar(&leaders, "leaders", false, "only who leads: change the order of replicas, and copy nothing")
	return c
}

// electPreferred has preferred replicas lead that are in sync and do not, of some partitions, and returns how many it asked for.
func electPreferred(ctx context.Context, c *kgo.Client, adm *kadm.Client, of func(*partitionStanding) bool) (int, error) {
	s, err := lookAround(ctx, c, adm)
	if err != nil {
		return 0, err
	}
	set, n := kadm.TopicsSet{}, 0
	for i := range s.partitions {
		if p := &s.partitions[i]; p.Leader != p.preferred() && of(p) {
			set.Add(p.Topic, p.Partition)
			n++
		}
	}
	if n == 0 {
		return 0, nil
	}
	_, err = adm.ElectLeaders(ctx, kadm.ElectPreferredReplica, set)
	return n, err
}
