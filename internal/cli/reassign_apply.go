package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// appliedDoc is what `reassign apply -o json` and `cluster rebalance -o json` print.
type appliedDoc struct {
	doc
	DryRun     bool         `json:"dry_run"`
	Done       bool         `json:"done"` // everything has arrived
	Partitions []assignment `json:"partitions"`
	Current    []assignment `json:"current"` // what was before: the way back
	MoveBytes  int64        `json:"move_bytes"`
}

type applyFlags struct {
	throttle string
	yes      bool
	dryRun   bool
	noWait   bool
	back     bool
}

func (a *app) applyOptions(c *cobra.Command, f *applyFlags) {
	l := c.Flags()
	l.StringVar(&f.throttle, "throttle", "", "copy at most so many bytes a second on each broker, such as 50MiB")
	l.BoolVarP(&f.yes, "yes", "y", false, "don't ask")
	l.BoolVar(&f.dryRun, "dry-run", false, "show the plan and change nothing")
	l.BoolVar(&f.noWait, "no-wait", false, "end as soon as it is under way")
}

func (a *app) reassignApply() *cobra.Command {
	var f applyFlags
	c := a.command(spec{
		use: "apply PLAN.JSON", short: "Carry a plan out, and show how far it is until it is done",
		long: `Shows a plan, asks, and carries it out. The plan is one of milena reassign plan or of Apache Kafka's
kafka-reassign-partitions; - reads it from standard input. Interrupted it goes on in the cluster: milena reassign status
shows how far it is, milena reassign cancel calls it back. A throttle is taken away when everything has arrived.`,
		example: `  milena reassign apply plan.json --throttle 50MiB
  milena reassign apply plan.json --back      # where everything was before`,
		doc: appliedDoc{}, args: oneName("plan"),
		run: func(ctx context.Context, args []string) error {
			d, err := a.readPlan(args[0])
			if err != nil {
				return err
			}
			if f.back {
				if len(d.Current) == 0 {
					return failed("INVALID_PLAN", "%s does not say what was before: --back needs a plan of milena reassign plan", args[0])
				}
				d.Partitions = d.Current
			}
			return a.carryOut(ctx, "reassign.apply", d, f)
		},
	})
	a.applyOptions(c, &f)
	c.Flags().BoolVar(&f.back, "back", false, "put everything where it was before the plan")
	return c
}

// carryOut reviews a plan, asks, sets it out and follows it.
func (a *app) carryOut(ctx context.Context, command string, d planDoc, f applyFlags) error {
	limit, err := f.limit()
	if err != nil {
		return err
	}
	out := appliedDoc{doc: newDoc(command), DryRun: f.dryRun}
	err = a.admin(ctx, func(ctx context.Context, c *kgo.Client, adm *kadm.Client) error {
		s, err := lookToChange(ctx, c, adm)
		if err == nil {
			err = d.compare(s)
		}
		if err != nil {
			return err
		}
		have := newSizes(ctx, c, s)
		d.MoveBytes = have.toMove(d)
		out.Partitions, out.Current, out.MoveBytes = append([]assignment{}, d.Partitions...), append([]assignment{}, d.Current...), d.MoveBytes
		if a.asJSON() || len(d.Partitions) == 0 {
			return nil
		}
		return a.printMoves(have, d)
	})
	switch {
	case err != nil:
		return err
	case len(d.Partitions) == 0:
		out.Done = true
		return a.tellApplied(out, "nothing to move: everything is where the plan wants it")
	case f.dryRun:
		return a.tellApplied(out, "nothing was changed; repeat without --dry-run")
	}
	if err := a.agree(ctx, f.yes, fmt.Sprintf("Move %s?", plural(int64(len(d.Partitions)), "partition"))); err != nil {
		return err
	}
	return a.setOut(ctx, d, f, limit, out)
}

