package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// refetchedDoc is what `reassign refetch -o json` prints.
type refetchedDoc struct {
	doc
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Broker    int32   `json:"broker"`
	Replicas  []int32 `json:"replicas"`
	Bytes     int64   `json:"bytes"` // that were thrown away, -1 unknown
	Done      bool    `json:"done"`  // the replica is in sync again
}

func (a *app) reassignRefetch() *cobra.Command {
	var broker int32
	f := applyFlags{}
	c := a.command(spec{
		use: "refetch TOPIC PARTITION --broker ID", short: "Throw one replica away and fetch all of it again",
		long: `Takes the replica out of the partition, waits until its broker has deleted the log, and puts it back where it was: it fetches
everything from the leader. It is for a replica whose log cannot be repaired, or that holds something else than the others, and costs
as much traffic as the log is large. Meanwhile the partition has a replica less; it is refused where the others are not enough.
TOPIC-PARTITION does as well as two words.`,
		example: "  milena reassign refetch orders 4 --broker 2\n  milena reassign refetch orders-4 --broker 2 --throttle 50MiB --yes",
		doc:     refetchedDoc{},
		args:    func(args []string) error { _, _, err := partitionNamed(args); return err },
		run: func(ctx context.Context, args []string) error {
			topic, number, err := partitionNamed(args)
			if err != nil {
				return err
			}
			if broker < 0 {
				return usage("of which broker? --broker ID").try("milena explain partition %s %d shows where its replicas are", topic, number)
			}
			return a.refetch(ctx, refetchedDoc{doc: newDoc("reassign.refetch"), Topic: topic, Partition: number, Broker: broker, Bytes: -1}, f)
		},
	})
	l := c.Flags()
	l.Int32Var(&broker, "broker", -1, "the `id` of the broker whose replica is fetched again")
	l.StringVar(&f.throttle, "throttle", "", "copy at most so many bytes a second on each broker, such as 50MiB")
	l.BoolVarP(&f.yes, "yes", "y", false, "don't ask")
	return c
}

// refetch takes the replica out, waits for its log to go, and puts it back.
func (a *app) refetch(ctx context.Context, d refetchedDoc, f applyFlags) error {
	limit, err := f.limit()
	if err != nil {
		return err
	}
	whole := assignment{d.Topic, d.Partition, nil}
	if err := a.admin(ctx, func(ctx context.Context, c *kgo.Client, adm *kadm.Client) error {
		s, err := lookAround(ctx, c, adm)
		if err != nil {
			return err
		}
		least, err := minISRs(ctx, c, []string{d.Topic})
		if err != nil {
			return err
		}
		if whole.Replicas, err = s.refetchable(d, least); err == nil {
			d.Bytes = logSize(ctx, c, d)
		}
		return err
	}); err != nil {
		return err
	}
	d.Replicas = whole.Replicas
	name := partitionName(d.Topic, d.Partition)
	if err := a.agree(ctx, f.yes, fmt.Sprintf("Throw away what broker %d has of %s, and fetch it again?", d.Broker, name)); err != nil {
		return err
	}
	back, err := json.Marshal(planDoc{PlanVersion: 1, Partitions: []assignment{whole}})
	if err != nil {
		return err
	}
	rest := whole
	rest.Replicas = slices.DeleteFunc(slices.Clone(whole.Replicas), func(id int32) bool { return id == d.Broker })
	err = a.replace(ctx, whole, rest, 0)
	if err == nil {
		err = a.gone(ctx, d)
	}
	if err == nil {
		err = a.replace(ctx, rest, whole, limit)
	}
	if err != nil {
		a.note(fmt.Sprintf("%s may be without broker %d now. This puts it back: echo '%s' | milena reassign apply - --yes", name, d.Broker, back))
		return err
	}
	d.Done = true
	if a.asJSON() {
		return a.json(d)
	}
	leads := ""
	if d.Replicas[0] == d.Broker {
		leads = "; milena cluster elect " + d.Topic + " lets it lead again"
	}
	return a.line("done: broker %d has fetched %s again, and is in sync%s", d.Broker, name, leads)
}

