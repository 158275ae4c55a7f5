package coordinator

import (
	"slices"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
	rec "github.com/milena-io/milena/internal/staterecord/group"
	"github.com/milena-io/milena/internal/world"
)

// tape is one partition of __consumer_offsets in memory: what is appended is durable some random time later, and what a
// crash or a new leader finds is that and perhaps more.
type tape struct {
	t       testing.TB
	w       *world.Virtual
	epoch   kafka.LeaderEpoch
	batches []record.Batch
	end     kafka.Offset
	durable kafka.Offset
	waits   []tapeWait
	slow    time.Duration  // what a flush takes at most
	stuck   bool           // nothing gets durable
	lucky   bool           // a new epoch finds everything
	refuse  error          // appends write nothing
	spoil   error          // appends write, and answer this
	reads   error          // reads answer this
	written func(taped)    // told of every record written, unless nil
	asks    bool           // nobody confirms by itself
	asked   []func(error)  // who waits for that
	appends []record.Batch // all there ever were, those refused included
}

type tapeWait struct {
	need kafka.Offset
	done func(error)
}

// taped is a record and where it stands.
type taped struct {
	at     kafka.Offset
	record rec.Record
}

func newTape(t testing.TB, w *world.Virtual) *tape {
	return &tape{t: t, w: w, slow: 5 * time.Millisecond}
}

// tapeLog is the tape as the coordinator of one process sees it: it hears nothing once it is dead.
type tapeLog struct {
	*tape
	alive func() bool
}

func (p *tape) lead(epoch kafka.LeaderEpoch) error {
	if epoch != p.epoch {
		return fault.New("tape", kafka.ErrNotLeaderOrFollower, "epoch %d is not %d", epoch, p.epoch)
	}
	return nil
}

func (l tapeLog) Append(epoch kafka.LeaderEpoch, b record.Batch, done func(kafka.Offset, error)) {
	p := l.tape
	p.appends = append(p.appends, slices.Clone(b))
	err := p.lead(epoch)
	if err == nil {
		err = p.refuse
	}
	if err != nil {
		done(0, err)
		return
	}
	base := p.put(b)
	p.flush()
	if spoil := p.spoil; spoil != nil {
		l.w.Go(func() { done(base, spoil) })
		return
	}
	l.wait(p.end, func(err error) { done(base, err) })
}

// put writes a batch at the end.
func (p *tape) put(b record.Batch) kafka.Offset {
	b = slices.Clone(b)
	base := p.end
	b.SetBaseOffset(base)
	b.SetLeaderEpoch(p.epoch)
	p.batches = append(p.batches, b)
	p.end = b.NextOffset()
	if p.written != nil {
		for _, r := range p.decode(b) {
			p.written(r)
		}
	}
	return base
}

func (p *tape) decode(b record.Batch) []taped {
	var out []taped
	err := b.Each(record.Limits{}, func(r *record.Record) error {
		decoded, err := rec.Decode(r.Key, r.Value)
		out = append(out, taped{r.Offset, decoded})
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

func (p *tape) flush() {
	epoch, upTo := p.epoch, p.end
	p.w.After(time.Duration(p.w.Uint64()%uint64(p.slow)), func() {
		if p.epoch == epoch && !p.stuck {
			p.sync(upTo)
		}
	})
}

// sync makes everything below an offset durable and calls whoever waits for that.
func (p *tape) sync(upTo kafka.Offset) {
	p.durable = max(p.durable, upTo)
	var calls []func(error)
	p.waits = slices.DeleteFunc(p.waits, func(w tapeWait) bool {
		if w.need <= p.durable {
			calls = append(calls, w.done)
			return true
		}
		return false
	})
	for _, f := range calls {
		f(nil)
	}
}

func (l tapeLog) wait(need kafka.Offset, done func(error)) {
	p := l.tape
	p.waits = append(p.waits, tapeWait{need, func(err error) {
		if l.alive() {
			done(err)
		}
	}})
}

func (l tapeLog) Bounds(epoch kafka.LeaderEpoch) (start, end kafka.Offset, err error) {
	return 0, l.end, l.lead(epoch)
}

func (l tapeLog) Read(from kafka.Offset, maxBytes int) ([]byte, error) {
	if l.reads != nil {
		return nil, l.reads
	}
	var out []byte
	for _, b := range l.batches {
		if b.LastOffset() < from {
			continue
		}
		if len(out) > 0 && len(out)+len(b) > maxBytes {
			break
		}
		out = append(out, b...)
	}
	return out, nil
}

func (l tapeLog) Committed(epoch kafka.LeaderEpoch, upTo kafka.Offset, done func(error)) {
	if err := l.lead(epoch); err != nil || l.durable >= upTo {
		done(err)
		return
	}
	l.wait(upTo, done)
	l.flush()
}

// Confirm is answered at once, or when the test says (asked).
func (l tapeLog) Confirm(epoch kafka.LeaderEpoch, done func(error)) {
	if l.asks {
		l.asked = append(l.asked, done)
		return
	}
	done(l.lead(epoch))
}

// elect begins a new epoch: what is not durable may be lost from anywhere on, and whoever waits is told that the old
// epoch is over.
func (p *tape) elect() kafka.LeaderEpoch {
	p.epoch++
	keep := p.durable + kafka.Offset(p.w.Uint64()%uint64(p.end-p.durable+1))
	if p.lucky {
		keep = p.end
	}
	p.batches = slices.DeleteFunc(p.batches, func(b record.Batch) bool { return b.NextOffset() > keep })
	p.end = 0
	if n := len(p.batches); n > 0 {
		p.end = p.batches[n-1].NextOffset()
	}
	waits := p.waits
	p.waits = nil
	for _, w := range waits {
		w.done(fault.New("tape", kafka.ErrNotLeaderOrFollower, "a new epoch began"))
	}
	return p.epoch
}
