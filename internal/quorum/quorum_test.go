package quorum

import (
	"fmt"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

func TestALoneVoterLeadsAtOnceAndAnswersWhatIsDurable(t *testing.T) {
	c := newCluster(t, 1, 1, Config{})
	nd := c.awaitLeader()
	if took := c.w.Now().Mono - time.Hour; took > 5*time.Millisecond {
		t.Fatalf("it took %v of virtual time to lead alone", took)
	}
	var at kafka.Offset = -1
	nd.q.Submit(put{"k", "v", 3}, func(r Reply, err error) {
		if err != nil {
			t.Fatal(err)
		}
		at = r.(kafka.Offset)
		after, err := openFileLog(nd.fs.PowerCut())
		if err != nil {
			t.Fatal(err)
		}
		if _, end := after.Bounds(); end < at+3 {
			t.Fatalf("answered at offset %d while a power cut leaves %d", at, end)
		}
	})
	c.w.Run(time.Second)
	if at != 3 || nd.machine.committed["k"] != "v" {
		t.Fatalf("answered at %d, state %v; the first three offsets are LEADER_CHANGE, KRAFT_VERSION, KRAFT_VOTERS", at, nd.machine.committed)
	}
}

func TestTheLogBeginsWithVersionAndVoters(t *testing.T) {
	c := newCluster(t, 1, 1, Config{})
	nd := c.awaitLeader()
	b, err := nd.log.Read(0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	batch, _, err := record.Next(b)
	if err != nil {
		t.Fatal(err)
	}
	var types []record.ControlType
	if err := eachControl(batch, func(ct record.ControlType, _ []byte) error { types = append(types, ct); return nil }); err != nil {
		t.Fatal(err)
	}
	want := []record.ControlType{record.ControlLeaderChange, record.ControlKRaftVersion, record.ControlKRaftVoters}
	if fmt.Sprint(types) != fmt.Sprint(want) || batch.LeaderEpoch() != 1 {
		t.Fatalf("control records %v of epoch %d, want %v of epoch 1", types, batch.LeaderEpoch(), want)
	}
	if _, err := nd.fs.Stat(testDir + "/00000000000000000000-0000000000.checkpoint"); err != nil {
		t.Fatal(err)
	}
}

func TestCommandsBeforeTheLeaderIsActiveWait(t *testing.T) {
	c := newCluster(t, 1, 1, Config{})
	got := ""
	c.nodes[0].q.Submit(put{"k", "early", 1}, func(_ Reply, err error) { got = fmt.Sprint(err) })
	if got != "" {
		t.Fatalf("answered %s before anything could be durable", got)
	}
	c.w.Run(time.Second)
	if got != "<nil>" || c.nodes[0].machine.committed["k"] != "early" {
		t.Fatalf("answer %q, state %v", got, c.nodes[0].machine.committed)
	}
}

func TestARefusalLeavesNothingAndWaitsForWhatItMayHaveRead(t *testing.T) {
	c := newCluster(t, 1, 1, Config{})
	nd := c.awaitLeader()
	var order []string
	nd.q.Submit(put{"k", "v", 1}, func(Reply, error) { order = append(order, "change") })
	nd.q.Submit(put{}, func(_ Reply, err error) { order = append(order, fault.CodeOf(err).String()) })
	nd.q.Submit(put{"k", "v", 0}, func(Reply, error) { order = append(order, "read") })
	c.w.Run(time.Second)
	if fmt.Sprint(order) != "[change INVALID_REQUEST read]" {
		t.Fatal(order)
	}
}

func TestAChangeTooLargeForABatchIsRefusedWhole(t *testing.T) {
	c := newCluster(t, 1, 1, Config{MaxBatchBytes: 2000})
	nd := c.awaitLeader()
	var code kafka.ErrorCode
	nd.q.Submit(put{"big", "v", 100}, func(_ Reply, err error) { code = fault.CodeOf(err) })
	c.w.Run(time.Second)
	if code != kafka.ErrPolicyViolation || len(nd.machine.keys) != 0 {
		t.Fatalf("code %v, keys %v", code, nd.machine.keys)
	}
}

func TestManyCallersShareABatchAndAFlush(t *testing.T) {
	c := newCluster(t, 1, 1, Config{})
	nd := c.awaitLeader()
	before := nd.q.engine.store.pos.next()
	done := 0
	for i := range 1000 {
		nd.q.Submit(put{fmt.Sprint(i), "v", 1}, func(_ Reply, err error) {
			if err != nil {
				t.Fatal(err)
			}
			done++
		})
	}
	c.w.Run(time.Second)
	if batches := nd.q.engine.store.pos.next() - before; done != 1000 || batches > 2 {
		t.Fatalf("%d answers in %d batches", done, batches)
	}
}

func TestAFailedFlushIsTheEnd(t *testing.T) {
	c := newCluster(t, 1, 1, Config{})
	nd := c.awaitLeader()
	nd.q.o.Flusher = brokenFlusher{nd}
	var got error
	nd.q.Submit(put{"k", "v", 1}, func(_ Reply, err error) { got = err })
	c.w.Run(time.Second)
	if got == nil || nd.failed == nil || !fault.IsKind(nd.failed, fault.Disk) || len(nd.machine.keys) != 0 {
		t.Fatalf("answer %v, failed %v, state %v", got, nd.failed, nd.machine.keys)
	}
	nd.q.Submit(put{"k", "v", 1}, func(_ Reply, err error) { got = err })
	if got == nil || nd.q.Active() {
		t.Fatal("a failed quorum takes commands")
	}
}

type brokenFlusher struct{ nd *simNode }

func (f brokenFlusher) Flush(_ []disk.Syncer, done func(error)) {
	f.nd.proc.Go(func() { done(fmt.Errorf("input/output error")) })
}

func TestCloseAnswersWhoWaits(t *testing.T) {
	c := newCluster(t, 1, 1, Config{})
	nd := c.awaitLeader()
	var got error
	nd.q.Submit(put{"k", "v", 1}, func(_ Reply, err error) { got = err })
	nd.q.Close()
	if !fault.IsKind(got, fault.Closed) {
		t.Fatalf("answer %v", got)
	}
	nd.q.Close()
	c.w.Run(time.Second)
}

func TestAReadBarrierWaitsForWhatAnEarlierIncarnationCommitted(t *testing.T) {
	c := newCluster(t, 1, 1, Config{})
	nd := c.awaitLeader()
	nd.q.Submit(put{"k", "v", 1}, func(Reply, error) {})
	c.w.Run(time.Second)
	nd.proc.Kill()
	nd.fs = nd.fs.Killed()
	c.start(nd)
	seen := ""
	c.w.RunUntil(time.Second, func() bool {
		if _, _ = nd.q.Leader(); nd.q.lead.role.leading && seen == "" {
			seen = "asked"
			nd.q.ReadBarrier(func(err error) { seen = fmt.Sprint(err, nd.machine.committed["k"]) })
		}
		return seen != "" && seen != "asked"
	})
	if seen != "<nil> v" && seen != "<nil>v" {
		t.Fatalf("the read saw %q", seen)
	}
}
