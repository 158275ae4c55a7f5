package coordinator

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/classic"
	"github.com/milena-io/milena/internal/record"
)

func TestCommitSurvivesACrash(t *testing.T) {
	r := newRig(t).loaded()
	for o := range kafka.Offset(100) { // more than one read of the log
		r.get(commit(o)).want(t, kafka.ErrNone)
	}
	r.crash()
	r.loaded()
	if got := r.committed(); got != 99 {
		t.Fatalf("offset %d after the crash, 99 was acknowledged", got)
	}
}

func TestNoReplyBeforeTheRecordIsDurable(t *testing.T) {
	r := newRig(t).loaded()
	r.tape.stuck = true
	a := r.do(commit(7))
	r.w.Run(time.Second)
	if a.times != 0 {
		t.Fatalf("answered %+v, and nothing is durable", a.reply)
	}
	if got := r.committed(); got != -1 {
		t.Fatalf("a reader saw %d before it was committed", got)
	}
	r.tape.sync(r.tape.end)
	a.want(t, kafka.ErrNone)
	if got := r.committed(); got != 7 {
		t.Fatalf("offset %d", got)
	}
}

func TestRequestsWhileLoading(t *testing.T) {
	r := newRig(t).loaded()
	r.get(commit(1)).want(t, kafka.ErrNone)
	r.crash()
	r.do(commit(2)).want(t, kafka.ErrCoordinatorLoadInProgress)
	all := &answer{}
	r.c.SubmitAll(&group.List{}, func(replies []any, err error) { all.times, all.err = all.times+1, err })
	all.want(t, kafka.ErrCoordinatorLoadInProgress)
	r.loaded()
	if got := r.committed(); got != 1 {
		t.Fatalf("offset %d", got)
	}
}

func TestLoadWaitsUntilItsEndIsCommitted(t *testing.T) {
	r := newRig(t).loaded()
	r.tape.stuck = true
	r.do(commit(1))
	r.tape.lucky = true
	r.crash()
	r.w.Run(time.Second)
	r.do(&group.Describe{Group: "g"}).want(t, kafka.ErrCoordinatorLoadInProgress)
	r.tape.stuck = false
	r.tape.sync(r.tape.end)
	r.loaded()
	if got := r.committed(); got != 1 {
		t.Fatalf("offset %d", got)
	}
}

func TestAnotherNodeIsTheCoordinator(t *testing.T) {
	r := newRig(t).loaded()
	r.c.Resigned(0, r.tape.epoch+1)
	r.do(commit(1)).want(t, kafka.ErrNotCoordinator)
	r.c.env.Partitions = func() int32 { return 0 }
	r.do(commit(1)).want(t, kafka.ErrCoordinatorNotAvailable)
}

func TestOldNewsAreIgnored(t *testing.T) {
	r := newRig(t).loaded()
	r.c.Resigned(0, r.tape.epoch-1)
	r.c.Elected(0, r.tape.epoch, tapeLog{r.tape, r.proc.Alive})
	r.get(commit(1)).want(t, kafka.ErrNone)
}

func TestRefusedAppendIsTakenBack(t *testing.T) {
	r := newRig(t).loaded()
	r.get(commit(1)).want(t, kafka.ErrNone)
	for code, told := range map[kafka.ErrorCode]kafka.ErrorCode{
		kafka.ErrNotEnoughReplicas:            kafka.ErrCoordinatorNotAvailable,
		kafka.ErrNotEnoughReplicasAfterAppend: kafka.ErrCoordinatorNotAvailable,
		kafka.ErrNotLeaderOrFollower:          kafka.ErrNotCoordinator,
		kafka.ErrKafkaStorageError:            kafka.ErrNotCoordinator,
		kafka.ErrMessageTooLarge:              kafka.ErrUnknownServerError,
	} {
		r.tape.refuse = fault.New("tape", code, "no")
		r.get(commit(2)).want(t, told)
		r.tape.refuse = nil
		r.loaded()
		if got := r.committed(); got != 1 {
			t.Fatalf("after %v the offset is %d", code, got)
		}
	}
	r.get(commit(3)).want(t, kafka.ErrNone)
}

