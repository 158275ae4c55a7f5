package partition

import (
	"errors"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/record"
)

// Following is a partition as whoever fetches for it sees it. Its methods are safe for concurrent use.
type Following struct{ p *Partition }

// AsFollower returns what a fetcher asks of a partition and brings to it.
func AsFollower(p *Partition) Following { return Following{p} }

// Where is where a follower stands: what its Fetch says.
type Where struct {
	replica.Position
	LogStart, Durable, High kafka.Offset
}

// Where tells where the follower stands, and opens its log; ok is false when there is no other leader to fetch from.
func (f Following) Where() (w Where, ok bool, err error) {
	p := f.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.ready(); err != nil {
		return Where{}, false, err
	}
	o := p.log.Offsets()
	w = Where{LogStart: o.LogStart, Durable: o.Durable, High: p.rep.HighWatermark()}
	w.Position, ok = p.rep.Following().Position(p.lastEpoch())
	return w, ok, nil
}

// lastEpoch is the epoch of the log's last record. Called with the mutex held and the log open.
func (p *Partition) lastEpoch() kafka.LeaderEpoch { return p.log.Epochs().Latest().Epoch }

// Answer is what a leader answered to a position.
type Answer struct {
	Asked          replica.Position
	Records        []byte // whole batches, and perhaps the beginning of one; they are not changed and not kept
	High, LogStart kafka.Offset
}

// Take appends a leader's records, as they are, and takes over its high watermark and log start. ok is false, and nothing was
// done, when the answer is for another position than the follower's (R10). Errors: those of log.AppendAsFollower; what was
// taken before stays.
func (f Following) Take(a Answer) (bytes int, ok bool, err error) {
	p := f.p
	p.mu.Lock()
	if ok, err = p.stands(a.Asked); !ok || err != nil {
		p.mu.Unlock()
		return 0, false, err
	}
	bytes, err = p.appendFetched(&a)
	if fault.IsKind(err, fault.Disk) { // the log may have been half emptied
		broken := err // and not err itself, which would be allocated with each answer
		calls := append(p.fail(broken), func() { p.at().Failed(broken) })
		p.mu.Unlock()
		run(calls)
		return bytes, true, err
	}
	o := p.log.Offsets()
	calls := p.settle(p.rep.Appended(o.End))
	if bytes > 0 {
		p.Traffic.ReplicationIn.Add(uint64(bytes))
		if r := p.cfg.Throttles.Follower.of(p.name.Partition); r != nil {
			r.Take(p.at().World.Now().Mono, bytes)
		}
		p.flushAppended(o, bytes)
	}
	if err == nil && p.rep.Following().Told(a.High) {
		calls = append(calls, p.wake()...)
	}
	if c := p.startFrom(a.LogStart); c != nil {
		calls = append(calls, c)
	}
	p.mu.Unlock()
	run(calls)
	return bytes, true, err
}

// stands checks that a follower may act on an answer. Called with the mutex held.
func (p *Partition) stands(asked replica.Position) (bool, error) {
	if err := p.ready(); err != nil {
		return false, err
	}
	if p.held() {
		return false, fault.New("partition", kafka.ErrKafkaStorageError, "%s is about to live in another log directory; try again", p.name)
	}
	return p.rep.Following().Stands(asked, p.lastEpoch()), nil
}

// appendFetched appends the batches of an answer. A leader's log may begin within a batch (DeleteRecords): a log that ends there, and so
// has nothing that the leader's has not deleted, is emptied and takes the batch around that place. Called with the mutex held.
func (p *Partition) appendFetched(a *Answer) (bytes int, err error) {
	epoch, records := a.Asked.LeaderEpoch, a.Records
	now := p.at().World.Now()
	for len(records) > 0 {
		b, rest, err := record.Next(records)
		if errors.Is(err, record.ErrShort) {
			break
		}
		if err != nil {
			return bytes, err
		}
		records = rest
		at := p.log.Offsets()
		switch {
		case b.LeaderEpoch() > epoch:
			return bytes, nil // of a leader after the one that was asked: it is to be asked for again, in its epoch
		case b.LeaderEpoch() < p.lastEpoch():
			return bytes, fault.Corruption("partition.Take", "leader epoch %d of a batch of %s comes after %d", b.LeaderEpoch(), p.name, p.lastEpoch())
		case b.NextOffset() <= at.End:
			continue
		}
		var out log.Appended
		if at.End > max(at.LogStart, a.LogStart) || b.BaseOffset() >= at.End {
			out, err = p.log.AppendAsFollower(now, b)
		} else if err = p.cut(replica.Order{At: at.End, Anew: true}); err == nil {
			if out, err = log.AppendAround(p.log, now, b); err != nil {
				p.gaveUp(at.End)
			}
		}
		if err != nil {
			return bytes, err
		}
		bytes += out.Bytes
	}
	return bytes, nil
}

