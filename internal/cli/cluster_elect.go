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
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
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
	var how election
	var yes bool
	c := a.command(spec{
		use: "elect [TOPIC…]", short: "Let preferred replicas lead again, or with --unclean any that is left",
		long: `Has the first replica of each partition lead again, of all topics or of some, where it is in sync. With --unclean a
partition without a leader gets one that was not in sync: what only the others had is lost. With --last-leader as well, that is
the broker which led last, or nobody: nothing is lost where its disk is as it was left.`,
		example: "  milena cluster elect\n  milena cluster elect payments -p 4 --unclean\n  milena cluster elect payments -p 4 --unclean --last-leader 2",
		doc:     electedDoc{}, args: func([]string) error { return nil },
		run: func(ctx context.Context, args []string) error {
			if how.last >= 0 && !how.unclean {
				return usage("--last-leader is for --unclean: a clean election needs nobody's word")
			}
			if how.unclean && len(args) == 0 || len(partitions) > 0 && len(args) != 1 {
				return usage("which topic? --unclean and --partition need one")
			}
			return a.admin(ctx, func(ctx context.Context, c *kgo.Client, adm *kadm.Client) error {
				s, err := lookToChange(ctx, c, adm)
				if err != nil {
					return err
				}
				chosen, err := a.electable(ctx, adm, s, args, partitions, how.unclean)
				if err != nil {
					return err
				}
				if how.unclean && len(chosen) > 0 {
					if err := a.agree(ctx, yes, how.price(len(chosen))); err != nil {
						return err
					}
				}
				return a.elect(ctx, c, adm, s, chosen, how)
			})
		},
	})
	c.Flags().Int32SliceVarP(&partitions, "partition", "p", nil, "only these `numbers` of the topic's partitions")
	c.Flags().BoolVar(&how.unclean, "unclean", false, "elect a replica that is not in sync where there is no leader: loses records")
	c.Flags().Int32Var(&how.last, "last-leader", -1, "with --unclean: nobody but this `broker`, and only where it led last")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	return c
}

// election is how leaders are elected.
type election struct {
	unclean bool
	last    int32 // of an unclean one, the only broker that may lead, where it did last; -1 for any
}

// price asks whether to go on.
func (e election) price(partitions int) string {
	many := plural(int64(partitions), "partition")
	if e.last >= 0 {
		return fmt.Sprintf("%s will lose what is not on the disk of broker %d: nothing, if that is as it was left. Go on?", many, e.last)
	}
	return many + " will lose what only the missing replicas had. Go on?"
}

// hold has leaders elected.
func (e election) hold(ctx context.Context, c *kgo.Client, adm *kadm.Client, set kadm.TopicsSet) (kadm.ElectLeadersResults, error) {
	switch {
	case e.last >= 0:
		return electLast(ctx, c, set, e.last)
	case e.unclean:
		return adm.ElectLeaders(ctx, kadm.ElectLiveReplica, set)
	}
	return adm.ElectLeaders(ctx, kadm.ElectPreferredReplica, set)
}

// electLast has a broker lead where it led last.
func electLast(ctx context.Context, c *kgo.Client, set kadm.TopicsSet, last int32) (kadm.ElectLeadersResults, error) {
	req := kmsg.NewPtrElectLeadersRequest()
	for _, tps := range set.Sorted() {
		t := kmsg.NewElectLeadersRequestTopic()
		t.Topic, t.Partitions = tps.Topic, tps.Partitions
		req.Topics = append(req.Topics, t)
	}
	wire.NameLastLeader(req, kafka.NodeID(last))
	resp, err := req.RequestWith(ctx, c)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return nil, err
	}
	out := kadm.ElectLeadersResults{}
	for _, t := range resp.Topics {
		out[t.Topic] = map[int32]kadm.ElectLeadersResult{}
		for _, p := range t.Partitions {
			r := kadm.ElectLeadersResult{Topic: t.Topic, Partition: p.Partition, Err: kerr.ErrorForCode(p.ErrorCode)}
			if p.ErrorMessage != nil {
				r.ErrMessage = *p.ErrorMessage
			}
			out[t.Topic][p.Partition] = r
		}
	}
	return out, nil
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

func (a *app) elect(ctx context.Context, c *kgo.Client, adm *kadm.Client, s *clusterState, chosen []*partitionStanding, how election) error {
	d := electedDoc{doc: newDoc("cluster.elect"), Elected: []electedPartition{}, Needed: len(s.partitions) - len(chosen)}
	failures := 0
	if len(chosen) > 0 {
		set := kadm.TopicsSet{}
		for _, p := range chosen {
			set.Add(p.Topic, p.Partition)
		}
		results, err := how.hold(ctx, c, adm, set)
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