// TestFailedAppendTakesTheQueueWithIt: what was decided on top of a batch that failed was never true.
func TestFailedAppendTakesTheQueueWithIt(t *testing.T) {
	r := newRig(t).loaded()
	r.tape.stuck, r.tape.spoil = true, errors.New("it may be there")
	first, second := r.do(commit(1)), r.do(commit(2))
	r.w.Run(time.Millisecond)
	first.want(t, kafka.ErrNotCoordinator)
	second.want(t, kafka.ErrNotCoordinator)
	r.tape.stuck, r.tape.spoil = false, nil
	r.loaded()
	if got := r.committed(); got != 1 {
		t.Fatalf("the log says 1, the coordinator %d", got)
	}
}

func TestSomebodyElseWritesTheLog(t *testing.T) {
	r := newRig(t).loaded()
	b := record.NewBuilder(record.Plain())
	b.Append(0, []byte{0, 99}, nil)
	foreign, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	r.tape.put(foreign)
	r.get(commit(5)).want(t, kafka.ErrNotCoordinator)
	r.loaded()
	if got := r.committed(); got != 5 {
		t.Fatalf("offset %d, the log holds 5", got)
	}
}

func TestResignationAnswersTheParked(t *testing.T) {
	r := newRig(t).loaded()
	g := r.stable("m-1")
	join := r.do(joining("m-2")) // waits for m-1
	r.w.Run(time.Second)
	if join.times != 0 {
		t.Fatalf("answered %+v", join.reply)
	}
	r.c.Resigned(0, r.tape.epoch+1)
	join.want(t, kafka.ErrNotCoordinator)
	r.do(&classic.Heartbeat{Group: "g", MemberID: "m-1", Generation: g}).want(t, kafka.ErrNotCoordinator)
}

// TestStopAnswersWhatIsOnItsWay: a commit that reached the log is true, and a client that hears otherwise at a clean stop
// reads everything twice.
func TestStopAnswersWhatIsOnItsWay(t *testing.T) {
	r := newRig(t).loaded()
	first, second := r.do(commit(1)), r.do(commit(2)) // the second waits for the first
	r.c.Close()
	r.c.Close()
	if log := r.log.String(); strings.Count(log, "Resigned as") != 1 || !strings.Contains(log, "partitions=1") {
		t.Errorf("one line tells of the end:\n%s", log)
	}
	if first.times+second.times != 0 {
		t.Fatal("answered before anything was durable")
	}
	r.do(commit(3)).want(t, kafka.ErrNotCoordinator)
	r.w.Run(time.Second)
	first.want(t, kafka.ErrNone)
	second.want(t, kafka.ErrNone)
	r.crash()
	r.loaded()
	if got := r.committed(); got != 2 {
		t.Fatalf("offset %d, 2 was acknowledged", got)
	}
}

func TestResignationWhileTheLogMoves(t *testing.T) {
	r := newRig(t).loaded()
	r.tape.stuck = true
	first, second := r.do(commit(1)), r.do(commit(2))
	r.tape.elect() // the epoch is over before the node hears of it
	first.want(t, kafka.ErrNotCoordinator)
	second.want(t, kafka.ErrNotCoordinator)
	r.c.Resigned(0, r.tape.epoch)
	r.w.Run(time.Minute)
}

func TestReplicationThatTakesTooLong(t *testing.T) {
	r := newRig(t).loaded()
	r.tape.stuck = true
	first := r.do(commit(1))
	r.w.Run(3 * time.Second)
	second := r.do(commit(2))
	r.w.Run(3 * time.Second)
	first.want(t, kafka.ErrCoordinatorNotAvailable)
	if second.times != 0 {
		t.Fatal("the second has two seconds left")
	}
	r.w.Run(3 * time.Second)
	second.want(t, kafka.ErrCoordinatorNotAvailable)
	r.tape.stuck = false
	r.tape.sync(r.tape.end)
	r.w.Run(time.Second)
	if got := r.committed(); got != 2 {
		t.Fatalf("offset %d: what was late is committed all the same", got)
	}
}

func TestManyCommitsShareABatch(t *testing.T) {
	r := newRig(t).loaded()
	had := len(r.tape.appends)
	var all []*answer
	for o := range kafka.Offset(500) {
		all = append(all, r.do(commit(o)))
	}
	r.w.Run(time.Second)
	for _, a := range all {
		a.want(t, kafka.ErrNone)
	}
	if n := len(r.tape.appends) - had; n != 2 {
		t.Fatalf("%d batches for 500 commits made during one flush", n)
	}
}