// gaveUp tells the machine when the log ends before an offset, which a full disk has kept it from coming back to. Called with the mutex
// held.
func (p *Partition) gaveUp(before kafka.Offset) {
	if end := p.log.Offsets().End; end < before {
		p.rep.Truncated(end)
		p.flush.want = min(p.flush.want, end)
	}
}

// startFrom follows the leader's log start, no further than what is known to be committed, one change at a time. It returns
// what is to be called without the mutex. Called with the mutex held.
func (p *Partition) startFrom(start kafka.Offset) func() {
	start = min(start, p.rep.HighWatermark())
	if p.ending.starts > 0 || start <= p.log.Offsets().LogStart {
		return nil
	}
	s, err := p.log.NewStart(start)
	if err != nil || s == nil {
		return nil // the next answer says so again
	}
	p.ending.starts++
	return func() {
		p.at().Flusher.Flush([]disk.Syncer{s}, func(err error) { p.startSaved(s, err, nil) })
	}
}

// Cut is what a follower gave up of its log.
type Cut struct {
	From, To kafka.Offset // its end before and after
	Anew     bool         // it begins at To
	Below    bool         // records went that it knew to be committed: only after an unclean election
}

// Diverged takes a leader's answer that the logs part, at the end of the largest epoch that the leader has at or below the one
// asked from. ok is false, and nothing was done, for an answer to another position or one that cuts nothing.
func (f Following) Diverged(asked replica.Position, theirs EpochEnd) (c Cut, ok bool, err error) {
	return f.obey(asked, func() (replica.Order, bool) {
		e, end := f.p.log.EndOffsetForEpoch(theirs.Epoch)
		return f.p.rep.Following().Diverged(asked, f.p.lastEpoch(), replica.EpochEnd(theirs), replica.EpochEnd{Epoch: e, End: end})
	})
}

// OutOfRange takes a leader's answer OFFSET_OUT_OF_RANGE, with where its log begins and ends (ListOffsets in the same epoch).
func (f Following) OutOfRange(asked replica.Position, start, end kafka.Offset) (c Cut, ok bool, err error) {
	return f.obey(asked, func() (replica.Order, bool) {
		return f.p.rep.Following().OutOfRange(asked, f.p.lastEpoch(), start, end)
	})
}

// obey carries out what the machine orders, which it is asked for with the mutex held.
func (f Following) obey(asked replica.Position, order func() (replica.Order, bool)) (c Cut, ok bool, err error) {
	p := f.p
	p.mu.Lock()
	if ok, err = p.stands(asked); !ok || err != nil {
		p.mu.Unlock()
		return c, false, err
	}
	o, ok := order()
	if !ok {
		p.mu.Unlock()
		return c, false, nil
	}
	c = Cut{From: p.log.Offsets().End, Anew: o.Anew, Below: o.Alarm}
	high := p.rep.HighWatermark()
	var calls []func()
	if err = p.cut(o); err == nil {
		c.To = p.log.Offsets().End
		calls = p.wake()
	} else if fault.IsKind(err, fault.Disk) {
		calls = append(p.fail(err), func() { p.at().Failed(err) })
	}
	p.mu.Unlock()
	run(calls)
	if c.Below && err == nil {
		p.at().Logger.Error("Truncated below the high watermark: the leader lacks records that were committed, as after an unclean election.",
			"partition", p.name.String(), "offset", int64(c.To), "highWatermark", int64(high), "leader", int32(asked.Leader), "leaderEpoch", int32(asked.LeaderEpoch))
	}
	return c, true, err
}

// cut does to the log what the machine ordered, and tells it what came of it, also where a full disk stopped it on the way. Called
// with the mutex held.
func (p *Partition) cut(o replica.Order) error {
	var err error
	before := p.log.Offsets()
	if o.Anew {
		err = p.log.TruncateFullyAndStartAt(o.At)
	} else {
		err = p.log.TruncateTo(o.At)
	}
	at := p.log.Offsets()
	if err != nil && (fault.IsKind(err, fault.Disk) || at.End == before.End && at.LogStart == before.LogStart) {
		return err
	}
	if o.Anew && at.LogStart == at.End { // and not half of it, where what is left may not be committed
		p.rep.Following().Restarted(at.End, at.Durable)
	} else {
		p.rep.Truncated(at.End)
		p.rep.Flushed(at.Durable) // what was left was made durable first
	}
	p.flush.want = min(p.flush.want, at.End)
	if o.Anew {
		p.flushAll()
	}
	return err
}
