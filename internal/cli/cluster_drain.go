package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// drainDoc is what `cluster drain -o json` prints.
type drainDoc struct {
	doc
	Broker  int32    `json:"broker"`
	DryRun  bool     `json:"dry_run"`
	Moved   int      `json:"moved"` // leaderships that others took
	Leads   int      `json:"leads"` // that it has left
	Safe    bool     `json:"safe_to_stop"`
	Reasons []string `json:"reasons"` // why not
}

func (a *app) clusterDrain() *cobra.Command {
	var wait time.Duration
	var dryRun bool
	c := a.command(spec{
		use: "drain NODE", short: "Move what a node leads to others, and say whether it is safe to stop",
		long: `Waits until stopping the node takes nothing from anybody: every partition it has a replica of keeps min.insync.replicas
in sync without it, and the metadata quorum a majority. Then others lead what it led, by the order of replicas, so that
the node is not elected again; no record is copied. Ends with status 4 when it is not safe to stop the node in time.

milena cluster rebalance --leaders gives every broker its share again.`,
		example: "  milena cluster drain 3 && systemctl restart milena && milena cluster health --wait 5m",
		doc:     drainDoc{}, args: oneName("node"),
		run: func(ctx context.Context, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 32)
			if err != nil || id < 0 {
				return usage("%q is no node.id", args[0])
			}
			d, err := a.drain(ctx, int32(id), wait, dryRun)
			if err != nil {
				return err
			}
			return a.tellDrained(d)
		},
	})
	c.Flags().DurationVar(&wait, "wait", time.Minute, "how long to wait until it is safe")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only say whether it is safe to stop")
	return c
}

// drain waits until it is safe and has others lead.
func (a *app) drain(ctx context.Context, id int32, wait time.Duration, dryRun bool) (drainDoc, error) {
	d := drainDoc{doc: newDoc("cluster.drain"), Broker: id, DryRun: dryRun}
	most := 0
	began, told := time.Now(), ""
	for deadline := began.Add(wait); ; {
		err := a.admin(ctx, func(ctx context.Context, c *kgo.Client, adm *kadm.Client) error {
			led, err := d.step(ctx, c, adm)
			most = max(most, led)
			return err
		})
		d.Moved = most - d.Leads
		left := time.Until(deadline)
		if err != nil || d.Safe && (d.Leads == 0 || dryRun) || left <= 0 || dryRun {
			return d, err
		}
		if why := strings.Join(d.Reasons, "; "); !d.Safe && why != told && time.Since(began) > time.Second {
			a.note("node %d is not safe to stop yet, waiting up to %s: %s", id, duration(left.Round(time.Second)), why)
			told = why
		}
		select {
		case <-ctx.Done():
			return d, ctx.Err()
		case <-time.After(min(healthPause, left)):
		}
	}
}

// step looks whether it is safe, and if so has others lead. It returns how many the broker led before.
func (d *drainDoc) step(ctx context.Context, c *kgo.Client, adm *kadm.Client) (led int, err error) {
	s, err := lookAround(ctx, c, adm)
	if err != nil {
		return 0, err
	}
	if err := d.look(ctx, c, s); err != nil || !d.Safe || d.DryRun || d.Leads == 0 {
		return d.Leads, err
	}
	led = d.Leads
	var list []assignment
	for i := range s.partitions {
		p := &s.partitions[i]
		if p.Leader != d.Broker && p.preferred() != d.Broker || len(p.adding)+len(p.removing) > 0 {
			continue
		}
		if to := p.successors(s, d.Broker); to != nil {
			list = append(list, assignment{p.Topic, p.Partition, to})
		}
	}
	refused, err := alter(ctx, c, list)
	if err != nil {
		return led, err
	}
	if len(refused) > 0 {
		return led, refused[0]
	}
	if _, err := electPreferred(ctx, c, adm, func(p *partitionStanding) bool { return p.Leader == d.Broker }); err != nil {
		return led, err
	}
	if s, err = lookAround(ctx, c, adm); err != nil {
		return led, err
	}
	return led, d.look(ctx, c, s)
}

