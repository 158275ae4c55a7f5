package replica

import (
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/mutant"
)

// Position is what a follower's Fetch names, and what its answer is good for (R10): of another position it says nothing.
type Position struct {
	Leader      kafka.NodeID
	LeaderEpoch kafka.LeaderEpoch
	Offset      kafka.Offset
	LastEpoch   kafka.LeaderEpoch // of the last record, -1 for none
}

// EpochEnd is the end of a leader epoch in somebody's log.
type EpochEnd struct {
	Epoch kafka.LeaderEpoch
	End   kafka.Offset
}

// Order is what a follower has to do with its log.
type Order struct {
	Anew bool // everything goes, and the log begins at At; otherwise it is cut there
	At   kafka.Offset
	// Alarm says that records go which this replica knew to be committed. Without an unclean election that never happens.
	Alarm bool
}

// Following is a replica as a follower.
type Following struct{ r *Replica }

// Following returns what a follower may ask and tell.
func (r *Replica) Following() Following { return Following{r} }

// Position returns where this follower fetches; last is the epoch of the last record of its log. ok is false when it leads,
// or nobody does.
func (f Following) Position(last kafka.LeaderEpoch) (p Position, ok bool) {
	r := f.r
	if r.reg.Leader == kafka.NoNode || r.Leads() {
		return Position{}, false
	}
	return Position{Leader: r.reg.Leader, LeaderEpoch: r.reg.LeaderEpoch, Offset: r.end, LastEpoch: last}, true
}

// Stands reports whether an answer to a position may still be acted on: nothing was appended, truncated or registered since
// it was asked for.
func (f Following) Stands(asked Position, last kafka.LeaderEpoch) bool {
	p, ok := f.Position(last)
	return ok && (p == asked || mutant.On(mutant.LateAnswer))
}

// Diverged takes a leader's answer that the logs part: theirs is the largest epoch that the leader has at or below the last
// one of ours, and where it ends; ours is the same question asked of this log about theirs.Epoch (KIP-279). The logs agree at
// most up to the lesser end. Where the epochs differ they may part before that: the next Fetch names an older last epoch, and
// so on until they match. ok is false for an answer that no longer stands, or that would cut nothing.
func (f Following) Diverged(asked Position, last kafka.LeaderEpoch, theirs, ours EpochEnd) (o Order, ok bool) {
	r := f.r
	if !f.Stands(asked, last) || theirs.Epoch < 0 || theirs.End < 0 {
		return Order{}, false
	}
	at := theirs.End
	if ours.Epoch >= 0 {
		at = min(at, ours.End)
	}
	if at >= r.end {
		return Order{}, false
	}
	return Order{At: at, Alarm: at < r.high}, true
}

// OutOfRange takes a leader's answer that it has no such offset, together with where its log begins and ends, asked for in
// the same epoch. Only a follower whose whole log lies before the leader's begins anew: what it drops the leader has deleted,
// and that it may delete only what is committed and given up makes it safe. A longer log than the leader's is cut at its end,
// which is an alarm where that was committed. In between the offset is there by now, and ok is false.
func (f Following) OutOfRange(asked Position, last kafka.LeaderEpoch, start, end kafka.Offset) (o Order, ok bool) {
	r := f.r
	switch {
	case !f.Stands(asked, last) || start < 0 || start > end:
		return Order{}, false
	case start > r.end || mutant.On(mutant.OutOfRangeRestarts):
		return Order{Anew: true, At: start}, true
	case end < r.end:
		return Order{At: end, Alarm: end < r.high}, true
	}
	return Order{}, false
}

// Told takes the leader's high watermark from an answer that stood and whose records are in the log: this log is the leader's
// as far as it goes. It never takes back what was committed. It reports whether the high watermark moved.
func (f Following) Told(high kafka.Offset) bool {
	r := f.r
	if !mutant.On(mutant.FollowerHighUnbounded) {
		high = min(high, r.end)
	}
	if r.Leads() || high <= r.high {
		return false
	}
	r.high = high
	return true
}

// Restarted tells that the log was emptied and begins at an offset, and how far that is durable.
func (f Following) Restarted(at, durable kafka.Offset) {
	r := f.r
	r.end, r.durable, r.high, r.switchAt = at, min(durable, at), at, at
}
