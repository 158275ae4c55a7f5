package partition

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/record"
)

// Origin says who appends: a client, a coordinator or a follower.
type Origin = log.Origin

// The origins.
const (
	Client      = log.Client
	Coordinator = log.Coordinator
)

// Append is one batch to write.
type Append struct {
	Batch  record.Batch
	Acks   int16 // 0, 1, or -1 for all
	Origin Origin
	Epoch  kafka.LeaderEpoch // the epoch the writer believes in; -1 for no check
}

// Appended is what became of it. An error from validation may be a *record.Invalid, which names records.
type Appended struct {
	log.Appended
	Err error
}

// Refused is the outcome of a batch that never came to a partition.
func Refused(err error) Appended {
	return Appended{Appended: log.Appended{LogStart: kafka.NoOffset}, Err: err}
}

// waits are the appends of a partition that are not answered yet.
type waits struct {
	list  []wait // sorted by need
	spare *taken // to answer the next ones with
	look  bool   // at followers that are to join is on its way: they hold the high watermark up
	lows  []*low // sets of records that were deleted, and are not yet everywhere
}

// wait is one append on its way to the high watermark, or to the disk.
type wait struct {
	need      kafka.Offset
	committed bool // answered once need is acknowledged: acks=all
	synced    bool // answered once everything below need is durable: flush.messages were reached
	result    Appended
	done      func(Appended)
}

// Append writes a batch as leader. done is called once, without locks: for acks 0 and 1 before Append returns, for
// acks=all when the high watermark passed the batch (which may be before Append returns, too). A retried duplicate
// waits like its original. The batch's bytes are not kept after done.
//
// Errors (in Appended.Err): NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, NOT_ENOUGH_REPLICAS,
// NOT_ENOUGH_REPLICAS_AFTER_APPEND, KAFKA_STORAGE_ERROR and those of log.AppendAsLeader.
func (p *Partition) Append(a Append, done func(Appended)) {
	p.mu.Lock()
	if p.held() {
		p.holdBack(a, done)
		return
	}
	if y := p.ending.yield; y != nil {
		y.behind(p, a, done)
		return
	}
	p.append(a, done)
}

// append is Append in its turn. Called with the mutex held, which it gives back.
func (p *Partition) append(a Append, done func(Appended)) {
	result, calls, parked := p.appendLocked(a, done)
	p.mu.Unlock()
	p.Traffic.appended(&result)
	run(calls)
	if !parked {
		done(result)
	}
}

func (p *Partition) appendLocked(a Append, done func(Appended)) (result Appended, calls []func(), parked bool) {
	if err := p.lead(a.Epoch); err != nil {
		return Refused(err), nil, false
	}
	if p.givesWay() {
		return Refused(p.hung()), nil, false
	}
	result.LogStart = p.log.Offsets().LogStart
	if a.Acks == -1 && !p.rep.EnoughInSync() {
		result.Err = fault.New("partition", kafka.ErrNotEnoughReplicas,
			"%s has %d of min.insync.replicas=%d in sync", p.name, len(p.reg.ISR), p.rep.MinISR())
		return result, nil, false
	}
	out, err := p.log.AppendAsLeader(p.at().World.Now(), a.Batch, p.reg.LeaderEpoch, a.Origin)
	if err != nil {
		result.Err = err
		if fault.IsKind(err, fault.Disk) {
			calls = p.fail(err)
			calls = append(calls, func() { p.at().Failed(err) })
		}
		return result, calls, false
	}
	result.Appended = out
	o := p.log.Offsets()
	moved := p.rep.Appended(o.End)
	if calls = p.settle(moved); !moved && calls == nil {
		calls = p.wakeFollowers()
	} else if !moved {
		calls = append(calls, p.wakeFollowers()...)
	}
	due := p.flushAppended(o, out.Bytes) && !out.Duplicate && a.Acks != 0
	w := wait{need: out.Last + 1, synced: due, committed: a.Acks == -1, result: result, done: done}
	if p.over(&w) {
		return result, calls, false
	}
	p.park(w)
	return result, calls, true
}

// over reports whether what a wait waits for has come. Called with the mutex held.
func (p *Partition) over(w *wait) bool {
	return (!w.committed || w.need <= p.rep.Acknowledged()) && (!w.synced || w.need <= p.log.Offsets().Durable)
}

// park keeps waits sorted; all but retried duplicates belong at the end.
func (p *Partition) park(w wait) {
	i := len(p.waits.list)
	for i > 0 && p.waits.list[i-1].need > w.need {
		i--
	}
	p.waits.list = append(p.waits.list, wait{})
	copy(p.waits.list[i+1:], p.waits.list[i:])
	p.waits.list[i] = w
}

// completeWaits takes out the waits that are acknowledged now. Called with the mutex held.
func (p *Partition) completeWaits() []func() {
	if len(p.waits.list) == 0 {
		return nil
	}
	n := 0
	for n < len(p.waits.list) && p.over(&p.waits.list[n]) {
		n++
	}
	if n == 0 {
		return nil
	}
	var err error
	if !p.rep.EnoughInSync() {
		err = fault.New("partition", kafka.ErrNotEnoughReplicasAfterAppend,
			"%s was written, but the ISR shrank below min.insync.replicas=%d meanwhile", p.name, p.rep.MinISR())
	}
	for i := range p.waits.list[:n] {
		if p.waits.list[i].committed {
			p.waits.list[i].result.Err = err
		}
	}
	return p.takeWaits(n, nil)
}

func (p *Partition) failWaits(err error) []func() {
	return append(p.takeWaits(len(p.waits.list), err), p.failLows(err)...)
}

// takeWaits takes the first n out and returns the call that answers them.
func (p *Partition) takeWaits(n int, err error) []func() {
	if n == 0 {
		return nil
	}
	t := p.waits.spare
	if p.waits.spare = nil; t == nil {
		t = &taken{p: p}
		t.call[0] = t.answer
	}
	t.waits = append(t.waits, p.waits.list[:n]...)
	if err != nil && !mutant.On(mutant.AckOnResign) {
		for i := range t.waits {
			t.waits[i].result.Err = err
		}
	}
	rest := copy(p.waits.list, p.waits.list[n:])
	clear(p.waits.list[rest:])
	p.waits.list = p.waits.list[:rest]
	return t.call[:]
}

// taken is waits on their way to be answered; one of each partition serves again and again.
type taken struct {
	p     *Partition
	waits []wait
	call  [1]func() // answer, made a func once
}

func (t *taken) answer() {
	for i := range t.waits {
		w := &t.waits[i]
		w.done(w.result)
	}
	clear(t.waits)
	t.waits = t.waits[:0]
	t.p.mu.Lock()
	t.p.waits.spare = t
	t.p.mu.Unlock()
}
