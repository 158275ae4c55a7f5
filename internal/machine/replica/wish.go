package replica

import (
	"slices"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// Member is one of a wished ISR, with the epoch of the broker that was heard (KIP-903); -1 where none was heard, which is
// then left to the partition epoch.
type Member struct {
	Node        kafka.NodeID
	BrokerEpoch kafka.BrokerEpoch
}

// Wish is an ISR that this leader asks the controller for (AlterPartition, KIP-497). It is granted only at the partition
// epoch that it names.
type Wish struct {
	ID             uint64 // of this replica's wishes
	LeaderEpoch    kafka.LeaderEpoch
	PartitionEpoch kafka.PartitionEpoch
	ISR            []Member
	Settled        bool // the switch to durable is over (switch.go); the ISR is then as it was
}

// wishing is the wish under way.
type wishing struct {
	under      bool
	now        Wish
	last       uint64
	unsure     bool          // the wish may be on its way more than once
	doubted    []Member      // of wishes that were refused while another copy may come yet: they may be granted until the partition epoch moves
	quietUntil time.Duration // after one that was refused
}

// settled ends what is under way: the metadata is past what every copy of it names.
func (w *wishing) settled() { w.under, w.unsure, w.doubted = false, false, nil }

// wishPause is how long a leader keeps quiet after a refusal: metadata that explains it is on its way.
const wishPause = 50 * time.Millisecond

// Outcome is what became of a wish.
type Outcome uint8

// The outcomes.
const (
	Granted Outcome = iota // it is the ISR now
	Refused                // it was not carried out and never will be
	Stale                  // there is newer metadata, which will come and settle it: it, or an earlier try, may have been granted
	Unknown                // nobody can tell: the same wish is to be sent again
)

// OutcomeOf tells what an error code of AlterPartition says, as Apache Kafka's Partition reads it.
func OutcomeOf(code kafka.ErrorCode) Outcome {
	switch code {
	case kafka.ErrNone:
		return Granted
	case kafka.ErrIneligibleReplica, kafka.ErrOperationNotAttempted:
		return Refused
	case kafka.ErrInvalidUpdateVersion, kafka.ErrFencedLeaderEpoch, kafka.ErrNewLeaderElected, kafka.ErrUnknownTopicOrPartition,
		kafka.ErrUnknownTopicId, kafka.ErrInvalidRequest:
		return Stale
	}
	return Unknown
}

// Consider looks at all followers as time passes or brokers come and go: members of the ISR that lag behind are to leave it.
// It reports whether there is a new wish and whether the high watermark moved.
func (l Leading) Consider(now kafka.Instant, lag time.Duration, members Members) (moved, wish bool) {
	r := l.r
	if !r.Leads() {
		return false, false
	}
	for i := range r.followers {
		f := &r.followers[i]
		f.joins = f.joins && r.mayJoin(f, members) && now.Mono-f.caughtUp <= JoinWithin
	}
	wish = r.consider(now, lag, members)
	return r.advance(), wish
}

// consider wishes for another ISR where there is reason to, or tells that a switch to durable is over. With a lag of zero nobody is too far
// behind.
func (r *Replica) consider(now kafka.Instant, lag time.Duration, members Members) bool {
	if r.wish.under || now.Mono < r.wish.quietUntil {
		return false
	}
	other := r.other(now, lag, members)
	if !other && !r.hasSettled() {
		return false
	}
	var isr []Member
	for _, n := range r.reg.ISR {
		m := Member{Node: n, BrokerEpoch: -1}
		if f := r.follower(n); f != nil {
			if r.leaves(f, now, lag) {
				continue
			}
			m.BrokerEpoch = f.brokerEpoch
		} else if n == r.self {
			m.BrokerEpoch, _ = members.Member(n)
		}
		isr = append(isr, m)
	}
	for i := range r.followers {
		if f := &r.followers[i]; r.enters(f, members) {
			isr = append(isr, Member{Node: f.node, BrokerEpoch: f.brokerEpoch})
		}
	}
	r.wish.unsure = false
	r.want(isr, !other)
	return true
}

// want makes a wish.
func (r *Replica) want(isr []Member, settled bool) {
	r.wish.last++
	r.wish.under = true
	r.wish.now = Wish{ID: r.wish.last, LeaderEpoch: r.reg.LeaderEpoch, PartitionEpoch: r.reg.PartitionEpoch, ISR: isr, Settled: settled}
}

// keep wishes for the ISR as it is. It is for who was refused and does not know whether an earlier copy of the same request comes yet and
// is granted then, when a member that was refused may join again: that the wish is granted moves the partition epoch, and then no
// copy can be. (Apache Kafka takes the refusal for the last word.)
func (r *Replica) keep() {
	w := &r.wish
	w.doubted = append(w.doubted, w.now.ISR...)
	isr := make([]Member, 0, len(r.reg.ISR))
	for _, n := range r.reg.ISR {
		isr = append(isr, Member{Node: n, BrokerEpoch: -1})
	}
	r.want(isr, false)
}

// other reports whether another ISR is to be wished for.
func (r *Replica) other(now kafka.Instant, lag time.Duration, members Members) bool {
	for i := range r.followers {
		if f := &r.followers[i]; r.leaves(f, now, lag) || r.enters(f, members) {
			return true
		}
	}
	return false
}

func (r *Replica) leaves(f *follower, now kafka.Instant, lag time.Duration) bool {
	return lag > 0 && r.lags(f, now, lag) && slices.Contains(r.reg.ISR, f.node)
}

func (r *Replica) enters(f *follower, members Members) bool {
	return !slices.Contains(r.reg.ISR, f.node) && r.reaches(f) && f.start >= r.began && r.mayJoin(f, members)
}

// Wish returns the wish whose outcome is not known, if there is one. Its members are not to be changed.
func (l Leading) Wish() (Wish, bool) { return l.r.wish.now, l.r.wish.under }

// Answered takes the outcome of a wish; of Granted epoch is what the controller says. Until the metadata shows the outcome the wished
// members count for the high watermark (R6): they may be the ISR already, and one of them elected. A wish that was granted counts
// when its metadata comes, with everything that was decided before it: a leader that went ahead might hold an older
// min.insync.replicas against a newer ISR (ADR 0020). It reports whether Wish has something to send, and whether the high watermark
// moved.
func (l Leading) Answered(now kafka.Instant, w Wish, o Outcome, epoch kafka.PartitionEpoch) (again, moved bool) {
	r := l.r
	if !r.wish.under || w.ID != r.wish.now.ID || w.LeaderEpoch != r.wish.now.LeaderEpoch {
		return false, false
	}
	switch o {
	case Granted:
		if w.Settled {
			r.wish.quietUntil = now.Mono + wishPause // a controller of before ADR 0036 changes nothing, and would be told at once again
		}
		if epoch == r.reg.PartitionEpoch { // there was nothing to change
			r.wish.settled()
			moved = r.advance()
		}
	case Refused:
		if r.wish.unsure || r.wish.doubted != nil {
			r.keep()
			return true, false
		}
		r.wish.settled()
		r.wish.quietUntil = now.Mono + wishPause
		for i := range r.followers {
			r.followers[i].joins = false // until it is heard again: the controller would not have it
		}
		moved = r.advance()
	case Unknown:
		r.wish.unsure = true
		return true, false
	case Stale:
	}
	return false, moved
}
