package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// groupsDoc is what `group list -o json` prints.
type groupsDoc struct {
	doc
	Groups []listedGroup `json:"groups"`
}

type listedGroup struct {
	Group    string `json:"group"`
	State    string `json:"state"`
	Type     string `json:"type"` // classic, consumer, …
	Protocol string `json:"protocol_type"`
	Members  int    `json:"members"`
	Topics   int    `json:"topics"` // with committed offsets
	Lag      int64  `json:"lag"`    // -1 unknown
}

// groupDoc is what `group describe -o json` prints.
type groupDoc struct {
	doc
	Groups []describedGroup `json:"groups"`
}

type describedGroup struct {
	Group       string           `json:"group"`
	State       string           `json:"state"`
	Protocol    string           `json:"protocol_type"`
	Assignor    string           `json:"assignor"`
	Coordinator int32            `json:"coordinator"`
	Lag         int64            `json:"lag"` // -1 unknown
	Members     []groupMember    `json:"members"`
	Partitions  []groupPartition `json:"partitions"`
}

type groupMember struct {
	MemberID   string  `json:"member_id"`
	InstanceID *string `json:"instance_id"`
	ClientID   string  `json:"client_id"`
	Host       string  `json:"host"`
	Partitions int     `json:"partitions"`
}

type groupPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Current   int64  `json:"current_offset"` // -1 nothing committed
	Start     int64  `json:"log_start_offset"`
	End       int64  `json:"log_end_offset"` // -1 unknown
	Lag       int64  `json:"lag"`            // -1 unknown
	MemberID  string `json:"member_id"`      // "" when nobody reads it
	Host      string `json:"host"`
	ClientID  string `json:"client_id"`
}

func (a *app) groupList() *cobra.Command {
	return a.command(spec{
		use: "list", short: "List consumer groups", doc: groupsDoc{}, name: true,
		run: func(ctx context.Context, _ []string) error {
			return a.admin(ctx, func(ctx context.Context, _ *kgo.Client, adm *kadm.Client) error { return a.listGroups(ctx, adm) })
		},
	})
}