func TestBatchesStayWithinTheirSize(t *testing.T) {
	r := newRig(t).loaded()
	r.limit = 1000 // the topic's configuration changes
	for o := range kafka.Offset(100) {
		r.do(commit(o))
	}
	r.w.Run(time.Second)
	if got := r.committed(); got != 99 {
		t.Fatalf("offset %d", got)
	}
	for _, b := range r.tape.appends {
		if len(b) > 1000 {
			t.Fatalf("a batch of %d bytes", len(b))
		}
	}
}

func TestGroupThatFitsNoRecord(t *testing.T) {
	r := newRig(t).loaded()
	r.limit = 1000
	j := r.get(joining("m-1")).reply.(classic.JoinReply)
	big := &classic.Sync{Group: "g", MemberID: "m-1", Generation: j.Generation,
		Assignments: []classic.MemberAssignment{{MemberID: "m-1", Bytes: bytes.Repeat([]byte("x"), 2000)}}}
	other := r.do(commit(4)) // of another client in the same moment; the group is not empty
	r.get(big).want(t, kafka.ErrUnknownServerError)
	if other.times != 1 || other.err != nil {
		t.Fatalf("%+v %v: others do not notice", other.reply, other.err)
	}
	small := *big
	small.Assignments = []classic.MemberAssignment{{MemberID: "m-1", Bytes: []byte("y")}}
	if got := r.get(&small).reply.(classic.SyncReply); got.Err != kafka.ErrNone || string(got.Assignment) != "y" {
		t.Fatalf("%+v", got)
	}
}

func TestLoadThatFailsIsTriedAgain(t *testing.T) {
	r := newRig(t).loaded()
	r.get(commit(1)).want(t, kafka.ErrNone)
	r.tape.reads = errors.New("the disk hiccups")
	r.crash()
	r.w.Run(10 * time.Minute)
	r.do(commit(2)).want(t, kafka.ErrCoordinatorLoadInProgress)
	if n := strings.Count(r.log.String(), "Failed to load"); n < 5 || n > 30 {
		t.Fatalf("%d tries in ten minutes", n)
	}
	r.tape.reads = nil
	r.loaded()
	if got := r.committed(); got != 1 {
		t.Fatalf("offset %d", got)
	}
}

func TestCorruptLogIsNotTaken(t *testing.T) {
	r := newRig(t).loaded()
	r.get(commit(1)).want(t, kafka.ErrNone)
	r.tape.batches[0][len(r.tape.batches[0])-1] ^= 1
	r.crash()
	r.w.Run(time.Minute)
	r.do(commit(2)).want(t, kafka.ErrCoordinatorLoadInProgress)
}

func TestRecordsOfOthersAreSkipped(t *testing.T) {
	r := newRig(t).loaded()
	r.get(commit(1)).want(t, kafka.ErrNone)
	b := record.NewBuilder(record.Plain())
	b.Append(0, []byte{0, 3, 0, 1, 'g'}, []byte{0, 0})     // a consumer group's metadata (KIP-848)
	b.Append(0, []byte{0, 1, 0, 9, 'g'}, []byte("broken")) // an offset that does not parse
	b.Append(0, nil, nil)
	foreign, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	r.tape.batches = append(r.tape.batches, foreign)
	foreign.SetBaseOffset(r.tape.end)
	r.tape.end += 3
	r.tape.durable = r.tape.end
	r.crash()
	r.loaded()
	if got := r.committed(); got != 1 || !strings.Contains(r.log.String(), "skipped=3") {
		t.Fatalf("offset %d\n%s", got, r.log.String())
	}
}

func TestTombstonesAreReplayed(t *testing.T) {
	r := newRig(t).loaded()
	r.get(commit(1)).want(t, kafka.ErrNone)
	if got := r.get(&group.DeleteGroup{Group: "g"}).reply.(group.DeleteGroupReply); got.Err != kafka.ErrNone {
		t.Fatalf("%+v", got)
	}
	r.crash()
	r.loaded()
	if got := r.committed(); got != -1 {
		t.Fatalf("offset %d of a deleted group", got)
	}
	if d := r.get(&group.Describe{Group: "g"}).reply.(group.Description); d.State != classic.Dead {
		t.Fatalf("the group is %v", d.State)
	}
}

