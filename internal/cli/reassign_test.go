package cli

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A plan is made, reviewed, carried out, found done, and taken back; Kafka's own form is taken, too.
func TestReassign(t *testing.T) {
	s := newSeveral(t)
	s.create("t", "-p", "3", "-r", "1")
	s.produce("t", strings.Repeat("abcdefghijklmnop\n", 1000))
	file := filepath.Join(t.TempDir(), "plan.json")
	contains(t, "the review", s.ok("reassign", "plan", "--topics", "t", "--replication-factor", "3", "--out", file), "PARTITION", "t-0", "3 partitions, ", "to copy")
	d := decode[planDoc](t, s.ok("reassign", "plan", "--topics", "t", "--replication-factor", "3", "-o", "json"), "reassign.plan")
	if d.PlanVersion != 1 || len(d.Partitions) != 3 || len(d.Current) != 3 || len(d.Partitions[0].Replicas) != 3 || d.MoveBytes <= 0 {
		t.Errorf("%+v", d)
	}
	if r := s.run("reassign", "apply", file); r.exit != exitUsage || !strings.Contains(r.err, "--yes") {
		t.Errorf("nobody was asked: %+v", r)
	}
	contains(t, "a dry run", s.ok("reassign", "apply", file, "--dry-run"), "nothing was changed")
	contains(t, "the move", s.ok("reassign", "apply", file, "--yes", "--throttle", "1GiB"), "done: 3 partitions moved")
	s.unthrottled()
	contains(t, "done", s.ok("reassign", "apply", file, "--yes"), "nothing to move")
	s.until("all in sync", []string{"healthy   "}, "cluster", "health")
	back := decode[appliedDoc](t, s.ok("reassign", "apply", file, "--back", "--yes", "-o", "json"), "reassign.apply")
	if !back.Done || len(back.Partitions) != 3 || len(back.Partitions[0].Replicas) != 1 {
		t.Errorf("%+v", back)
	}
	kafkas := `{"version":1,"partitions":[{"topic":"t","partition":1,"replicas":[3,2],"log_dirs":["any","any"]}]}`
	if r := s.input(kafkas, "reassign", "apply", "-", "-y", "--throttle", "1GiB", "--no-wait"); r.exit != exitOK {
		t.Errorf("%+v", r)
	}
	// Nobody has waited until it could be taken away.
	s.until("it has arrived", []string{"nothing is moving", "broker 1 is throttled", "broker 2 is throttled", "broker 3 is throttled"}, "reassign", "status")
	s.ok("reassign", "cancel", "-y")
	s.unthrottled()
	contains(t, "the replicas", s.ok("topic", "describe", "t"), "3,2")
	contains(t, "nothing moves", s.ok("reassign", "status"), "nothing is moving")
	contains(t, "an even plan", s.ok("cluster", "rebalance", "--dry-run"), "nothing ")
	s.ok("cluster", "rebalance", "-y")
	contains(t, "even", s.ok("reassign", "plan", "--even"), "nothing to move")
}

// unthrottled waits until every broker says that it copies without a throttle.
func (s *several) unthrottled() {
	s.t.Helper()
	s.until("no throttle is left", []string{`"throttles":[]`}, "reassign", "status", "-o", "json")
}

