package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (a *app) reassignCommand() *cobra.Command {
	return a.group("reassign", "Move replicas between brokers", a.reassignPlan(), a.reassignApply(), a.reassignStatus(), a.reassignCancel(), a.reassignRefetch())
}

// planDoc is a plan, as `reassign plan -o json` prints it: what kafka-reassign-partitions takes, and more beside it.
type planDoc struct {
	doc
	PlanVersion int          `json:"version"` // of Kafka's form, 1
	Partitions  []assignment `json:"partitions"`
	Current     []assignment `json:"current"`    // of the same partitions: the way back
	MoveBytes   int64        `json:"move_bytes"` // that have to be copied, -1 unknown
}

type planFlags struct {
	topics  []string
	brokers []int32
	remove  []int32
	factor  int
	evenly  bool
	leaders bool
	out     string
}

func (a *app) reassignPlan() *cobra.Command {
	var f planFlags
	c := a.command(spec{
		use: "plan", short: "Work out which replicas should go where, and change nothing",
		long: `Works out a plan and shows it: from which brokers to which each partition goes, and how many bytes that is. It moves no
replica that may stay where it is. With -o json the plan itself is printed, in the form of Apache Kafka's
kafka-reassign-partitions, whose --reassignment-json-file takes it; so does milena reassign apply.`,
		example: `  milena reassign plan --remove-broker 3 --out plan.json
  milena reassign plan --even                 # a new broker has nothing yet
  milena reassign plan --topics orders --replication-factor 3 -o json > plan.json`,
		doc: planDoc{},
		run: func(ctx context.Context, _ []string) error {
			return a.admin(ctx, func(ctx context.Context, c *kgo.Client, adm *kadm.Client) error {
				s, err := lookToChange(ctx, c, adm)
				if err != nil {
					return err
				}
				d, err := planFor(ctx, c, s, f)
				if err != nil {
					return err
				}
				return a.showPlan(ctx, c, s, d, f.out)
			})
		},
	})
	l := c.Flags()
	l.StringSliceVar(&f.topics, "topics", nil, "only these `topics`, comma-separated (default: all)")
	l.Int32SliceVar(&f.brokers, "brokers", nil, "the `ids` of the brokers that may hold replicas (default: all that are up)")
	l.Int32SliceVar(&f.remove, "remove-broker", nil, "`ids` of brokers that are to hold none")
	l.IntVar(&f.factor, "replication-factor", 0, "give each partition so `many` replicas")
	l.BoolVar(&f.evenly, "even", false, "also move replicas that could stay, until every broker has as many")
	l.StringVar(&f.out, "out", "", "write the plan to a `file`, too")
	return c
}

// planFor works it out.
func planFor(ctx context.Context, c *kgo.Client, s *clusterState, f planFlags) (planDoc, error) {
	d := planDoc{doc: newDoc("reassign.plan"), PlanVersion: 1, Partitions: []assignment{}, Current: []assignment{}}
	targets, rack, err := s.targets(f)
	if err != nil {
		return d, err
	}
	var current []assignment
	for i := range s.partitions {
		p := &s.partitions[i]
		if len(f.topics) > 0 && !slices.Contains(f.topics, p.Topic) {
			continue
		}
		if len(p.adding)+len(p.removing) > 0 {
			return d, failed("REASSIGNMENT_IN_PROGRESS", "%s is moving already", p.name()).try("milena reassign status; milena reassign cancel")
		}
		current = append(current, assignment{p.Topic, p.Partition, p.Replicas})
	}
	for _, t := range f.topics {
		if !slices.ContainsFunc(current, func(a assignment) bool { return a.Topic == t }) {
			return d, failed("UNKNOWN_TOPIC_OR_PARTITION", "topic %q does not exist", t).try("milena topic list shows what there is")
		}
	}
	p := newPlanner(current, targets, rack)
	if !f.leaders && !p.fill(f.factor) {
		most := f.factor
		for _, a := range current {
			most = max(most, len(a.Replicas))
		}
		return d, failed("INVALID_REPLICATION_FACTOR", "%s (%s) are not enough for %d replicas of a partition", plural(int64(len(targets)), "broker"), idList(targets), most).
			try("start another broker first, or --replication-factor %d; milena cluster nodes shows who is up", max(1, len(targets)))
	}
	if f.evenly {
		p.even()
	}
	if f.leaders || f.evenly {
		p.lead()
	}
	list, was := p.changed(current)
	d.Partitions, d.Current = append(d.Partitions, list...), append(d.Current, was...)
	d.MoveBytes = newSizes(ctx, c, s).toMove(d)
	return d, nil
}

// targets are the brokers that may hold replicas.
func (s *clusterState) targets(f planFlags) (ids []int32, rack map[int32]string, err error) {
	rack = map[int32]string{}
	for _, id := range slices.Concat(f.brokers, f.remove) {
		if s.broker(id) == nil {
			return nil, nil, usage("there is no broker %d", id).try("milena cluster nodes lists them")
		}
	}
	for _, b := range s.brokers {
		if (b.up && len(f.brokers) == 0 || slices.Contains(f.brokers, b.id)) && !slices.Contains(f.remove, b.id) {
			ids = append(ids, b.id)
			rack[b.id] = b.rack
		}
	}
	return ids, rack, nil
}

func (a *app) showPlan(ctx context.Context, c *kgo.Client, s *clusterState, d planDoc, out string) error {
	if out != "" {
		text, err := json.MarshalIndent(d, "", "  ")
		if err == nil {
			err = os.WriteFile(out, append(text, '\n'), 0o644)
		}
		if err != nil {
			return err
		}
	}
	if a.asJSON() {
		return a.json(d)
	}
	if len(d.Partitions) == 0 {
		return a.line("nothing to move")
	}
	if err := a.printMoves(newSizes(ctx, c, s), d); err != nil {
		return err
	}
	if out != "" {
		a.note("next: milena reassign apply %s", out)
	} else {
		a.note("nothing was changed; --out plan.json keeps it for milena reassign apply")
	}
	return nil
}

