package quorum

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/mutant"
)

const (
	softBatchBytes = 1 << 20 // a batch that has gathered so much is proposed and a new one begun
	maxEarly       = 10_000  // commands kept while a new leader is not active yet
)

// proposals is what the active leader has decided and not seen committed: the records that gather for the next batch,
// and who waits for which offset.
type proposals struct {
	applied kafka.Offset // the machine has applied everything below
	base    kafka.Offset // offset of the first gathered record
	values  [][]byte     // gathered records
	bytes   int
	wallMs  int64 // when the first was gathered

	appended kafka.Instant // when the last was gathered
	waiting  []waiter
	early    []earlyCommand
}

type waiter struct {
	end  kafka.Offset // committed when everything below is
	done func(error)
}

type earlyCommand struct {
	cmd  Command
	done func(Reply, error)
}

func (p *proposals) next() kafka.Offset { return p.base + kafka.Offset(len(p.values)) }

// start begins at the log's end.
func (p *proposals) start(end kafka.Offset) { p.base, p.values, p.bytes, p.applied = end, nil, 0, end }

// take hands the gathered records over to be one batch.
func (p *proposals) take() (base kafka.Offset, wallMs int64, values [][]byte) {
	base, wallMs, values = p.base, p.wallMs, p.values
	p.base, p.values, p.bytes = p.next(), nil, 0
	return base, wallMs, values
}

// skip leaves room in the log for a batch that is none of the machine's.
func (p *proposals) skip(to kafka.Offset) { p.base, p.applied = to, to }

// clear forgets everything and returns who waited.
func (p *proposals) clear() []func(error) {
	var out []func(error)
	for _, w := range p.waiting {
		out = append(out, w.done)
	}
	for _, e := range p.early {
		out = append(out, func(err error) { e.done(nil, err) })
	}
	p.values, p.bytes, p.waiting, p.early = nil, 0, nil, nil
	return out
}

// Submit has the machine decide a command. done is called once: with the reply when the records are committed, durable
// and visible on this node; or with an error, which is NOT_CONTROLLER when this node does not lead, or no longer leads
// and the outcome is unknown.
func (q *Quorum) Submit(cmd Command, done func(Reply, error)) {
	q.locked(func() {
		switch {
		case q.err != nil:
			err := q.err
			q.later(func() { done(nil, err) })
		case !q.lead.role.leading:
			err := q.lead.notController("quorum.Submit", "this node does not lead the metadata quorum")
			q.later(func() { done(nil, err) })
		case q.lead.handing != nil || q.lead.leaves():
			err := q.lead.notController("quorum.Submit", "this node hands the leadership of the metadata quorum over")
			q.later(func() { done(nil, err) })
		case q.lead.role.active:
			q.lead.decide(cmd, done)
		case len(q.lead.props.early) < maxEarly:
			q.lead.props.early = append(q.lead.props.early, earlyCommand{cmd, done})
		default:
			err := fault.New("quorum.Submit", kafka.ErrRequestTimedOut, "the controller is not active yet and %d commands wait", maxEarly)
			q.later(func() { done(nil, err) })
		}
	})
}

// decide runs one command. An answer without records still waits for what was proposed before it: it may have been
// read from there.
func (l *leadership) decide(cmd Command, done func(Reply, error)) {
	now := l.q.o.World.Now()
	recs, reply, err := l.q.o.Machine.Decide(now, l.props.next(), cmd)
	if err == nil {
		err = l.gather(now, recs)
	}
	if err != nil {
		reply = nil
	}
	finish := func() { done(reply, err) }
	end := l.props.next()
	if end <= l.q.committed || mutant.On(mutant.AnswerBeforeCommit) {
		l.q.later(finish)
		return
	}
	l.props.waiting = append(l.props.waiting, waiter{end, func(failed error) {
		if failed != nil {
			done(nil, failed)
			return
		}
		l.q.await(end, finish)
	}})
}

// gather encodes records, applies them tentatively and adds them to the batch that is next proposed. The records of one
// command are never in two batches: a batch is what everybody applies at once.
func (l *leadership) gather(now kafka.Instant, recs []Record) error {
	if len(recs) == 0 {
		return nil // most heartbeats: the log is idle for all they say
	}
	values, bytes, level := make([][]byte, 0, len(recs)), 0, l.q.o.Machine.Level()
	for _, r := range recs {
		v := encodeRecord(r, level)
		values, bytes = append(values, v), bytes+len(v)+recordOverhead
	}
	if bytes+batchOverhead > l.q.o.Config.MaxBatchBytes {
		return fault.New("quorum.Submit", kafka.ErrPolicyViolation, "the change needs %d metadata records of %d bytes, a batch holds %d bytes",
			len(recs), bytes, l.q.o.Config.MaxBatchBytes)
	}
	p := &l.props
	if len(p.values) > 0 && p.bytes+bytes > softBatchBytes {
		l.propose()
		if !l.role.active {
			return l.notController("quorum.Submit", "the metadata quorum takes no proposals")
		}
	}
	if len(p.values) == 0 {
		p.wallMs = now.WallMs
	}
	for i, r := range recs {
		l.q.o.Machine.Apply(p.next(), r)
		p.values = append(p.values, values[i])
	}
	p.bytes += bytes
	p.applied, p.appended = p.next(), now
	return nil
}

// propose gives the gathered records to Raft as one entry that names the offset it expects.
func (l *leadership) propose() {
	if !l.role.active || len(l.props.values) == 0 {
		return
	}
	base, wallMs, values := l.props.take()
	if err := l.q.engine.node.Propose(dataBatch(base, kafka.LeaderEpoch(l.role.term), wallMs, values)); err != nil {
		// Raft takes none while it hands the leadership over.
		l.abandon(l.notController("quorum.Submit", "the metadata quorum takes no proposals: "+err.Error()))
		return
	}
	l.took.sent = append(l.took.sent, proposed{l.props.base, l.q.o.World.Now().Mono})
}

// settle answers everybody whose records are committed.
func (l *leadership) settle() {
	l.took.committed(l.q.o.World.Now().Mono, l.q.committed)
	n := 0
	for n < len(l.props.waiting) && l.props.waiting[n].end <= l.q.committed {
		done := l.props.waiting[n].done
		l.q.later(func() { done(nil) })
		n++
	}
	must.Hold(n == 0 || l.role.active, "%d replies without a leader", n)
	l.props.waiting = l.props.waiting[n:]
}
