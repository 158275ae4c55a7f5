package cli

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"
)

func TestTopicLife(t *testing.T) {
	c := newCluster(t)
	if out := c.ok("topic", "create", "orders", "-p", "3", "-r", "1", "-c", "retention.ms=7d", "-c", "segment.bytes=64MiB"); out != "created orders  3 partitions × 1 replica  retention.ms=604800000  segment.bytes=67108864\n" {
		t.Errorf("create prints %q", out)
	}
	d := decode[topicsDoc](t, c.ok("topic", "list", "-o", "json"), "topic.list")
	if len(d.Topics) != 1 {
		t.Fatalf("%+v", d)
	}
	l := d.Topics[0]
	if l.Name != "orders" || l.Partitions != 3 || l.Replication != 1 || l.RetentionMs != 604800000 || l.CleanupPolicy != "delete" || l.Records != 0 || l.SizeBytes != 0 || len(l.TopicID) != 22 {
		t.Errorf("list says %+v", l)
	}
	contains(t, "list", c.ok("topics", "list"), "NAME", "orders", "7d", "delete")
	if out := c.ok("topic", "list", "-o", "name"); out != "orders\n" {
		t.Errorf("names are %q", out)
	}

	c.produce("orders", "a\nb\n", "-p", "1")
	desc := decode[describedDoc](t, c.ok("topic", "describe", "orders", "-o", "json"), "topic.describe").Topics[0]
	p := desc.Partitions[1]
	if len(desc.Partitions) != 3 || p.EndOffset != 2 || p.StartOffset != 0 || p.Leader != 1 || len(p.ISR) != 1 || p.SizeBytes <= 0 {
		t.Errorf("describe says %+v", desc)
	}
	contains(t, "describe", c.ok("topic", "describe", "orders"), "orders  3 partitions", "retention.ms=604800000", "PARTITION")

	c.ok("topic", "alter", "orders", "-p", "4", "-c", "retention.ms=1d", "-d", "segment.bytes")
	desc = decode[describedDoc](t, c.ok("topic", "describe", "orders", "-o", "json"), "topic.describe").Topics[0]
	values := map[string]string{}
	for _, c := range desc.Configs {
		if c.Value != nil {
			values[c.Name] = *c.Value
		}
	}
	if len(desc.Partitions) != 4 || values["retention.ms"] != "86400000" || values["segment.bytes"] != "1073741824" {
		t.Errorf("after alter: %d partitions, retention %s, segment %s", len(desc.Partitions), values["retention.ms"], values["segment.bytes"])
	}

	if out := c.ok("topic", "delete", "orders", "--yes"); out != "deleted orders\n" {
		t.Errorf("delete prints %q", out)
	}
	if out := c.ok("topic", "list", "-o", "name"); out != "" {
		t.Errorf("after delete there are %q", out)
	}
}

