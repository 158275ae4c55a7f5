package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// alteredDoc is what `topic alter -o json` prints.
type alteredDoc struct {
	doc
	DryRun     bool              `json:"dry_run"`
	Name       string            `json:"name"`
	Partitions *int              `json:"partitions"` // null when that was not asked for
	Set        map[string]string `json:"set"`        // as sent
	Removed    []string          `json:"removed"`
}

type alterFlags struct {
	partitions int
	configs    []string
	remove     []string
	dryRun     bool
}

func (a *app) topicAlter() *cobra.Command {
	var f alterFlags
	c := a.command(spec{
		use: "alter NAME", short: "Change a topic's configs or add partitions", doc: alteredDoc{}, args: oneName("topic"),
		example: `  milena topic alter orders -c retention.ms=3d -d segment.bytes
  milena topic alter orders -p 12`,
		run: func(ctx context.Context, args []string) error {
			if f.partitions == 0 && len(f.configs)+len(f.remove) == 0 {
				return usage("nothing to change: -p, -c or -d")
			}
			set, err := settings("-c", f.configs)
			if err != nil {
				return err
			}
			return a.admin(ctx, func(ctx context.Context, _ *kgo.Client, adm *kadm.Client) error {
				return a.alterTopic(ctx, adm, args[0], f, set)
			})
		},
	})
	c.Flags().IntVarP(&f.partitions, "partitions", "p", 0, "raise the `number` of partitions to this; keys move to other partitions")
	c.Flags().StringArrayVarP(&f.configs, "config", "c", nil, "`key=value` to set; 7d and 512MiB are understood; repeatable")
	c.Flags().StringArrayVarP(&f.remove, "delete-config", "d", nil, "`key` to put back to its default; repeatable")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "let the broker check it and change nothing")
	return c
}

func (a *app) alterTopic(ctx context.Context, adm *kadm.Client, name string, f alterFlags, set []setting) error {
	out := alteredDoc{doc: newDoc("topic.alter"), DryRun: f.dryRun, Name: name, Set: map[string]string{}, Removed: append([]string{}, f.remove...)}
	would := ""
	if f.dryRun {
		would = "would set "
	}
	var lines []string
	if f.partitions > 0 {
		update := adm.UpdatePartitions
		if f.dryRun {
			update = adm.ValidateUpdatePartitions
		}
		resps, err := update(ctx, f.partitions, name)
		if err != nil {
			return err
		}
		r := resps[name]
		if r.Err == kerr.UnknownTopicOrPartition {
			return a.noTopic(ctx, adm, name)
		}
		if r.Err != nil {
			return said(r.Err, r.ErrMessage, "topic %q got no partitions", name)
		}
		out.Partitions = &f.partitions
		lines = append(lines, fmt.Sprintf("%s%s  %s", would, name, plural(int64(f.partitions), "partition")))
	}
	var changes []kadm.AlterConfig
	for _, s := range set {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: s.key, Value: &s.value})
		out.Set[s.key] = s.value
		lines = append(lines, fmt.Sprintf("%s%s  %s=%s", would, name, s.key, s.value))
	}
	for _, key := range f.remove {
		changes = append(changes, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: key})
		lines = append(lines, fmt.Sprintf("%s%s  %s at its default", would, name, key))
	}
	if err := a.alterConfigs(ctx, adm, name, f.dryRun, changes, set); err != nil {
		return err
	}
	if a.asJSON() {
		return a.json(out)
	}
	for _, l := range lines {
		if err := a.line("%s", l); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) alterConfigs(ctx context.Context, adm *kadm.Client, name string, dryRun bool, changes []kadm.AlterConfig, set []setting) error {
	if len(changes) == 0 {
		return nil
	}
	alter := adm.AlterTopicConfigs
	if dryRun {
		alter = adm.ValidateAlterTopicConfigs
	}
	resps, err := alter(ctx, changes, name)
	if err != nil {
		return err
	}
	for _, r := range resps {
		if r.Err == kerr.UnknownTopicOrPartition {
			return a.noTopic(ctx, adm, name)
		}
		if r.Err != nil {
			return configHint(a, said(r.Err, r.ErrMessage, "the configs of topic %q were not changed", name), set)
		}
	}
	return nil
}
