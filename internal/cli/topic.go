package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/kafka"
)

func (a *app) topicCommand() *cobra.Command {
	c := a.group("topic", "Create, list, describe, alter and delete topics",
		a.topicCreate(), a.topicList(), a.topicDescribe(), a.topicAlter(), a.topicDelete())
	c.Aliases = []string{"topics"}
	return c
}

// createdDoc is what `topic create -o json` prints.
type createdDoc struct {
	doc
	DryRun bool           `json:"dry_run"`
	Topics []createdTopic `json:"topics"`
}

type createdTopic struct {
	Name        string            `json:"name"`
	TopicID     string            `json:"topic_id"`
	Created     bool              `json:"created"` // false when it was there already
	Partitions  int32             `json:"partitions"`
	Replication int16             `json:"replication_factor"`
	Configs     map[string]string `json:"configs"` // those that were asked for, as sent
}

type createFlags struct {
	partitions  int32
	replication int16
	configs     []string
	ifNotExists bool
	dryRun      bool
}

func (a *app) topicCreate() *cobra.Command {
	var f createFlags
	c := a.command(spec{
		use: "create NAME…", short: "Create topics", doc: createdDoc{}, args: names("topic"),
		example: "  milena topic create orders -p 6 -r 3 -c retention.ms=7d",
		run: func(ctx context.Context, args []string) error {
			set, err := settings("-c", f.configs)
			if err != nil {
				return err
			}
			return a.admin(ctx, func(ctx context.Context, _ *kgo.Client, adm *kadm.Client) error {
				return a.createTopics(ctx, adm, f, set, args)
			})
		},
	})
	c.Flags().Int32VarP(&f.partitions, "partitions", "p", -1, "`number` of partitions; -1 is the broker's num.partitions")
	c.Flags().Int16VarP(&f.replication, "replication-factor", "r", -1, "`number` of replicas; -1 is the broker's default.replication.factor")
	c.Flags().StringArrayVarP(&f.configs, "config", "c", nil, "`key=value` of the topic; 7d and 512MiB are understood; repeatable")
	c.Flags().BoolVar(&f.ifNotExists, "if-not-exists", false, "a topic that exists is no failure")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "let the broker check it and create nothing")
	return c
}

func (a *app) createTopics(ctx context.Context, adm *kadm.Client, f createFlags, set []setting, names []string) error {
	configs := map[string]*string{}
	sent := map[string]string{}
	for _, s := range set {
		configs[s.key], sent[s.key] = &s.value, s.value
	}
	create := adm.CreateTopics
	if f.dryRun {
		create = adm.ValidateCreateTopics
	}
	resps, err := create(ctx, f.partitions, f.replication, configs, names...)
	if err != nil {
		return err
	}
	out := createdDoc{doc: newDoc("topic.create"), DryRun: f.dryRun, Topics: []createdTopic{}}
	failures := 0
	for _, name := range names {
		r := resps[name]
		exists := kerr.TopicAlreadyExists == r.Err && f.ifNotExists
		if r.Err != nil && !exists {
			failures++
			a.item(configHint(a, said(r.Err, r.ErrMessage, "topic %q was not created", name), set))
			continue
		}
		t := createdTopic{name, idText(r.ID), !exists && !f.dryRun, r.NumPartitions, r.ReplicationFactor, sent}
		out.Topics = append(out.Topics, t)
		if a.asJSON() {
			continue
		}
		if err := a.line("%s", createdLine(t, f.dryRun, exists, set)); err != nil {
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

func createdLine(t createdTopic, dryRun, exists bool, set []setting) string {
	switch {
	case exists:
		return t.Name + " exists"
	case dryRun:
		return "would create " + t.Name
	}
	line := "created " + t.Name
	if t.Partitions >= 0 {
		line += fmt.Sprintf("  %s × %s", plural(int64(t.Partitions), "partition"), plural(int64(t.Replication), "replica"))
	}
	for _, s := range set {
		line += "  " + s.key + "=" + s.value
	}
	return line
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.FormatInt(n, 10) + " " + what + "s"
}

// idText is a topic id as Kafka prints it, "" for none.
func idText(id kadm.TopicID) string {
	if id == (kadm.TopicID{}) {
		return ""
	}
	return kafka.UUID(id).String()
}

// configHint adds the nearest key to a refusal of a config.
func configHint(a *app, err error, set []setting) error {
	f := a.asFailure(err)
	if f.code == kerr.PolicyViolation.Message {
		return f.try("one request makes fewer than 25,000 partitions; create the topic with some, and add the others: milena topic alter TOPIC -p N")
	}
	if f.code != kerr.InvalidConfig.Message {
		return err
	}
	for _, s := range set {
		if _, ok := config.Lookup(config.Topic, s.key); !ok {
			if near := config.Nearest(config.Topic, s.key); near != "" {
				return f.try("there is no topic key %s; did you mean %s?", s.key, near)
			}
		}
	}
	return f
}

// noTopic is the failure of a command on a topic that doesn't exist, with the nearest one that does.
func (a *app) noTopic(ctx context.Context, adm *kadm.Client, name string) error {
	f := failed(kerr.UnknownTopicOrPartition.Message, "topic %q does not exist", name).try("milena topic list shows what there is")
	all, err := adm.ListTopicsWithInternal(ctx)
	if err != nil {
		return f
	}
	var known []string
	for _, t := range all.Sorted() {
		if t.Err == nil && t.Topic != name {
			known = append(known, t.Topic)
		}
	}
	if near := nearest(name, known); near != "" {
		return f.try("did you mean %q? milena topic list shows what there is", near)
	}
	if len(known) == 0 {
		return f.try("there are no topics yet; create it: milena topic create %s", strings.ReplaceAll(name, " ", "_"))
	}
	return f
}
