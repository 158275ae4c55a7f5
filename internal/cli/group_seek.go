package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// seekDoc is what `group seek -o json` prints.
type seekDoc struct {
	doc
	Group      string          `json:"group"`
	DryRun     bool            `json:"dry_run"`
	Partitions []seekPartition `json:"partitions"`
}

type seekPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Current   int64  `json:"current_offset"` // -1 nothing committed
	New       int64  `json:"new_offset"`
}

func (a *app) groupSeek() *cobra.Command {
	var to string
	var topics []string
	var dryRun bool
	c := a.command(spec{
		use: "seek GROUP", short: "Set where a group goes on reading", doc: seekDoc{}, args: oneName("group"),
		long: `Sets the committed offsets of a group that has no members: of the topics it has committed, or of those named.
A place is start, end, an offset, -N for the last N records of each partition, or a time.`,
		example: `  milena group seek billing --to 2026-11-20T08:00 --topic orders --dry-run
  milena group seek billing --to start --topic orders:0,3`,
		run: func(ctx context.Context, args []string) error {
			if to == "" {
				return usage("where to? --to start, end, an offset, -N or a time")
			}
			at, err := parsePlace(to, time.Now())
			if err != nil || at.kind == atStored {
				return usage("--to %q is no place: start, end, an offset, -N or a time", to)
			}
			only, err := parseTopics(topics)
			if err != nil {
				return err
			}
			return a.admin(ctx, func(ctx context.Context, _ *kgo.Client, adm *kadm.Client) error {
				return a.seek(ctx, adm, args[0], at, only, dryRun)
			})
		},
	})
	c.Flags().StringVar(&to, "to", "", "`place`: start, end, an offset, -N, a time, or @ms since 1970")
	c.Flags().StringArrayVar(&topics, "topic", nil, "only this `topic`, or topic:0,3 for some of its partitions; repeatable")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "show what would change and change nothing")
	return c
}

// parseTopics reads --topic flags: a topic, or topic:partition,partition. An empty list of partitions is all.
func parseTopics(list []string) (map[string][]int32, error) {
	out := map[string][]int32{}
	for _, s := range list {
		topic, numbers, some := strings.Cut(s, ":")
		if topic == "" {
			return nil, usage("--topic %q is no topic", s)
		}
		out[topic] = append(out[topic], []int32{}...)
		if !some {
			continue
		}
		for _, n := range strings.Split(numbers, ",") {
			p, err := strconv.ParseInt(n, 10, 32)
			if err != nil || p < 0 {
				return nil, usage("--topic %q: %q is no partition", s, n)
			}
			out[topic] = append(out[topic], int32(p))
		}
	}
	return out, nil
}

func (a *app) seek(ctx context.Context, adm *kadm.Client, group string, at place, only map[string][]int32, dryRun bool) error {
	described, err := adm.DescribeGroups(ctx, group)
	if err != nil {
		return err
	}
	if g := described[group]; len(g.Members) > 0 && !dryRun {
		return groupActive(g)
	}
	committed, err := adm.FetchOffsets(ctx, group)
	if err != nil {
		return err
	}
	if len(only) == 0 {
		for topic := range committed {
			only[topic] = nil
		}
		if len(only) == 0 {
			f := a.asFailure(a.noGroup(ctx, adm, group))
			return f.try("it has committed nothing; --topic names what to set")
		}
	}
	d := seekDoc{doc: newDoc("group.seek"), Group: group, DryRun: dryRun, Partitions: []seekPartition{}}
	if d.Partitions, err = a.seekPlan(ctx, adm, at, only, committed); err != nil {
		return err
	}
	if !dryRun {
		offsets := kadm.Offsets{}
		for _, p := range d.Partitions {
			offsets.AddOffset(p.Topic, p.Partition, p.New, -1)
		}
		resps, err := adm.CommitOffsets(ctx, group, offsets)
		if err != nil {
			return err
		}
		if err := resps.Error(); err != nil {
			return said(err, "", "the offsets of group %q were not set", group)
		}
	}
	return a.printSeek(d)
}