func TestReassignRefuses(t *testing.T) {
	s := newSeveral(t)
	s.create("t", "-p", "1", "-r", "3")
	dir := t.TempDir()
	plan := func(text string) string {
		name := filepath.Join(dir, strconv.Itoa(len(text))+".json")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, tc := range []struct {
		exit int
		says string
		args []string
	}{
		{exitFailed, "2 brokers (1,2) are not enough for 3 replicas", []string{"plan", "--remove-broker", "3"}},
		{exitUsage, "no broker 9", []string{"plan", "--remove-broker", "9"}},
		{exitFailed, `topic "u" does not exist`, []string{"plan", "--topics", "u"}},
		{exitFailed, "no such file", []string{"apply", filepath.Join(dir, "none")}},
		{exitFailed, "is no plan", []string{"apply", plan("x")}},
		{exitUsage, "a rate such as 50MiB", []string{"apply", plan(`{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1]}]}`), "--throttle", "fast"}},
	} {
		r := s.run(append([]string{"reassign"}, tc.args...)...)
		if r.exit != tc.exit || !strings.Contains(r.err, tc.says) {
			t.Errorf("%q: %+v", tc.args, r)
		}
	}
	for text, says := range map[string]string{
		`{"version":2,"partitions":[]}`:                                             `"version":1`,
		`{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1,1]}]}`: "one twice",
		`{"version":1,"partitions":[{"topic":"t","partition":7,"replicas":[1]}]}`:   "t-7 does not exist",
		`{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[8]}]}`:   "broker 8, which is not up",
	} {
		if r := s.run("reassign", "apply", plan(text), "-y"); r.exit != exitFailed || !strings.Contains(r.err, says) {
			t.Errorf("%s: %+v", text, r)
		}
	}
}

// What moves to a broker that is down stays on its way, is shown, and is called back.
func TestReassignStatusAndCancel(t *testing.T) {
	s := newSeveral(t)
	s.create("t", "-p", "1", "-r", "1")
	s.produce("t", strings.Repeat("abcdefghijklmnop\n", 1000))
	c, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(s.addr, ",")...), kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	adm := kadm.NewClient(c)
	topics, err := adm.ListTopics(within(t), "t")
	if err != nil {
		t.Fatal(err)
	}
	leader := topics["t"].Partitions[0].Leader
	target := leader%3 + 1
	s.kill(int(target))
	s.until("it is fenced", []string{`"kind":"broker_down"`}, "cluster", "health", "-o", "json")
	req := kadm.AlterPartitionAssignmentsReq{}
	req.Assign("t", 0, []int32{target})
	if r, err := adm.AlterPartitionAssignments(within(t), req); err != nil || r["t"][0].Err != nil {
		t.Fatal(err, r)
	}
	r := s.until("it is on its way", []string{`"adding"`}, "reassign", "status", "-o", "json")
	d := decode[statusDoc](t, r.out, "reassign.status")
	if len(d.Moving) != 1 || d.DoneBytes != 0 || d.TotalBytes == 0 || d.Rate != 0 || d.LeftMs != -1 {
		t.Errorf("%+v", d)
	}
	contains(t, "the table", s.ok("reassign", "status"), "t-0", "→", "░", "1 partition on the way, 0 B of ")
	contains(t, "health", s.run("cluster", "health").out, "1 moving")
	if r := s.run("reassign", "plan", "--even"); r.exit != exitFailed || !strings.Contains(r.err, "is moving already") {
		t.Errorf("%+v", r)
	}
	contains(t, "called back", s.ok("reassign", "cancel", "-y"), "1 partition called back")
	s.until("nothing moves", []string{"nothing is moving"}, "reassign", "status")
	contains(t, "the replicas", s.ok("topic", "describe", "t"), " "+itoa(leader)+"  ")
	s.restart(int(target))
}

// What is asked about stands on the terminal before the question does.
func TestAPlanIsShownBeforeItIsAskedAbout(t *testing.T) {
	s := newSeveral(t)
	s.create("t", "-p", "1", "-r", "3")
	name := filepath.Join(t.TempDir(), "plan.json")
	s.ok("reassign", "plan", "--replication-factor", "2", "--out", name)
	var screen guarded
	code := Main(within(t), Process{Args: []string{"-b", s.addr, "reassign", "apply", name}, In: strings.NewReader("n\n"), InTerminal: true, Out: &screen, Err: &screen}, Seams{})
	text := screen.String()
	table, question := strings.Index(text, "PLANNED"), strings.Index(text, "Move 1 partition? [y/N]")
	if code != exitFailed || table < 0 || question < table || !strings.Contains(text, "nothing was changed") {
		t.Errorf("exit %d, %q", code, text)
	}
}
