package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// deletedDoc is what `topic delete -o json` and `group delete -o json` print.
type deletedDoc struct {
	doc
	Deleted []string `json:"deleted"`
}

func (a *app) topicDelete() *cobra.Command {
	var yes, ifExists bool
	c := a.command(spec{
		use: "delete NAME…", short: "Delete topics and everything in them", doc: deletedDoc{}, args: names("topic"),
		run: func(ctx context.Context, args []string) error {
			there := args
			if !yes {
				var err error
				if there, err = a.existing(ctx, args); err != nil {
					return err
				}
				if err := a.confirm(ctx, len(there) == 0, "topic", there); err != nil {
					return err
				}
			}
			return a.admin(ctx, func(ctx context.Context, _ *kgo.Client, adm *kadm.Client) error {
				return a.deleteTopics(ctx, adm, args, there, ifExists)
			})
		},
	})
	c.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	c.Flags().BoolVar(&ifExists, "if-exists", false, "a topic that doesn't exist is no failure")
	return c
}

// existing returns those of several topics that there are: nobody is asked about the others.
func (a *app) existing(ctx context.Context, names []string) ([]string, error) {
	var there []string
	err := a.admin(ctx, func(ctx context.Context, _ *kgo.Client, adm *kadm.Client) error {
		all, err := adm.ListTopicsWithInternal(ctx, names...)
		for _, name := range names {
			if t, ok := all[name]; ok && t.Err != kerr.UnknownTopicOrPartition {
				there = append(there, name)
			}
		}
		return err
	})
	return there, err
}

// deleteTopics deletes those of names that are there, and tells of all.
func (a *app) deleteTopics(ctx context.Context, adm *kadm.Client, names, there []string, ifExists bool) error {
	var resps kadm.DeleteTopicResponses
	if len(there) > 0 {
		var err error
		if resps, err = adm.DeleteTopics(ctx, there...); err != nil {
			return err
		}
	}
	return a.tellDeleted("topic.delete", names, func(name string) error {
		r, asked := resps[name]
		switch absent := !asked || r.Err == kerr.UnknownTopicOrPartition; {
		case absent && ifExists:
			return errAbsent
		case absent:
			return a.noTopic(ctx, adm, name)
		}
		return said(r.Err, r.ErrMessage, "topic %q was not deleted", name)
	})
}

// errAbsent says of an item that it did not exist and need not.
var errAbsent = errors.New("did not exist")

// tellDeleted prints what became of each of several items.
func (a *app) tellDeleted(command string, items []string, result func(name string) error) error {
	out := deletedDoc{doc: newDoc(command), Deleted: []string{}}
	failures := 0
	for _, name := range items {
		line := "deleted " + name
		switch err := result(name); {
		case err == errAbsent:
			line = name + " did not exist"
		case err != nil:
			failures++
			a.item(err)
			continue
		default:
			out.Deleted = append(out.Deleted, name)
		}
		if !a.asJSON() {
			if err := a.line("%s", line); err != nil {
				return err
			}
		}
	}
	if a.asJSON() {
		if err := a.json(out); err != nil {
			return err
		}
	}
	return partly(failures)
}