func (a *app) listGroups(ctx context.Context, adm *kadm.Client) error {
	groups, err := adm.ListGroups(ctx)
	if err != nil {
		return err
	}
	if a.flags.output == "name" {
		for _, g := range groups.Sorted() {
			if err := a.line("%s", g.Group); err != nil {
				return err
			}
		}
		return nil
	}
	d := groupsDoc{doc: newDoc("group.list"), Groups: []listedGroup{}}
	var lags kadm.DescribedGroupLags
	if len(groups) > 0 { // to Lag no name means every group
		if lags, err = adm.Lag(ctx, groups.Groups()...); err != nil {
			return err
		}
	}
	for _, g := range groups.Sorted() {
		l := lags[g.Group]
		d.Groups = append(d.Groups, listedGroup{
			Group: g.Group, State: g.State, Type: "classic", Protocol: g.ProtocolType, Members: len(l.Members), Topics: len(l.Lag), Lag: totalLag(&l),
		})
	}
	if a.asJSON() {
		return a.json(d)
	}
	if len(d.Groups) == 0 {
		a.note("nobody has committed offsets here")
		return nil
	}
	rows := [][]string{}
	for _, g := range d.Groups {
		lag := "?"
		if g.Lag >= 0 {
			lag = count(g.Lag)
		}
		rows = append(rows, []string{g.Group, g.State, dash(g.Protocol), fmt.Sprint(g.Members), fmt.Sprint(g.Topics), lag})
	}
	return a.table([]string{"GROUP", "STATE", "PROTO", " MEMBERS", " TOPICS", " LAG"}, rows)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// lagOf is how many records a group has still to read: none of what retention has deleted, and never less than zero.
func lagOf(l kadm.GroupMemberLag) int64 {
	if l.Err != nil || l.End.Err != nil || l.End.Offset < 0 {
		return -1
	}
	from := l.Commit.At
	if l.Start.Err == nil {
		from = max(from, l.Start.Offset)
	}
	return max(l.End.Offset-max(from, 0), 0)
}

// totalLag sums the lag of the partitions that have a commit; -1 when one is not known.
func totalLag(l *kadm.DescribedGroupLag) int64 {
	if l.FetchErr != nil {
		return -1
	}
	total := int64(0)
	for _, p := range l.Lag.Sorted() {
		if p.Commit.At < 0 {
			continue
		}
		n := lagOf(p)
		if n < 0 {
			return -1
		}
		total += n
	}
	return total
}

func (a *app) groupDescribe() *cobra.Command {
	return a.command(spec{
		use: "describe GROUP…", short: "Show a group's members, offsets and lag", doc: groupDoc{}, args: names("group"),
		run: func(ctx context.Context, args []string) error {
			return a.admin(ctx, func(ctx context.Context, _ *kgo.Client, adm *kadm.Client) error {
				return a.describeGroups(ctx, adm, args)
			})
		},
	})
}

func (a *app) describeGroups(ctx context.Context, adm *kadm.Client, groups []string) error {
	lags, err := adm.Lag(ctx, groups...)
	if err != nil {
		return err
	}
	out := groupDoc{doc: newDoc("group.describe"), Groups: []describedGroup{}}
	failures := 0
	for i, name := range groups {
		l, ok := lags[name]
		if !ok || l.State == "Dead" || l.DescribeErr == kerr.GroupIDNotFound {
			failures++
			a.item(a.noGroup(ctx, adm, name))
			continue
		}
		if err := l.Error(); err != nil {
			failures++
			a.item(said(err, "", "group %q", name))
			continue
		}
		d := groupOf(&l)
		out.Groups = append(out.Groups, d)
		if a.asJSON() {
			continue
		}
		if i > 0 {
			if err := a.line(""); err != nil {
				return err
			}
		}
		if err := a.printGroup(d); err != nil {
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

func groupOf(l *kadm.DescribedGroupLag) describedGroup {
	d := describedGroup{
		Group: l.Group, State: l.State, Protocol: l.ProtocolType, Assignor: l.Protocol, Coordinator: l.Coordinator.NodeID, Lag: totalLag(l),
		Members: []groupMember{}, Partitions: []groupPartition{},
	}
	reads := map[string]int{}
	for _, p := range l.Lag.Sorted() {
		g := groupPartition{Topic: p.Topic, Partition: p.Partition, Current: p.Commit.At, Start: -1, End: -1, Lag: -1}
		if p.Start.Err == nil {
			g.Start = p.Start.Offset
		}
		if p.End.Err == nil {
			g.End = p.End.Offset
		}
		if p.Commit.At >= 0 {
			g.Lag = lagOf(p)
		}
		if m := p.Member; m != nil {
			g.MemberID, g.Host, g.ClientID = m.MemberID, m.ClientHost, m.ClientID
			reads[m.MemberID]++
		}
		d.Partitions = append(d.Partitions, g)
	}
	for _, m := range l.Members {
		d.Members = append(d.Members, groupMember{m.MemberID, m.InstanceID, m.ClientID, m.ClientHost, reads[m.MemberID]})
	}
	slices.SortFunc(d.Members, func(a, b groupMember) int { return cmp.Compare(a.MemberID, b.MemberID) })
	return d
}

func (a *app) printGroup(d describedGroup) error {
	lag := "?"
	if d.Lag >= 0 {
		lag = fmt.Sprint(d.Lag)
	}
	assignor := ""
	if d.Assignor != "" {
		assignor = "  assignor " + d.Assignor
	}
	if err := a.line("%s  %s  %s  lag %s%s  coordinator %d", d.Group, d.State, plural(int64(len(d.Members)), "member"), lag, assignor, d.Coordinator); err != nil {
		return err
	}
	if len(d.Members) == 0 {
		a.note("Consumer group '%s' has no active members.", d.Group) // as kafka-consumer-groups says it
	}
	rows := [][]string{}
	number := func(n int64) string {
		if n < 0 {
			return "-"
		}
		return fmt.Sprint(n)
	}
	for _, p := range d.Partitions {
		rows = append(rows, []string{
			p.Topic, fmt.Sprint(p.Partition), number(p.Current), number(p.End), number(p.Lag), dash(p.MemberID), dash(p.Host), dash(p.ClientID),
		})
	}
	return a.table([]string{"TOPIC", " PARTITION", " CURRENT-OFFSET", " LOG-END-OFFSET", " LAG", "CONSUMER-ID", "HOST", "CLIENT-ID"}, rows)
}

// noGroup is the failure of a command on a group that doesn't exist.
func (a *app) noGroup(ctx context.Context, adm *kadm.Client, name string) error {
	f := failed(kerr.GroupIDNotFound.Message, "group %q does not exist", name).try("milena group list shows what there is")
	if all, err := adm.ListGroups(ctx); err == nil {
		if near := nearest(name, all.Groups()); near != "" && !strings.EqualFold(near, name) {
			return f.try("did you mean %q? milena group list shows what there is", near)
		}
	}
	return f
}
