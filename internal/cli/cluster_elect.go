package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// electedDoc is what `cluster elect -o json` prints.
type electedDoc struct {
	doc
	Elected []electedPartition `json:"elected"`
	Needed  int                `json:"not_needed"` // partitions that are led as they should be
}

type electedPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Was       int32  `json:"was"`    // -1 none
	Leader    int32  `json:"leader"` // -1 unknown yet
}

func (a *app) clusterElect() *cobra.Command {
	var partitions []int32
	var unclean, yes bool
	c := a.command(spec{
		use: "elect [TOPIC…]", short: "Let preferred replicas lead again, or with --unclean any that is left",
		long: `Has the first replica of each partition lead again, of all topics or of some, where it is in sync. With --unclean a
partition without a leader gets one that was not in sync: what only the others had is lost.`,
		example: "  milena cluster elect\n  milena cluster elect payments -p 4 --unclean",
		doc:     electedDoc{}, args: func([]string) error { return nil },
		run: func(ctx context.Context, args []string) error {
			if unclean && len(args) == 0 || len(partitions) > 0 && len(args) != 1 {
				return usage("which topic? --unclean and --partition need one")
			}
			return a.admin(ctx, func(ctx context.Context, c *kgo.Client, adm *kadm.Client) error {
				s, err := lookToChange(ctx, c, adm)
				if err != nil {
					return err
				}
				chosen, err := a.electable(ctx, adm, s, args, partitions, unclean)
				if err != nil {
					return err
				}
				if unclean && len(chosen) > 0 {
					if err := a.agree(ctx, yes, fmt.Sprintf("%s will lose what only the missing replicas had. Go on?", plural(int64(len(chosen)), "partition"))); err != nil {
						return err
					}
				}
				return a.elect(ctx, adm, s, chosen, unclean)
			})
		},
	})
	c.Flags().Int32SliceVarP(&partitions, "partition", "p", nil, "only these `numbers` of the topic's partitions")
	c.Flags().BoolVar(&unclean, "unclean", false, "elect a replica that is not in sync where there is no leader: loses records")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	return c
}

// electable are the partitions that an election would change.
func (a *app) electable(ctx context.Context, adm *kadm.Client, s *clusterState, topics []string, numbers []int32, unclean bool) (out []*partitionStanding, err error) {
	for _, t := range topics {
		if !slices.ContainsFunc(s.partitions, func(p partitionStanding) bool { return p.Topic == t }) {
			return nil, a.noTopic(ctx, adm, t)
		}
	}
	for _, n := range numbers {
		if !slices.ContainsFunc(s.partitions, func(p partitionStanding) bool { return p.Topic == topics[0] && p.Partition == n }) {
			return nil, failed("UNKNOWN_TOPIC_OR_PARTITION", "%s does not exist", partitionName(topics[0], n)).try("milena topic describe %s", topics[0])
		}
	}
	for i := range s.partitions {
		p := &s.partitions[i]
		switch {
		case len(topics) > 0 && !slices.Contains(topics, p.Topic), len(numbers) > 0 && !slices.Contains(numbers, p.Partition):
		case unclean && p.Leader < 0, !unclean && p.Leader != p.preferred():
			out = append(out, p)
		}
	}
	return out, nil
}

func (a *app) elect(ctx context.Context, adm *kadm.Client, s *clusterState, chosen []*partitionStanding, unclean bool) error {
	d := electedDoc{doc: newDoc("cluster.elect"), Elected: []electedPartition{}, Needed: len(s.partitions) - len(chosen)}
	failures := 0
	if len(chosen) > 0 {
		set, how := kadm.TopicsSet{}, kadm.ElectPreferredReplica
		if unclean {
			how = kadm.ElectLiveReplica
		}
		for _, p := range chosen {
			set.Add(p.Topic, p.Partition)
		}
		results, err := adm.ElectLeaders(ctx, how, set)
		if err != nil {
			return err
		}
		now, err := leadersAfter(ctx, adm, chosen, results)
		if err != nil {
			return err
		}
		for _, p := range chosen {
			switch r := results[p.Topic][p.Partition]; {
			case errors.Is(r.Err, kerr.ElectionNotNeeded):
				d.Needed++
			case r.Err != nil:
				failures++
				a.item(said(r.Err, r.ErrMessage, "%s keeps its leader", p.name()))
			default:
				e := electedPartition{p.Topic, p.Partition, p.Leader, -1}
				if t, ok := now[p.Topic]; ok {
					e.Leader = t.Partitions[p.Partition].Leader
				}
				d.Elected = append(d.Elected, e)
			}
		}
	}
	if a.asJSON() {
		return errors.Join(a.json(d), partly(failures))
	}
	for _, e := range d.Elected {
		was := "nobody"
		if e.Was >= 0 {
			was = fmt.Sprint(e.Was)
		}
		if err := a.line("%s  led by %d (was %s)", partitionName(e.Topic, e.Partition), e.Leader, was); err != nil {
			return err
		}
	}
	if len(d.Elected) == 0 && failures == 0 {
		return a.line("no election needed")
	}
	return partly(failures)
}

// leadersAfter asks who leads until each partition that got a leader is led by another than before. A broker hears of an election a moment
// after it was answered, and the client keeps what it was told for a moment. Who is not told of in time is told as he stands.
func leadersAfter(ctx context.Context, adm *kadm.Client, chosen []*partitionStanding, results kadm.ElectLeadersResults) (kadm.TopicDetails, error) {
	for deadline := time.Now().Add(electionHeard); ; {
		m, err := adm.Metadata(ctx)
		stale := func(p *partitionStanding) bool {
			return results[p.Topic][p.Partition].Err == nil && m.Topics[p.Topic].Partitions[p.Partition].Leader == p.Leader
		}
		if err != nil || !slices.ContainsFunc(chosen, stale) || time.Now().After(deadline) {
			return m.Topics, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(movePause):
		}
	}
}

// electionHeard is how long an election is waited for to be known to the broker that is asked.
const electionHeard = 5 * time.Second