// refetchable is the replicas of a partition of which one can be spared for a while, or why it can't.
func (s *clusterState) refetchable(d refetchedDoc, minISR map[string]int) ([]int32, error) {
	name := partitionName(d.Topic, d.Partition)
	at := slices.IndexFunc(s.partitions, func(p partitionStanding) bool { return p.Topic == d.Topic && p.Partition == d.Partition })
	if at < 0 {
		return nil, failed("UNKNOWN_TOPIC_OR_PARTITION", "%s does not exist", name).try("milena topic list shows what there is")
	}
	p := &s.partitions[at]
	others := slices.DeleteFunc(slices.Clone(p.ISR), func(id int32) bool { return id == d.Broker })
	switch {
	case !slices.Contains(p.Replicas, d.Broker):
		return nil, failed("INVALID_REPLICA_ASSIGNMENT", "broker %d has no replica of %s, which is on %s", d.Broker, name, idList(p.Replicas))
	case len(p.Replicas) == 1:
		return nil, failed("INVALID_REPLICA_ASSIGNMENT", "broker %d has the only replica of %s: nobody could give it again", d.Broker, name)
	case len(p.adding)+len(p.removing) > 0:
		return nil, failed("REASSIGNMENT_IN_PROGRESS", "%s is moving already", name).try("milena reassign status; milena reassign cancel")
	case !s.isUp(d.Broker):
		return nil, failed("BROKER_NOT_AVAILABLE", "broker %d is down, and cannot throw anything away", d.Broker).try("start it first")
	case len(others) < p.least(minISR) || len(others) == 0:
		return nil, failed("NOT_ENOUGH_REPLICAS", "without broker %d only %s of %s would be in sync, and %d have to be", d.Broker,
			plural(int64(len(others)), "replica"), name, p.least(minISR)).try("milena explain partition %s %d", d.Topic, d.Partition)
	}
	return p.Replicas, nil
}

// replace gives a partition other replicas, copied no faster than a limit (bytes a second, 0 is none), and waits until it has them. What it
// has is the caller's word: a broker that is asked may not have heard yet of what the controller has just done.
func (a *app) replace(ctx context.Context, from, to assignment, limit int64) error {
	d := planDoc{PlanVersion: 1, Partitions: []assignment{to}, Current: []assignment{from}}
	var slowed []int32
	if err := a.admin(ctx, func(ctx context.Context, c *kgo.Client, adm *kadm.Client) error {
		s, err := lookAround(ctx, c, adm)
		if err != nil {
			return err
		}
		for _, id := range without(to.Replicas, from.Replicas) {
			if !s.isUp(id) {
				return failed("BROKER_NOT_AVAILABLE", "broker %d went down, and cannot fetch anything", id).try("start it")
			}
		}
		var refused []error
		if slowed, refused, err = s.begin(ctx, c, adm, d, limit); err == nil && len(refused) > 0 {
			err = refused[0]
		}
		return err
	}); err != nil {
		return err
	}
	if err := a.await(ctx, []assignment{to}); err != nil {
		return err
	}
	return a.lift(ctx, d, slowed)
}

// gone waits until a broker has nothing of the partition any more.
func (a *app) gone(ctx context.Context, d refetchedDoc) error {
	for {
		left := int64(0)
		err := a.admin(ctx, func(ctx context.Context, c *kgo.Client, _ *kadm.Client) error {
			left = logSize(ctx, c, d)
			return nil
		})
		if err == nil && left == noLog {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(movePause):
		}
	}
}

// noLog is the size of a log that is not there; -1 is one of which nobody tells.
const noLog = -2

// logSize is how many bytes a broker has of a partition.
func logSize(ctx context.Context, c *kgo.Client, d refetchedDoc) int64 {
	dirs, err := logDirsOf(ctx, c, d.Broker, map[string][]int32{d.Topic: {d.Partition}}, false)
	if err != nil {
		return -1
	}
	for _, dir := range dirs {
		for _, t := range dir.Topics {
			for _, p := range t.Partitions {
				if t.Topic == d.Topic && p.Partition == d.Partition && !p.IsFuture {
					return p.Size
				}
			}
		}
	}
	return noLog
}