// seekPlan resolves the place for each partition.
func (a *app) seekPlan(ctx context.Context, adm *kadm.Client, at place, only map[string][]int32, committed kadm.OffsetResponses) ([]seekPartition, error) {
	topics := make([]string, 0, len(only))
	for t := range only {
		topics = append(topics, t)
	}
	slices.Sort(topics)
	starts, err := adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	ends, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	var after kadm.ListedOffsets
	if at.kind == atTime {
		if after, err = adm.ListOffsetsAfterMilli(ctx, at.value, topics...); err != nil {
			return nil, err
		}
	}
	out := []seekPartition{}
	for _, topic := range topics {
		if len(ends[topic]) == 0 || ends[topic][-1].Err != nil {
			return nil, a.noTopic(ctx, adm, topic)
		}
		for n, end := range ends[topic] {
			if len(only[topic]) > 0 && !slices.Contains(only[topic], n) {
				continue
			}
			start := lookup(starts, topic, n)
			if end.Err != nil || start.Err != nil {
				return nil, said(cmp.Or(end.Err, start.Err), "", "the offsets of %s[%d]", topic, n)
			}
			p := seekPartition{Topic: topic, Partition: n, Current: -1, New: resolve(at, start.Offset, end.Offset, lookup(after, topic, n))}
			if within := min(max(p.New, start.Offset), end.Offset); within != p.New {
				a.note("%s-%d has the offsets %d to %d: %d is set in place of %d", topic, n, start.Offset, end.Offset, within, p.New)
				p.New = within
			}
			if c, ok := committed.Lookup(topic, n); ok && c.Err == nil {
				p.Current = c.At
			}
			out = append(out, p)
		}
		for _, n := range only[topic] {
			if _, ok := ends[topic][n]; !ok {
				return nil, failed(kerr.UnknownTopicOrPartition.Message, "topic %q has no partition %d", topic, n)
			}
		}
	}
	slices.SortFunc(out, func(a, b seekPartition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return out, nil
}

func (a *app) printSeek(d seekDoc) error {
	if a.asJSON() {
		return a.json(d)
	}
	rows := [][]string{}
	for _, p := range d.Partitions {
		current, change := "-", "-"
		if p.Current >= 0 {
			current, change = fmt.Sprint(p.Current), fmt.Sprintf("%+d", p.New-p.Current)
		}
		rows = append(rows, []string{fmt.Sprintf("%s-%d", p.Topic, p.Partition), current, fmt.Sprint(p.New), change})
	}
	if err := a.table([]string{"PARTITION", " CURRENT", " NEW", " CHANGE"}, rows); err != nil {
		return err
	}
	if d.DryRun {
		a.note("nothing was changed; repeat without --dry-run")
	}
	return nil
}

// groupActive is the refusal to set the offsets of a group that somebody reads in.
func groupActive(g kadm.DescribedGroup) error {
	var who []string
	for _, m := range g.Members {
		who = append(who, m.ClientID+"@"+strings.TrimPrefix(m.ClientHost, "/"))
	}
	f := failed(kerr.NonEmptyGroup.Message, "group %s has %s; offsets can be set only when it is empty", g.Group, plural(int64(len(g.Members)), "member"))
	return f.try("stop its members first: %s", strings.Join(who, " "))
}

func (a *app) groupDelete() *cobra.Command {
	var yes bool
	c := a.command(spec{
		use: "delete GROUP…", short: "Delete groups without members and their offsets", doc: deletedDoc{}, args: names("group"),
		run: func(ctx context.Context, args []string) error {
			if err := a.confirm(ctx, yes, "group", args); err != nil {
				return err
			}
			return a.admin(ctx, func(ctx context.Context, _ *kgo.Client, adm *kadm.Client) error {
				resps, err := adm.DeleteGroups(ctx, args...)
				if err != nil {
					return err
				}
				return a.tellDeleted("group.delete", args, func(name string) error {
					r := resps[name]
					if r.Err == kerr.GroupIDNotFound {
						return a.noGroup(ctx, adm, name)
					}
					return said(r.Err, "", "group %q was not deleted", name)
				})
			})
		},
	})
	c.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	return c
}