// setOut throttles, sets out, follows, and takes the throttle away.
func (a *app) setOut(ctx context.Context, d planDoc, f applyFlags, limit int64, out appliedDoc) error {
	var slowed []int32
	var refused []error
	err := a.admin(ctx, func(ctx context.Context, c *kgo.Client, adm *kadm.Client) error {
		s, err := lookAround(ctx, c, adm)
		if err == nil {
			slowed, refused, err = s.begin(ctx, c, adm, d, limit)
		}
		return err
	})
	for _, r := range refused {
		a.item(r)
	}
	if err != nil {
		return err
	}
	failures := len(refused)
	if f.noWait {
		return errors.Join(a.tellApplied(out, "under way: milena reassign status shows how far"), partly(failures))
	}
	if err := a.await(ctx, d.Partitions); err != nil {
		if ctx.Err() != nil {
			a.note("it goes on in the cluster: milena reassign status shows how far, milena reassign cancel calls it back")
		}
		return err
	}
	if err := a.lift(ctx, d, slowed); err != nil {
		return err
	}
	out.Done = failures == 0
	words := fmt.Sprintf("done: %s moved", plural(int64(len(d.Partitions)-failures), "partition"))
	return errors.Join(a.tellApplied(out, words), partly(failures))
}

// begin has the controller begin what a plan says, with the brokers that are up throttled to a limit (bytes a second, 0 is none). It
// returns those, and why what the controller does not begin was refused. Where it begins nothing no throttle is left; one that got no
// answer may be under way, and keeps it.
func (s *clusterState) begin(ctx context.Context, c *kgo.Client, adm *kadm.Client, d planDoc, limit int64) (slowed []int32, refused []error, err error) {
	if limit > 0 {
		slowed = s.up()
		err = throttle(ctx, adm, d, slowed, limit)
	}
	if err == nil {
		refused, err = alter(ctx, c, d.Partitions)
	}
	var no *brokerError
	if len(slowed) > 0 && (errors.As(err, &no) || err == nil && len(refused) == len(d.Partitions)) {
		err = errors.Join(err, unthrottle(ctx, adm, d.topics(), slowed))
		slowed = nil
	}
	return slowed, refused, err
}

// lift takes the throttle of a plan away from the brokers that were given one.
func (a *app) lift(ctx context.Context, d planDoc, slowed []int32) error {
	if len(slowed) == 0 {
		return nil
	}
	return a.admin(ctx, func(ctx context.Context, _ *kgo.Client, adm *kadm.Client) error {
		return unthrottle(ctx, adm, d.topics(), slowed)
	})
}

func (f *applyFlags) limit() (int64, error) {
	if f.throttle == "" {
		return 0, nil
	}
	n, err := parseSize(strings.TrimSuffix(f.throttle, "/s"))
	if err != nil || n <= 0 {
		return 0, usage("--throttle %q: a rate such as 50MiB is wanted", f.throttle)
	}
	return n, nil
}

func (a *app) tellApplied(d appliedDoc, words string) error {
	if a.asJSON() {
		return a.json(d)
	}
	return a.line("%s", words)
}

// compare takes what is into a plan, and out of it what is so already; it refuses what cannot be.
func (d *planDoc) compare(s *clusterState) error {
	list := d.Partitions
	d.Partitions, d.Current = nil, nil
	for _, p := range list {
		at := slices.IndexFunc(s.partitions, func(have partitionStanding) bool { return have.Topic == p.Topic && have.Partition == p.Partition })
		if at < 0 {
			return failed("UNKNOWN_TOPIC_OR_PARTITION", "%s does not exist", partitionName(p.Topic, p.Partition)).try("the plan is of another cluster, or too old: milena reassign plan")
		}
		for _, id := range p.Replicas {
			if !s.isUp(id) && !slices.Contains(s.partitions[at].Replicas, id) {
				return failed("INVALID_REPLICA_ASSIGNMENT", "%s cannot go to broker %d, which is not up", partitionName(p.Topic, p.Partition), id).try("milena cluster nodes shows who is")
			}
		}
		if have := &s.partitions[at]; !slices.Equal(have.Replicas, p.Replicas) || len(have.adding)+len(have.removing) > 0 {
			d.Partitions = append(d.Partitions, p)
			d.Current = append(d.Current, assignment{p.Topic, p.Partition, have.Replicas})
		}
	}
	return nil
}

