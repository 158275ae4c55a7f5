package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// describedDoc is what `topic describe -o json` prints.
type describedDoc struct {
	doc
	Topics []describedTopic `json:"topics"`
}

type describedTopic struct {
	Name       string               `json:"name"`
	TopicID    string               `json:"topic_id"`
	Internal   bool                 `json:"internal"`
	Partitions []describedPartition `json:"partitions"`
	Configs    []describedConfig    `json:"configs"`
}

type describedPartition struct {
	Partition   int32   `json:"partition"`
	Leader      int32   `json:"leader"` // -1 none
	LeaderEpoch int32   `json:"leader_epoch"`
	Replicas    []int32 `json:"replicas"`
	ISR         []int32 `json:"isr"`
	Offline     []int32 `json:"offline_replicas"`
	StartOffset int64   `json:"start_offset"` // -1 unknown
	EndOffset   int64   `json:"end_offset"`   // -1 unknown
	SizeBytes   int64   `json:"size_bytes"`   // on the leader, -1 unknown
}

type describedConfig struct {
	Name   string  `json:"name"`
	Value  *string `json:"value"`
	Source string  `json:"source"`
}

func (a *app) topicDescribe() *cobra.Command {
	var all bool
	c := a.command(spec{
		use: "describe NAME…", short: "Show a topic's partitions and configs", doc: describedDoc{}, args: names("topic"),
		run: func(ctx context.Context, args []string) error {
			return a.admin(ctx, func(ctx context.Context, _ *kgo.Client, adm *kadm.Client) error {
				return a.describeTopics(ctx, adm, args, all)
			})
		},
	})
	c.Flags().BoolVar(&all, "all", false, "also configs that stand at their default (-o json always has them)")
	return c
}

func (a *app) describeTopics(ctx context.Context, adm *kadm.Client, names []string, all bool) error {
	topics, err := adm.ListTopicsWithInternal(ctx, names...)
	if err != nil {
		return err
	}
	out := describedDoc{doc: newDoc("topic.describe"), Topics: []describedTopic{}}
	failures := 0
	for i, name := range names {
		t, ok := topics[name]
		if !ok || t.Err != nil {
			failures++
			if !ok || t.Err == kerr.UnknownTopicOrPartition {
				a.item(a.noTopic(ctx, adm, name))
			} else {
				a.item(said(t.Err, "", "topic %q", name))
			}
			continue
		}
		d, err := describeTopic(ctx, adm, t)
		if err != nil {
			return err
		}
		out.Topics = append(out.Topics, d)
		if a.asJSON() {
			continue
		}
		if i > 0 {
			if err := a.line(""); err != nil {
				return err
			}
		}
		if err := a.printTopic(d, all); err != nil {
			return err
		}
	}
	if a.asJSON() {
		if err := a.json(out); err != nil {
			return err
		}
	}
	return partly(failures)
}

func describeTopic(ctx context.Context, adm *kadm.Client, t kadm.TopicDetail) (describedTopic, error) {
	d := describedTopic{Name: t.Topic, TopicID: idText(t.ID), Internal: t.IsInternal, Configs: []describedConfig{}}
	starts, _ := adm.ListStartOffsets(ctx, t.Topic)
	ends, _ := adm.ListEndOffsets(ctx, t.Topic)
	set := kadm.TopicsSet{}
	set.Add(t.Topic, t.Partitions.Numbers()...)
	dirs, _ := adm.DescribeAllLogDirs(ctx, set)
	for _, p := range t.Partitions.Sorted() {
		dp := describedPartition{
			Partition: p.Partition, Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, Replicas: orEmpty(p.Replicas), ISR: orEmpty(p.ISR),
			Offline: orEmpty(p.OfflineReplicas), StartOffset: -1, EndOffset: -1, SizeBytes: -1,
		}
		if o, ok := starts.Lookup(t.Topic, p.Partition); ok && o.Err == nil {
			dp.StartOffset = o.Offset
		}
		if o, ok := ends.Lookup(t.Topic, p.Partition); ok && o.Err == nil {
			dp.EndOffset = o.Offset
		}
		for _, dir := range dirs[p.Leader] {
			if lp, ok := dir.Topics.Lookup(t.Topic, p.Partition); ok && !lp.IsFuture {
				dp.SizeBytes = lp.Size
			}
		}
		d.Partitions = append(d.Partitions, dp)
	}
	configs, err := adm.DescribeTopicConfigs(ctx, t.Topic)
	if err != nil {
		return d, err
	}
	for _, r := range configs {
		if r.Err != nil {
			return d, said(r.Err, r.ErrMessage, "the configs of topic %q", t.Topic)
		}
		for _, c := range r.Configs {
			d.Configs = append(d.Configs, describedConfig{c.Key, c.Value, c.Source.String()})
		}
	}
	slices.SortFunc(d.Configs, func(a, b describedConfig) int { return strings.Compare(a.Name, b.Name) })
	return d, nil
}

func orEmpty(ids []int32) []int32 {
	if ids == nil {
		return []int32{}
	}
	return ids
}

func (a *app) printTopic(d describedTopic, all bool) error {
	id := ""
	if d.TopicID != "" {
		id = "  id " + d.TopicID
	}
	if err := a.line("%s  %s%s", d.Name, plural(int64(len(d.Partitions)), "partition"), id); err != nil {
		return err
	}
	for _, c := range d.Configs {
		if !all && c.Source == kmsg.ConfigSourceDefaultConfig.String() {
			continue
		}
		value := "(hidden)"
		if c.Value != nil {
			value = *c.Value
		}
		if err := a.line("  %s=%s  (%s)", c.Name, value, strings.ToLower(strings.ReplaceAll(c.Source, "_", " "))); err != nil {
			return err
		}
	}
	rows := [][]string{}
	unknown := func(n int64, text string) string {
		if n < 0 {
			return "?"
		}
		return text
	}
	offline := slices.ContainsFunc(d.Partitions, func(p describedPartition) bool { return len(p.Offline) > 0 })
	head := []string{" PARTITION", " LEADER", " EPOCH", "REPLICAS", "ISR", " START", " END", " SIZE"}
	if offline {
		head = append(head, "OFFLINE")
	}
	for _, p := range d.Partitions {
		leader := "none"
		if p.Leader >= 0 {
			leader = fmt.Sprint(p.Leader)
		}
		row := []string{
			fmt.Sprint(p.Partition), leader, fmt.Sprint(p.LeaderEpoch), idList(p.Replicas), idList(p.ISR),
			unknown(p.StartOffset, fmt.Sprint(p.StartOffset)), unknown(p.EndOffset, fmt.Sprint(p.EndOffset)), unknown(p.SizeBytes, size(p.SizeBytes)),
		}
		if offline {
			row = append(row, idList(p.Offline))
		}
		rows = append(rows, row)
	}
	return a.table(head, rows)
}

func idList(ids []int32) string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = fmt.Sprint(id)
	}
	return strings.Join(out, ",")
}