func TestTopicsDeletedWhileLoading(t *testing.T) {
	r := newRig(t).loaded()
	r.get(commit(1)).want(t, kafka.ErrNone)
	r.crash()
	r.c.TopicsDeleted([]group.DeletedTopic{{Name: "t"}})
	r.loaded()
	r.w.Run(time.Second)
	if got := r.committed(); got != -1 {
		t.Fatalf("offset %d of a deleted topic", got)
	}
}

// TestSessionsBeginWhenTheLogIsRead: nobody can send heartbeats to a coordinator that is loading.
func TestSessionsBeginWhenTheLogIsRead(t *testing.T) {
	r := newRig(t).loaded()
	g := r.stable("m-1")
	r.tape.reads = errors.New("not yet")
	r.crash()
	r.w.Run(time.Hour)
	r.tape.reads = nil
	r.loaded()
	if got := r.get(&classic.Heartbeat{Group: "g", MemberID: "m-1", Generation: g}).reply.(classic.HeartbeatReply); got.Err != kafka.ErrNone {
		t.Fatalf("%+v", got)
	}
	r.w.Run(11 * time.Second)
	if d := r.get(&group.Describe{Group: "g"}).reply.(group.Description); d.State != classic.Empty {
		t.Fatalf("the group is %v after a session without a heartbeat", d.State)
	}
}

// TestDueIsTriedAgain: an expiry whose record cannot be written stays due, once a second and no more.
func TestDueIsTriedAgain(t *testing.T) {
	r := newRig(t).loaded()
	r.stable("m-1")
	r.tape.refuse = fault.New("tape", kafka.ErrNotEnoughReplicas, "no")
	had := len(r.tape.appends)
	r.w.Run(20 * time.Second)
	if n := len(r.tape.appends) - had; n < 5 || n > 12 {
		t.Fatalf("%d tries in ten seconds", n)
	}
	r.tape.refuse = nil
	r.w.Run(2 * time.Second)
	if d := r.get(&group.Describe{Group: "g"}).reply.(group.Description); d.State != classic.Empty {
		t.Fatalf("the group is %v", d.State)
	}
}

// TestTheWordsOperatorsKnow: Kafka's lines, at Kafka's level, under Kafka's logger.
func TestTheWordsOperatorsKnow(t *testing.T) {
	r := newRig(t).loaded()
	required := joining("m-1")
	required.RequireMemberID = true
	r.get(required)
	known := joining("")
	known.MemberID = "m-1"
	j := r.get(known).reply.(classic.JoinReply)
	r.get(&classic.Sync{Group: "g", MemberID: "m-1", Generation: j.Generation, Assignments: []classic.MemberAssignment{{MemberID: "m-1"}}})
	r.do(joining("m-2"))
	r.get(&classic.Leave{Group: "g", Members: []classic.Leaving{{MemberID: "m-1", Reason: "the consumer is being closed"}}})
	r.w.Run(10 * time.Minute)
	from := 0
	for _, want := range []string{
		"Dynamic member with unknown member id joins group g in Empty state. Created a new member id m-1 and requesting the member to rejoin with this id.",
		"Preparing to rebalance group g in state PreparingRebalance with old generation 0 (reason: Adding new member m-1 with group instance id null; client reason: not provided).",
		"Stabilized group g generation 1 with 1 members.",
		"Assignment received from leader m-1 for group g for generation 1. The group has 1 members, 0 of which are static.",
		"Dynamic member with unknown member id joins group g in Stable state. Created a new member id m-2 for this member and adding to the group.",
		"[Group g] Member m-1 has left group through explicit `LeaveGroup` request; client reason: the consumer is being closed",
		"Stabilized group g generation 2 with 1 members.",
		"Member m-2 in group g has failed, removing it from the group.",
		"Group g with generation 3 is now empty.",
	} {
		i := strings.Index(r.log.String()[from:], want)
		if i < 0 {
			t.Fatalf("no line %q after byte %d of\n%s", want, from, r.log.String())
		}
		from += i
		line, _, _ := strings.Cut(r.log.String()[from:], "\n")
		start := r.log.String()[:from]
		if !strings.Contains(start[strings.LastIndex(start, "\n")+1:], "level=INFO") ||
			!strings.Contains(line, "component=org.apache.kafka.coordinator.group.GroupMetadataManager") {
			t.Fatalf("the line of %q is %s", want, line)
		}
	}
}
