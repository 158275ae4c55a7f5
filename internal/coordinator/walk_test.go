package coordinator

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/world"
)

// walk is two nodes that take turns as the coordinator of one partition, consumers that know no better, and everything
// that can go wrong between them. The checker sees every request and every answer.
type walk struct {
	t      *testing.T
	w      *world.Virtual
	rand   *rand.Rand
	tape   *tape
	nodes  [2]*walkNode
	leader int
	bots   []*bot
	check  *checker
	quiet  bool // nothing goes wrong any more
	over   bool // nobody asks any more
	value  kafka.Offset
	open   int
}

type walkNode struct {
	proc *world.Process
	c    *Coordinator
	lost map[int]func() // requests that a crash leaves without an answer
	next int
}

var errLost = fault.New("walk", kafka.ErrNetworkException, "the connection is gone")

func newWalk(t *testing.T, seed uint64) *walk {
	w := &walk{t: t, w: world.NewVirtual(seed)}
	w.rand = w.w.Rand()
	w.tape = newTape(t, w.w)
	w.check = newChecker(t, w.tape)
	for i := range w.nodes {
		w.boot(i)
	}
	w.elect(0)
	for g := range 2 {
		for i := range 3 {
			b := &bot{w: w, group: fmt.Sprintf("g%d", g), name: fmt.Sprintf("b%d", i)}
			if i == 0 {
				b.instance = &b.name
			}
			w.bots = append(w.bots, b)
			w.w.Go(b.join)
		}
	}
	w.reader()
	w.trouble()
	return w
}

func (w *walk) boot(i int) {
	cfg := group.DefaultConfig()
	cfg.Classic.InitialRebalanceDelay = 500 * time.Millisecond
	cfg.Classic.NewMemberJoinTimeout = 20 * time.Second
	n := &walkNode{proc: world.NewProcess(w.w), lost: map[int]func(){}}
	n.c = New(Env{World: n.proc, Logger: slog.New(slog.DiscardHandler), Config: cfg, Partitions: func() int32 { return 1 },
		CommitTimeout: 2 * time.Second, MaxBatchBytes: func() int { return 1 << 16 }, LoadBytes: 4096})
	w.nodes[i] = n
}

// elect gives the partition to a node; the other one hears of it later.
func (w *walk) elect(i int) {
	epoch := w.tape.elect()
	w.check.truncated()
	n, old := w.nodes[i], w.nodes[w.leader]
	if i != w.leader {
		old.proc.After(time.Duration(w.rand.Int64N(int64(3*time.Second))), func() { old.c.Resigned(0, epoch) })
	}
	w.leader = i
	n.proc.After(time.Duration(w.rand.Int64N(int64(100*time.Millisecond))), func() { n.c.Elected(0, epoch, tapeLog{w.tape, n.proc.Alive}) })
}

func (w *walk) crash(i int) {
	old := w.nodes[i]
	old.proc.Kill()
	w.boot(i)
	for k := range old.next {
		if f := old.lost[k]; f != nil {
			f()
		}
	}
}

// ask sends a command to the coordinator, or now and then to the wrong node. The answer comes once.
func (w *walk) ask(g string, cmd group.Command, done func(reply any, err error)) {
	i := w.leader
	if w.rand.IntN(20) == 0 {
		i = 1 - i
	}
	n, times := w.nodes[i], 0
	k := n.next
	n.next++
	w.open++
	seen := w.check.asked(g, cmd)
	s := n.c.shards[0]
	current := func() bool { return s != nil && s.epoch == w.tape.epoch }
	now := current() // a coordinator that has not heard of its end may answer reads with what was true before, as Kafka's
	answer := func(reply any, err error) {
		if times++; times > 1 {
			w.t.Errorf("%T is answered %d times: %+v, %v", cmd, times, reply, err)
			return
		}
		delete(n.lost, k)
		w.open--
		if err == nil {
			w.check.answered(g, cmd, reply, seen, now && current())
		}
		done(reply, err)
	}
	n.lost[k] = func() { answer(nil, errLost) }
	n.c.Submit(g, cmd, answer)
}

