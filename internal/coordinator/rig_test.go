package coordinator

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/classic"
	"github.com/milena-io/milena/internal/world"
)

// rig is one coordinator in a virtual world, with one partition of __consumer_offsets.
type rig struct {
	t     testing.TB
	w     *world.Virtual
	proc  *world.Process
	tape  *tape
	c     *Coordinator
	log   bytes.Buffer
	cfg   group.Config
	limit int
}

// answer is what a request got.
type answer struct {
	reply any
	err   error
	times int
}

func newRig(t testing.TB) *rig {
	r := &rig{t: t, w: world.NewVirtual(5), cfg: group.DefaultConfig(), limit: 1 << 20}
	r.cfg.Classic.InitialRebalanceDelay = 0
	r.tape = newTape(t, r.w)
	r.start()
	return r
}

// start makes a process with a coordinator and elects it.
func (r *rig) start() {
	r.proc = world.NewProcess(r.w)
	r.c = New(Env{
		World: r.proc, Logger: slog.New(slog.NewTextHandler(&r.log, nil)), Config: r.cfg, Partitions: func() int32 { return 1 },
		CommitTimeout: 5 * time.Second, MaxBatchBytes: func() int { return r.limit }, LoadBytes: 1 << 10,
	})
	r.elect()
}

func (r *rig) elect() { r.c.Elected(0, r.tape.elect(), tapeLog{r.tape, r.proc.Alive}) }

// crash ends the process as kill -9 does and starts another.
func (r *rig) crash() {
	r.proc.Kill()
	r.start()
}

// loaded runs until the shard can be asked.
func (r *rig) loaded() *rig {
	r.t.Helper()
	ok := r.w.RunUntil(2*time.Minute, func() bool {
		a := r.do(&group.Describe{Group: "any"})
		return a.times == 1 && a.err == nil
	})
	if !ok {
		r.t.Fatal("the shard does not get ready")
	}
	return r
}

// do submits a command; the answer comes when it comes.
func (r *rig) do(cmd group.Command) *answer {
	a := &answer{}
	r.c.Submit("g", cmd, func(reply any, err error) {
		if a.times++; a.times > 1 {
			r.t.Errorf("%T is answered %d times", cmd, a.times)
		}
		a.reply, a.err = reply, err
	})
	return a
}

// get submits a command and waits for its answer.
func (r *rig) get(cmd group.Command) *answer {
	r.t.Helper()
	a := r.do(cmd)
	if !r.w.RunUntil(time.Minute, func() bool { return a.times > 0 }) {
		r.t.Fatalf("%T is not answered", cmd)
	}
	return a
}

func (a *answer) want(t testing.TB, code kafka.ErrorCode) {
	t.Helper()
	if a.times != 1 || fault.CodeOf(a.err) != code {
		t.Fatalf("answered %d times with %v, %+v; want %v", a.times, a.err, a.reply, code)
	}
}

func commit(offset kafka.Offset) *group.Commit {
	return &group.Commit{Group: "g", Generation: -1, RetentionMs: -1, Offsets: []group.CommitOffset{
		{Partition: kafka.TopicPartition{Topic: "t"}, Offset: offset, LeaderEpoch: -1}}}
}

func (r *rig) committed() kafka.Offset {
	r.t.Helper()
	f := &group.FetchOffsets{Group: "g", Partitions: []group.WantedOffset{{Partition: kafka.TopicPartition{Topic: "t"}}}}
	a := r.get(f)
	a.want(r.t, kafka.ErrNone)
	return a.reply.(group.FetchReply).Offsets[0].Offset
}

func joining(id string) *classic.Join {
	return &classic.Join{Group: "g", NewMemberID: id, SessionTimeoutMs: 10_000, RebalanceTimeoutMs: 60_000,
		ProtocolType: "consumer", Protocols: []classic.Protocol{{Name: "range", Metadata: []byte{}}}}
}

// stable makes a group of one member and returns its generation.
func (r *rig) stable(id string) int32 {
	r.t.Helper()
	a := r.get(joining(id))
	a.want(r.t, kafka.ErrNone)
	j := a.reply.(classic.JoinReply)
	if j.Err != kafka.ErrNone {
		r.t.Fatalf("join: %+v", j)
	}
	s := r.get(&classic.Sync{Group: "g", MemberID: id, Generation: j.Generation,
		Assignments: []classic.MemberAssignment{{MemberID: id, Bytes: []byte("all")}}})
	s.want(r.t, kafka.ErrNone)
	if got := s.reply.(classic.SyncReply); got.Err != kafka.ErrNone || string(got.Assignment) != "all" {
		r.t.Fatalf("sync: %+v", got)
	}
	return j.Generation
}
