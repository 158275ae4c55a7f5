package cli

import (
	"context"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestGroupLife(t *testing.T) {
	c := newCluster(t)
	c.create("orders")
	c.produce("orders", "0\n1\n2\n3\n4\n")
	if out := c.ok("group", "list", "-o", "name"); out != "" {
		t.Errorf("a new cluster has groups %q", out)
	}
	// Of what a member reads, what was printed is committed and nothing else.
	if out := c.ok("consume", "orders", "-g", "billing", "--from", "start", "-n", "2"); out != "0\n1\n" {
		t.Fatalf("%q", out)
	}
	l := decode[groupsDoc](t, c.ok("group", "list", "-o", "json"), "group.list").Groups
	if len(l) != 1 || l[0].Group != "billing" || l[0].Lag != 3 || l[0].Topics != 1 || l[0].Members != 0 {
		t.Errorf("list says %+v", l)
	}
	d := decode[groupDoc](t, c.ok("group", "describe", "billing", "-o", "json"), "group.describe").Groups[0]
	if d.State != "Empty" || d.Lag != 3 || len(d.Partitions) != 1 || d.Partitions[0].Current != 2 || d.Partitions[0].End != 5 || d.Partitions[0].Lag != 3 {
		t.Errorf("describe says %+v", d)
	}
	contains(t, "describe", c.ok("groups", "describe", "billing"), "TOPIC", "CURRENT-OFFSET", "orders", "lag 3")
	contains(t, "list", c.ok("group", "list"), "GROUP", "billing", "Empty")
	if out := c.ok("consume", "orders", "-g", "billing", "-n", "1"); out != "2\n" {
		t.Errorf("the group goes on at %q", out)
	}
	if out := c.ok("consume", "orders", "-g", "billing"); out != "3\n4\n" {
		t.Errorf("the rest is %q", out)
	}

	s := decode[seekDoc](t, c.ok("group", "seek", "billing", "--to", "1", "--dry-run", "-o", "json"), "group.seek")
	if !s.DryRun || len(s.Partitions) != 1 || s.Partitions[0] != (seekPartition{"orders", 0, 5, 1}) {
		t.Errorf("seek says %+v", s)
	}
	r := c.run("group", "seek", "billing", "--to", "-2", "--dry-run")
	contains(t, "the preview", r.out, "orders-0", "-2")
	contains(t, "the preview's note", r.err, "nothing was changed")
	r = c.run("group", "seek", "billing", "--to", "9999", "--dry-run")
	contains(t, "a place behind the end", r.err, "orders-0 has the offsets 0 to ", "in place of 9999")
	c.ok("group", "seek", "billing", "--to", "start", "--topic", "orders:0")
	if out := c.ok("consume", "orders", "-g", "billing", "-n", "1"); out != "0\n" {
		t.Errorf("after seek it reads %q", out)
	}
	if out := c.ok("group", "delete", "billing", "-y"); out != "deleted billing\n" {
		t.Errorf("%q", out)
	}
	if out := c.ok("group", "list", "-o", "name"); out != "" {
		t.Errorf("after delete there are %q", out)
	}
}

func TestGroupRefusals(t *testing.T) {
	c := newCluster(t)
	c.create("orders")
	c.produce("orders", "a\n")
	c.ok("consume", "orders", "-g", "billing", "-n", "1", "--from", "start")
	for _, tc := range []struct {
		args []string
		exit int
		says string
	}{
		{[]string{"group", "describe", "biling"}, exitFailed, `did you mean "billing"`},
		{[]string{"group", "delete", "biling", "-y"}, exitFailed, `did you mean "billing"`},
		{[]string{"group", "delete", "billing"}, exitUsage, "--yes"},
		{[]string{"group", "seek", "billing"}, exitUsage, "where to?"},
		{[]string{"group", "seek", "billing", "--to", "nowhere"}, exitUsage, "no place"},
		{[]string{"group", "seek", "billing", "--to", "stored"}, exitUsage, "no place"},
		{[]string{"group", "seek", "billing", "--to", "start", "--topic", "orders:x"}, exitUsage, "no partition"},
		{[]string{"group", "seek", "billing", "--to", "start", "--topic", "orders:7"}, exitFailed, "no partition 7"},
		{[]string{"group", "seek", "billing", "--to", "start", "--topic", "order"}, exitFailed, `did you mean "orders"`},
		{[]string{"group", "seek", "nobody", "--to", "start"}, exitFailed, "committed nothing"},
	} {
		r := c.run(tc.args...)
		if r.exit != tc.exit || r.out != "" {
			t.Errorf("%q: %+v", tc.args, r)
		}
		contains(t, strings.Join(tc.args, " "), r.err, tc.says)
	}
}

func TestAGroupWithMembersIsLeftAlone(t *testing.T) {
	c := newCluster(t)
	c.create("orders")
	c.produce("orders", "a\n")
	member, err := kgo.NewClient(kgo.SeedBrokers(c.addr), kgo.ClientID("web-1"), kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer member.Close()
	if f := member.PollFetches(within(t)); f.Err() != nil {
		t.Fatal(f.Err())
	}
	r := c.run("group", "seek", "billing", "--to", "start", "--topic", "orders")
	if r.exit != exitFailed || r.out != "" {
		t.Errorf("%+v", r)
	}
	contains(t, "the refusal", r.err, "group billing has 1 member", "web-1@127.0.0.1")
	c.ok("group", "seek", "billing", "--to", "start", "--topic", "orders", "--dry-run")
	d := decode[groupDoc](t, c.ok("group", "describe", "billing", "-o", "json"), "group.describe").Groups[0]
	if len(d.Members) != 1 || d.Members[0].ClientID != "web-1" || d.Members[0].Partitions != 1 || d.State != "Stable" {
		t.Errorf("%+v", d)
	}
	if r := c.run("group", "delete", "billing", "-y"); r.exit != exitFailed || !strings.Contains(r.err, "NON_EMPTY_GROUP") {
		t.Errorf("%+v", r)
	}
	if err := member.CommitUncommittedOffsets(context.WithoutCancel(within(t))); err != nil {
		t.Error(err)
	}
}
