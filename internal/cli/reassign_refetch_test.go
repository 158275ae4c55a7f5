package cli

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A replica is thrown away and fetched again, also the one that leads; nothing is lost, and the replicas are in the order that they had.
func TestRefetch(t *testing.T) {
	s := newSeveral(t)
	s.create("t", "-p", "1", "-r", "3")
	s.produce("t", strings.Repeat("abcdefghijklmnop\n", 2000))
	s.until("all in sync", []string{"healthy   "}, "cluster", "health")
	before := decode[explainedDoc](t, s.ok("explain", "partition", "t", "0", "-o", "json"), "explain.partition")
	for _, id := range []int32{before.Replicas[1], before.Replicas[0]} {
		d := decode[refetchedDoc](t, s.ok("reassign", "refetch", "t", "0", "--broker", string('0'+rune(id)), "--yes", "--throttle", "1GiB", "-o", "json"), "reassign.refetch")
		if !d.Done || d.Broker != id || d.Bytes < 10_000 || len(d.Replicas) != 3 {
			t.Errorf("%+v", d)
		}
		s.unthrottled()
		for ctx := within(t); ; { // whoever is asked may not have heard of it yet
			now := decode[explainedDoc](t, s.ok("explain", "partition", "t", "0", "-o", "json"), "explain.partition")
			if idList(now.Replicas) == idList(before.Replicas) && len(now.ISR) == 3 && now.Leader != id { // who has just begun anew doesn't lead
				break
			}
			if ctx.Err() != nil {
				t.Fatalf("the replicas are %v, in sync %v, %d leads; they were %v, and %d was fetched again", now.Replicas, now.ISR, now.Leader, before.Replicas, id)
			}
		}
	}
	if out := s.ok("consume", "t", "--from", "start"); strings.Count(out, "abcdefghijklmnop") != 2000 {
		t.Errorf("%d records are left", strings.Count(out, "abcdefghijklmnop"))
	}
}

func TestRefetchRefuses(t *testing.T) {
	s := newSeveral(t)
	s.create("one", "-p", "1", "-r", "1")
	s.create("two", "-p", "1", "-r", "2", "-c", "min.insync.replicas=1")
	on := decode[explainedDoc](t, s.ok("explain", "partition", "one", "0", "-o", "json"), "explain.partition").Leader
	pair := decode[explainedDoc](t, s.ok("explain", "partition", "two", "0", "-o", "json"), "explain.partition").Replicas
	off := 6 - pair[0] - pair[1]
	id := func(n int32) string { return string('0' + rune(n)) }
	for _, tc := range []struct {
		exit int
		says string
		args []string
	}{
		{exitUsage, "of which broker", []string{"two", "0"}},
		{exitUsage, "nobody is there to ask", []string{"two", "0", "--broker", id(pair[0])}},
		{exitFailed, "the only replica", []string{"one", "0", "--broker", id(on), "-y"}},
		{exitFailed, "has no replica", []string{"two-0", "--broker", id(off), "-y"}},
		{exitFailed, "does not exist", []string{"two", "7", "--broker", "1", "-y"}},
	} {
		if r := s.run(append([]string{"reassign", "refetch"}, tc.args...)...); r.exit != tc.exit || !strings.Contains(r.err, tc.says) {
			t.Errorf("%v: exit %d, %q; want %d, %q", tc.args, r.exit, r.err, tc.exit, tc.says)
		}
	}
}

// What the controller does not begin leaves no throttle behind: nobody would come to take it away.
func TestWhatIsNotBegunIsNotThrottled(t *testing.T) {
	s := newSeveral(t)
	s.create("t", "-p", "1", "-r", "1")
	at := decode[explainedDoc](t, s.ok("explain", "partition", "t", "0", "-o", "json"), "explain.partition").Leader
	c, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(s.addr, ",")...))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	adm, ctx := kadm.NewClient(c), within(t)
	around, err := lookAround(ctx, c, adm)
	if err != nil {
		t.Fatal(err)
	}
	twice := planDoc{Partitions: []assignment{{"t", 0, []int32{at%3 + 1, at%3 + 1}}}, Current: []assignment{{"t", 0, []int32{at}}}}
	slowed, refused, err := around.begin(ctx, c, adm, twice, 1<<20)
	if len(slowed) > 0 || len(refused) != 1 || err != nil {
		t.Fatalf("throttled %v, refused %v, %v", slowed, refused, err)
	}
	s.unthrottled()
	for { // whoever is asked may not have heard of it yet
		left, err := throttledTopics(ctx, adm, around)
		if err != nil {
			t.Fatalf("throttled is still %v: %v", left, err)
		}
		if len(left) == 0 {
			return
		}
	}
}