func TestTopicRefusals(t *testing.T) {
	c := newCluster(t)
	c.create("orders")
	for _, tc := range []struct {
		args []string
		exit int
		says []string
	}{
		{[]string{"topic", "create", "orders"}, exitFailed, []string{"orders", "TOPIC_ALREADY_EXISTS", "--if-not-exists"}},
		{[]string{"topic", "create", "a b"}, exitFailed, []string{"a b", "INVALID_TOPIC_EXCEPTION"}},
		{[]string{"topic", "create", "x", "-r", "3"}, exitFailed, []string{"INVALID_REPLICATION_FACTOR", "cluster info"}},
		{[]string{"topic", "create", "x", "-c", "retention.sm=1"}, exitFailed, []string{"INVALID_CONFIG", "did you mean retention.ms"}},
		{[]string{"topic", "create", "x", "-c", "retention"}, exitUsage, []string{"not key=value"}},
		{[]string{"topic", "create", "x", "-p", "abc"}, exitUsage, []string{`--partitions "abc": a whole number is wanted`, "topic create --help"}},
		{[]string{"topic", "create", "x", "--timeout", "abc"}, exitUsage, []string{`--timeout "abc": a time such as`}},
		{[]string{"topic", "create", "x", "-p", "25001"}, exitFailed, []string{"POLICY_VIOLATION", "topic alter"}},
		{[]string{"topic", "create"}, exitUsage, []string{"which topic?"}},
		{[]string{"topic", "describe", "ordres"}, exitFailed, []string{`"ordres" does not exist`, `did you mean "orders"?`}},
		{[]string{"topic", "alter", "ordres", "-p", "3"}, exitFailed, []string{"does not exist"}},
		{[]string{"topic", "alter", "orders", "-p", "1"}, exitFailed, []string{"INVALID_PARTITIONS"}},
		{[]string{"topic", "alter", "orders"}, exitUsage, []string{"nothing to change"}},
		{[]string{"topic", "delete", "orders"}, exitUsage, []string{"--yes"}},
		{[]string{"topic", "delete", "nothing", "-y"}, exitFailed, []string{"does not exist"}},
		{[]string{"topic", "delete", "ordres"}, exitFailed, []string{`"ordres" does not exist`, `did you mean "orders"?`}},
		{[]string{"topic", "delete", "ordres", "orders"}, exitUsage, []string{"--yes"}},
		{[]string{"topic", "list", "-o", "xml"}, exitUsage, []string{"unknown output form"}},
		{[]string{"topic", "list", "extra"}, exitUsage, []string{"takes no argument"}},
	} {
		r := c.run(tc.args...)
		if r.exit != tc.exit || r.out != "" {
			t.Errorf("%q: exit %d, want %d; stdout %q", tc.args, r.exit, tc.exit, r.out)
		}
		contains(t, strings.Join(tc.args, " "), r.err, tc.says...)
	}
	c.ok("topic", "create", "orders", "--if-not-exists")
	for _, yes := range [][]string{{"-y"}, nil} {
		args := append([]string{"topic", "delete", "nothing", "--if-exists"}, yes...)
		if out := c.ok(args...); out != "nothing did not exist\n" {
			t.Errorf("%q prints %q", args, out)
		}
		if d := decode[deletedDoc](t, c.ok(append(args, "-o", "json")...), "topic.delete"); d.Deleted == nil || len(d.Deleted) != 0 {
			t.Errorf("%q says %+v", args, d)
		}
	}
	if out := c.ok("topic", "create", "maybe", "--dry-run"); out != "would create maybe\n" {
		t.Errorf("a dry run prints %q", out)
	}
	if out := c.ok("topic", "list", "-o", "name"); out != "orders\n" {
		t.Errorf("a dry run left %q", out)
	}
}

// TestBulkGoesOn does what can be done and says what could not.
func TestBulkGoesOn(t *testing.T) {
	c := newCluster(t)
	c.create("a")
	c.create("b")
	r := c.run("topic", "delete", "a", "nothing", "b", "-y", "-o", "json")
	d := decode[deletedDoc](t, r.out, "topic.delete")
	if r.exit != exitFailed || strings.Join(d.Deleted, ",") != "a,b" {
		t.Errorf("exit %d, deleted %q", r.exit, d.Deleted)
	}
	if strings.Count(r.err, "\n") != 1 || !strings.Contains(r.err, `{"error":{"code":"UNKNOWN_TOPIC_OR_PARTITION","message":`) {
		t.Errorf("stderr: %q", r.err)
	}
}

func TestDeleteAsksAtATerminal(t *testing.T) {
	c := newCluster(t)
	c.create("orders")
	for _, tc := range []struct {
		answer string
		exit   int
	}{{"order\n", exitFailed}, {"", exitFailed}, {"orders\n", exitOK}} {
		r := runProcess(t, Process{Args: []string{"-b", c.addr, "topic", "delete", "orders"}, In: strings.NewReader(tc.answer), InTerminal: true})
		if r.exit != tc.exit || !strings.Contains(r.err, "Type its name") {
			t.Errorf("%q: %+v", tc.answer, r)
		}
	}
	if c.ok("topic", "list", "-o", "name") != "" {
		t.Error("orders was not deleted")
	}
}

// Who is asked at a terminal may go away by a signal: nothing is done then.
func TestAQuestionEndsWithTheProcess(t *testing.T) {
	c := newCluster(t)
	c.create("orders")
	silent, writer := io.Pipe()
	defer writer.Close()
	ctx, cancel := context.WithCancel(within(t))
	var screen guarded
	exit := make(chan int, 1)
	go func() {
		exit <- Main(ctx, Process{Args: []string{"-b", c.addr, "topic", "delete", "orders"}, In: silent, InTerminal: true, Out: &screen, Err: &screen}, Seams{})
	}()
	for !strings.Contains(screen.String(), "Type its name") {
		select {
		case code := <-exit:
			t.Fatalf("nothing was asked: exit %d, %q", code, screen.String())
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	if code := <-exit; code != exitInterrupted {
		t.Errorf("exit %d, %q", code, screen.String())
	}
	if c.ok("topic", "list", "-o", "name") != "orders\n" {
		t.Error("orders was deleted")
	}
}