func (d *planDoc) topics() (out []string) {
	for _, p := range d.Partitions {
		out = append(out, p.Topic)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (a *app) reassignStatus() *cobra.Command {
	return a.command(spec{
		use: "status", short: "Show what is moving: how far, how fast, how long still", doc: statusDoc{},
		run: func(ctx context.Context, _ []string) error {
			return a.admin(ctx, func(ctx context.Context, c *kgo.Client, adm *kadm.Client) error {
				now, err := lookAtMoves(ctx, c, adm)
				if err != nil {
					return err
				}
				before := sample{}
				if len(now.moving) > 0 { // a rate needs two looks
					select {
					case <-ctx.Done():
						return ctx.Err()
					case <-time.After(statusPause):
					}
					before = now
					if now, err = lookAtMoves(ctx, c, adm); err != nil {
						return err
					}
				}
				d := statusOf(before, now)
				s, err := lookAround(ctx, c, adm)
				if err != nil {
					return err
				}
				if s.quorumErr != nil {
					a.note("no controller answers: this is how it was when the last one did, as far as anybody tells (milena cluster health)")
				}
				if limits, _, err := throttles(ctx, adm, s); err == nil {
					d.Throttles = append(d.Throttles, limits...)
				}
				if a.asJSON() {
					return a.json(d)
				}
				return a.printStatus(d)
			})
		},
	})
}

// statusPause is between the two looks from which a rate is told.
const statusPause = 500 * time.Millisecond

// cancelledDoc is what `reassign cancel -o json` prints.
type cancelledDoc struct {
	doc
	Cancelled []movingPartition `json:"cancelled"`
}

func (a *app) reassignCancel() *cobra.Command {
	var yes bool
	c := a.command(spec{
		use: "cancel [TOPIC…]", short: "Call back what is moving, and take throttles away",
		long: `Calls back what is moving, of some topics or of all: replicas that have not arrived are dropped, and those that were
to go stay. Throttles of replication are taken away where nothing moves any more.`,
		doc: cancelledDoc{}, args: func([]string) error { return nil },
		run: func(ctx context.Context, args []string) error {
			return a.admin(ctx, func(ctx context.Context, c *kgo.Client, adm *kadm.Client) error {
				now, err := lookAtMoves(ctx, c, adm)
				if err != nil {
					return err
				}
				d := cancelledDoc{doc: newDoc("reassign.cancel"), Cancelled: []movingPartition{}}
				for _, m := range now.moving {
					if len(args) == 0 || slices.Contains(args, m.Topic) {
						d.Cancelled = append(d.Cancelled, m)
					}
				}
				if len(d.Cancelled) > 0 {
					if err := a.agree(ctx, yes, fmt.Sprintf("Call %s back?", plural(int64(len(d.Cancelled)), "partition"))); err != nil {
						return err
					}
				}
				return a.callBack(ctx, c, adm, d, len(d.Cancelled) == len(now.moving))
			})
		},
	})
	c.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	return c
}

// callBack cancels moves; of all takes throttles away, too.
func (a *app) callBack(ctx context.Context, c *kgo.Client, adm *kadm.Client, d cancelledDoc, all bool) error {
	var list []assignment
	for _, m := range d.Cancelled {
		list = append(list, assignment{m.Topic, m.Partition, nil})
	}
	failures := 0
	if len(list) > 0 {
		refused, err := alter(ctx, c, list)
		if err != nil {
			return err
		}
		for _, r := range refused {
			if !errors.Is(r, kerr.NoReassignmentInProgress) { // it arrived meanwhile
				failures++
				a.item(r)
			}
		}
	}
	if all {
		s, err := lookAround(ctx, c, adm)
		if err != nil {
			return err
		}
		limits, topics, err := throttles(ctx, adm, s)
		if err != nil {
			return err
		}
		var brokers []int32
		for _, t := range limits {
			brokers = append(brokers, t.Broker)
		}
		if err := unthrottle(ctx, adm, topics, brokers); err != nil {
			return err
		}
	}
	if a.asJSON() {
		return errors.Join(a.json(d), partly(failures))
	}
	return errors.Join(a.line("%s called back", plural(int64(len(list)-failures), "partition")), partly(failures))
}