// successors is the order of replicas with the broker last, led by one in sync and up; nil where there is none.
func (p *partitionStanding) successors(s *clusterState, broker int32) []int32 {
	others := without(p.Replicas, []int32{broker})
	first := slices.IndexFunc(others, func(id int32) bool { return slices.Contains(p.ISR, id) && s.isUp(id) })
	if first < 0 {
		return nil
	}
	to := append([]int32{others[first]}, slices.Delete(slices.Clone(others), first, first+1)...)
	return append(to, broker)
}

// look counts what the broker leads, and says what its stop would take from anybody.
func (d *drainDoc) look(ctx context.Context, c *kgo.Client, s *clusterState) error {
	d.Leads, d.Reasons = 0, []string{}
	b := s.broker(d.Broker)
	voter := s.quorum != nil && slices.ContainsFunc(s.quorum.CurrentVoters, func(v voterState) bool { return v.ReplicaID == d.Broker })
	if b == nil && !voter {
		return failed("BROKER_NOT_AVAILABLE", "there is no node %d", d.Broker).try("milena cluster nodes lists them")
	}
	var topics []string
	for i := range s.partitions {
		if p := &s.partitions[i]; slices.Contains(p.Replicas, d.Broker) && !slices.Contains(topics, p.Topic) {
			topics = append(topics, p.Topic)
		}
	}
	least, err := minISRs(ctx, c, topics)
	if err != nil {
		return err
	}
	var alone, tight []string
	for i := range s.partitions {
		p := &s.partitions[i]
		if p.Leader == d.Broker {
			d.Leads++
		}
		if !slices.Contains(p.Replicas, d.Broker) {
			continue
		}
		switch rest := without(p.ISR, []int32{d.Broker}); {
		case len(rest) == 0:
			alone = append(alone, p.name())
		case len(rest) < p.least(least):
			tight = append(tight, p.name())
		}
	}
	if len(alone) > 0 {
		d.Reasons = append(d.Reasons, fmt.Sprintf("%s: no other replica is in sync, and there would be no leader", few(alone, 6)))
	}
	if len(tight) > 0 {
		d.Reasons = append(d.Reasons, fmt.Sprintf("%s: fewer than min.insync.replicas would be in sync, and acks=all refused", few(tight, 6)))
	}
	if voter {
		if why := s.majorityWithout(d.Broker); why != "" {
			d.Reasons = append(d.Reasons, why)
		}
	}
	if s.quorum == nil || s.quorum.LeaderID < 0 {
		d.Reasons = append(d.Reasons, "the metadata quorum has no leader")
	}
	d.Safe = len(d.Reasons) == 0
	return nil
}

// majorityWithout says why the metadata quorum would not go on without a voter, "" when it would.
func (s *clusterState) majorityWithout(id int32) string {
	all, up := len(s.quorum.CurrentVoters), 0
	for i := range s.quorum.CurrentVoters {
		if v := &s.quorum.CurrentVoters[i]; v.ReplicaID != id && !s.quorum.away(v) {
			up++
		}
	}
	if up > all/2 || all == 1 {
		return ""
	}
	return fmt.Sprintf("the metadata quorum: %d of %d voters would be left, which is no majority", up, all)
}

func (a *app) tellDrained(d drainDoc) error {
	notSafe := !d.Safe || d.Leads > 0 && !d.DryRun
	if a.asJSON() {
		if err := a.json(d); err != nil || !notSafe {
			return err
		}
		return &failure{exit: exitFound, told: true, message: "not safe to stop"}
	}
	if !notSafe {
		leads := "leads nothing"
		if d.Leads > 0 {
			leads = "leads " + plural(int64(d.Leads), "partition")
		}
		moved := ""
		if d.Moved > 0 {
			moved = fmt.Sprintf(" (%d moved)", d.Moved)
		}
		return a.line("node %d %s%s: safe to stop", d.Broker, leads, moved)
	}
	if d.Safe {
		d.Reasons = append(d.Reasons, fmt.Sprintf("it leads %s still", plural(int64(d.Leads), "partition")))
	}
	if err := a.line("node %d is not safe to stop", d.Broker); err != nil {
		return err
	}
	for _, r := range d.Reasons {
		if err := a.line("  %s", r); err != nil {
			return err
		}
	}
	return &failure{exit: exitFound, told: true, message: "not safe to stop"}
}