// printMoves is the plan as it is reviewed.
func (a *app) printMoves(s *sizes, d planDoc) error {
	rows := [][]string{}
	for i, p := range d.Partitions {
		added := without(p.Replicas, d.Current[i].Replicas)
		moved := "order only"
		if len(added) > 0 {
			moved = "?"
			if n := s.of(p.Topic, p.Partition); n >= 0 {
				moved = size(n * int64(len(added)))
			}
		} else if len(p.Replicas) < len(d.Current[i].Replicas) {
			moved = "-"
		}
		rows = append(rows, []string{partitionName(p.Topic, p.Partition), idList(d.Current[i].Replicas), idList(p.Replicas), moved})
	}
	if err := a.table([]string{"PARTITION", "NOW", "PLANNED", " TO COPY"}, rows); err != nil {
		return err
	}
	total := ""
	if d.MoveBytes >= 0 {
		total = ", " + size(d.MoveBytes) + " to copy"
	}
	return a.line("%s%s", plural(int64(len(d.Partitions)), "partition"), total)
}

func without(ids, but []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(ids), func(id int32) bool { return slices.Contains(but, id) })
}

// readPlan reads a plan of ours or of kafka-reassign-partitions.
func (a *app) readPlan(name string) (planDoc, error) {
	var d planDoc
	in := a.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return d, err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxPlanBytes))
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d, failed("INVALID_PLAN", "%s is no plan: %v", name, err).try("milena reassign plan --out plan.json writes one")
	}
	if d.PlanVersion != 1 || len(d.Partitions) == 0 {
		return d, failed("INVALID_PLAN", `%s is no plan: it needs "version":1 and "partitions"`, name).try("milena reassign plan --out plan.json writes one")
	}
	seen := map[string]bool{}
	for _, p := range d.Partitions {
		at := partitionName(p.Topic, p.Partition)
		if set := slices.Compact(slices.Sorted(slices.Values(p.Replicas))); len(set) != len(p.Replicas) || len(set) == 0 || seen[at] {
			return d, failed("INVALID_PLAN", "%s is no plan: %s stands twice, or has no replicas, or one twice", name, at)
		}
		seen[at] = true
	}
	return d, nil
}

// maxPlanBytes is far above any plan.
const maxPlanBytes = 256 << 20

// sizes are the bytes of partitions on brokers.
type sizes struct {
	on     map[int32]map[string]int64
	leader map[string]int32
}

// newSizes asks every broker that is up; who does not answer has nothing known.
func newSizes(ctx context.Context, c *kgo.Client, s *clusterState) *sizes {
	out := &sizes{on: map[int32]map[string]int64{}, leader: map[string]int32{}}
	for i := range s.partitions {
		out.leader[s.partitions[i].name()] = s.partitions[i].Leader
	}
	for _, b := range s.brokers {
		if b.up {
			out.ask(ctx, c, b.id, nil)
		}
	}
	return out
}

// ask reads the sizes on one broker.
func (s *sizes) ask(ctx context.Context, c *kgo.Client, broker int32, partitions map[string][]int32) {
	dirs, err := logDirsOf(ctx, c, broker, partitions, false)
	if err != nil {
		return
	}
	s.on[broker] = map[string]int64{}
	for _, d := range dirs {
		for _, t := range d.Topics {
			for _, p := range t.Partitions {
				if !p.IsFuture {
					s.on[broker][partitionName(t.Topic, p.Partition)] = p.Size
				}
			}
		}
	}
}

// of is the size of a partition on its leader, -1 unknown.
func (s *sizes) of(topic string, partition int32) int64 {
	name := partitionName(topic, partition)
	return s.at(s.leader[name], name)
}

// at is the size of a replica, -1 where its broker did not answer, 0 for one that is not there yet.
func (s *sizes) at(broker int32, name string) int64 {
	if s.on[broker] == nil {
		return -1
	}
	return s.on[broker][name]
}

// toMove sums what a plan copies.
func (s *sizes) toMove(d planDoc) (total int64) {
	for i, p := range d.Partitions {
		added := without(p.Replicas, d.Current[i].Replicas)
		n := s.of(p.Topic, p.Partition)
		if n < 0 && len(added) > 0 {
			return -1
		}
		total += n * int64(len(added))
	}
	return total
}

// alter sets partitions out for other replicas; nil for the replicas calls back what is under way.
func alter(ctx context.Context, c *kgo.Client, list []assignment) (refused []error, err error) {
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	for _, p := range list {
		n := len(req.Topics)
		if n == 0 || req.Topics[n-1].Topic != p.Topic {
			t := kmsg.NewAlterPartitionAssignmentsRequestTopic()
			t.Topic = p.Topic
			req.Topics = append(req.Topics, t)
			n++
		}
		rp := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
		rp.Partition, rp.Replicas = p.Partition, p.Replicas
		req.Topics[n-1].Partitions = append(req.Topics[n-1].Partitions, rp)
	}
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := coded(resp.ErrorCode, resp.ErrorMessage, "the controller refused the plan"); err != nil {
		return nil, err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := coded(p.ErrorCode, p.ErrorMessage, "%s was not set out", fmt.Sprint(partitionName(t.Topic, p.Partition))); err != nil {
				refused = append(refused, err)
			}
		}
	}
	return refused, nil
}