// trouble does something bad, and comes again.
func (w *walk) trouble() {
	if w.quiet {
		return
	}
	for_ := func(most time.Duration, on, off func()) {
		on()
		w.w.After(time.Duration(w.rand.Int64N(int64(most))), off)
	}
	codes := []kafka.ErrorCode{kafka.ErrNotEnoughReplicas, kafka.ErrNotEnoughReplicasAfterAppend, kafka.ErrKafkaStorageError,
		kafka.ErrMessageTooLarge, kafka.ErrRequestTimedOut}
	code := fault.New("walk", codes[w.rand.IntN(len(codes))], "bad luck")
	b := w.bots[w.rand.IntN(len(w.bots))]
	switch w.rand.IntN(12) {
	case 0:
		w.crash(w.leader)
		w.elect(w.rand.IntN(2))
	case 1:
		w.crash(1 - w.leader)
	case 2:
		w.elect(w.rand.IntN(2))
	case 3:
		for_(8*time.Second, func() { w.tape.stuck = true }, w.heal)
	case 4:
		if code.Code != kafka.ErrNotEnoughReplicasAfterAppend && code.Code != kafka.ErrRequestTimedOut {
			for_(2*time.Second, func() { w.tape.refuse = code }, w.heal)
		}
	case 5:
		for_(200*time.Millisecond, func() { w.tape.spoil = fault.New("walk", kafka.ErrNotEnoughReplicasAfterAppend, "bad luck") }, w.heal)
	case 6:
		w.tape.slow = time.Duration(1 + w.rand.Int64N(int64(500*time.Millisecond)))
	case 7:
		for_(3*time.Second, func() { w.tape.reads = code }, w.heal)
	case 8:
		b.asleep = w.w.Now().Mono + time.Duration(w.rand.Int64N(int64(25*time.Second)))
	case 9:
		b.restart()
	case 10:
		b.leave()
	}
	w.w.After(time.Duration(w.rand.Int64N(int64(3*time.Second))), w.trouble)
}

func (w *walk) heal() {
	w.tape.stuck, w.tape.refuse, w.tape.spoil, w.tape.reads = false, nil, nil, nil
	w.tape.flush()
}

// reader reads what is committed, now and then, and commits for a group without members.
func (w *walk) reader() {
	if w.over {
		return
	}
	g := fmt.Sprintf("g%d", w.rand.IntN(3)) // g2 has no members
	w.ask(g, &group.FetchOffsets{Group: g, All: true, Stable: w.rand.IntN(2) == 0}, func(any, error) {})
	if g == "g2" {
		w.ask(g, w.commit(g, "", nil, -1, 0), func(any, error) {})
	}
	w.w.After(time.Duration(w.rand.Int64N(int64(500*time.Millisecond))), w.reader)
}

// commit makes a commit whose offset no other commit has.
func (w *walk) commit(g, member string, instance *string, generation, partition int32) *group.Commit {
	w.value++
	return &group.Commit{Group: g, MemberID: member, InstanceID: instance, Generation: generation, RetentionMs: -1,
		MissingGroup: kafka.ErrIllegalGeneration, Offsets: []group.CommitOffset{
			{Partition: kafka.TopicPartition{Topic: "t", Partition: partition}, Offset: w.value, LeaderEpoch: -1}}}
}

// TestRandomWalk is G1 to G5 and G7 of groups: every request is answered once; no commit that was acknowledged is lost,
// none of an older generation is accepted; a generation is told for one set of members and one assignment; nothing is
// told before it is durable; and when the trouble ends every group finds its peace.
func TestRandomWalk(t *testing.T) {
	const seeds = uint64(60)
	var total checker
	for seed := range seeds {
		w := newWalk(t, seed)
		w.w.Run(3 * time.Minute)
		w.quiet = true
		w.w.Run(10 * time.Second)
		w.heal()
		w.w.Run(2 * time.Minute)
		w.peace()
		w.over = true
		w.w.Run(30 * time.Second)
		if w.open != 0 {
			t.Errorf("%d requests have no answer", w.open)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
		total.accepted += w.check.accepted
		total.refused += w.check.refused
		total.generations += w.check.generations
		total.reads += w.check.reads
	}
	t.Logf("%d commits accepted, %d refused, %d generations, %d reads", total.accepted, total.refused, total.generations, total.reads)
	if total.accepted < 100*int(seeds) || total.refused < int(seeds) || total.generations < 5*int(seeds) || total.reads < 100*int(seeds) {
		t.Error("that is too little to mean anything")
	}
}

// peace checks that every bot is in the newest generation of its group and that all partitions are owned once.
func (w *walk) peace() {
	owners := map[string]string{}
	for _, b := range w.bots {
		if b.generation != w.check.told[b.group] || !b.member {
			w.t.Errorf("%s of %s is in generation %d (member: %v), the group in %d", b.name, b.group, b.generation, b.member, w.check.told[b.group])
		}
		for _, p := range b.owned {
			k := fmt.Sprintf("%s/%d", b.group, p)
			if owners[k] != "" {
				w.t.Errorf("%s is owned by %s and %s", k, owners[k], b.name)
			}
			owners[k] = b.name
		}
	}
	if len(owners) != 2*partitionsOfT {
		w.t.Errorf("owned are %v", owners)
	}
}
