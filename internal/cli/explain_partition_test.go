package cli

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/milena-io/milena/internal/wire"
)

// A partition is explained while its replicas go and come back.
func TestExplainPartition(t *testing.T) {
	s := newSeveral(t)
	s.create("t")
	s.until("all in sync", []string{"t-0 is as it should be"}, "explain", "partition", "t", "0")
	d := decode[explainedDoc](t, s.ok("explain", "partition", "t-0", "-o", "json"), "explain.partition")
	if d.State != "ok" || d.MinISR != 2 || len(d.Replicas) != 3 || len(d.Missing) != 0 {
		t.Errorf("%+v", d)
	}
	s.produce("t", "z\n") // to all in sync: each follower has fetched
	last := int(d.Replicas[2])
	s.kill(last)
	s.until("it left", []string{`"under_replicated"`}, "explain", "partition", "t", "0", "-o", "json")
	s.produce("t", "a\nb\nc\n")
	r := s.until("its leader tells of it", []string{`"waits":"fetch"`}, "explain", "partition", "t", "0", "-o", "json")
	d = decode[explainedDoc](t, r.out, "explain.partition")
	if len(d.Missing) != 1 || d.Missing[0].Lag != 3 || d.Missing[0].Up || d.SinceMs < 3000 || len(d.Next) != 1 {
		t.Errorf("%+v", d)
	}
	contains(t, "in words", s.ok("explain", "partition", "t", "0"), "t-0 has 2 of 3 replicas in sync since ", "its broker is down, last heard ", "3 records behind",
		"one more loss makes the partition read-only", "Do: start broker ")
	s.restart(last)
	s.until("it is back", []string{"t-0 is as it should be"}, "explain", "urp", "t-0")
	first := int(d.Replicas[0])
	s.kill(first)
	s.until("another leads", []string{`"under_replicated"`}, "explain", "partition", "t", "0", "-o", "json")
	r = s.until("the new leader tells of it", []string{`"waits":"first_fetch"`}, "explain", "partition", "t", "0", "-o", "json")
	if d = decode[explainedDoc](t, r.out, "explain.partition"); len(d.Missing) != 1 || d.SinceMs < 0 || d.Missing[0].SilentMs >= 0 {
		t.Errorf("of one that died before its leader led: %+v", d)
	}
	s.restart(first)
	s.until("the first does not lead", []string{"is preferred", "Do: milena cluster elect t -p 0"}, "explain", "partition", "t", "0")
}

func TestExplainRefuses(t *testing.T) {
	c := newCluster(t)
	c.create("orders")
	for _, tc := range []struct {
		exit int
		says string
		args []string
	}{
		{exitFailed, `did you mean "orders"`, []string{"ordesr", "0"}},
		{exitFailed, "has the partitions 0 to 0", []string{"orders-1"}},
		{exitUsage, "no number of a partition", []string{"orders", "x"}},
		{exitUsage, "milena explain partition orders 0", []string{"orders"}},
		{exitUsage, "TOPIC PARTITION", nil},
	} {
		r := c.run(append([]string{"explain", "partition"}, tc.args...)...)
		if r.exit != tc.exit || r.out != "" {
			t.Errorf("%q: %+v", tc.args, r)
		}
		contains(t, "the refusal", r.err, tc.says)
	}
}

// A replica whose directory the broker no longer has is told apart from one in a directory that failed: what is to be done differs.
func TestExplainADirectoryThatIsGone(t *testing.T) {
	s := &clusterState{brokers: []brokerState{{id: 1, up: true}, {id: 2, up: true}}}
	p := &partitionStanding{PartitionDetail: kadm.PartitionDetail{
		Topic: "t", Partition: 3, Leader: 1, Replicas: []int32{1, 2}, ISR: []int32{1}, OfflineReplicas: []int32{2},
	}}
	for _, tc := range []struct {
		gone      bool
		why, next string
	}{
		{true, "its log directory is not there", "milena reassign refetch t 3 --broker 2"},
		{false, "milena cluster info shows which", "repair the disk of broker 2"},
	} {
		d := explainedDoc{MinISR: 1}
		d.judge(s, p, []wire.FollowerState{}, func(id int32) bool { return id == 2 && tc.gone })
		if len(d.Missing) != 1 || d.Missing[0].Gone != tc.gone || !strings.Contains(d.Missing[0].Why, tc.why) || len(d.Next) != 1 || !strings.Contains(d.Next[0], tc.next) {
			t.Errorf("%+v", d)
		}
	}
}

// Where nobody may lead, and who led last is there with its disk, that is said before what loses records.
func TestExplainADiskThatCameBack(t *testing.T) {
	s := &clusterState{brokers: []brokerState{{id: 1, up: true}, {id: 2, up: true}}}
	for _, tc := range []struct {
		offline, last []int32
		says          bool
	}{
		{last: []int32{2}, says: true},
		{last: []int32{2}, offline: []int32{2}},
		{last: []int32{3}},
		{},
	} {
		p := &partitionStanding{PartitionDetail: kadm.PartitionDetail{Topic: "t", Partition: 3, Leader: -1, Replicas: []int32{1, 2}, OfflineReplicas: tc.offline}}
		d := explainedDoc{MinISR: 1}
		d.judge(s, p, nil, func(int32) bool { return true })
		d.comesBack(s, p, tc.last)
		if got := len(d.Next) > 0 && strings.HasPrefix(d.Next[0], "broker 2 led it last") && strings.Contains(d.Next[0], "milena cluster elect t -p 3 --unclean --last-leader 2"); got != tc.says {
			t.Errorf("%+v: %q", tc, d.Next)
		}
	}
}
