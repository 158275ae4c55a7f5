// Package replica decides one partition replica's offsets: high watermark, durable offset, who is in sync, where a
// follower fetches and what it truncates.
//
// It is pure: partition.Partition tells it what happened (an append, a finished flush, a follower's fetch, a new
// registration from the image) and asks where the high watermark stands. It never reads a log and never waits.
//
// Invariants (reliability.md R5, R6, R8, R10-R12): the high watermark never goes back while the epoch lasts and never
// passes the log end; it is the minimum over the maximal ISR (committed members and those of a wish whose outcome is not
// known) of the offset that counts, which is the durable one, or the log end under page-cache durability; it does not move
// while the ISR is below min.insync.replicas, or below all replicas where they are fewer (KIP-966). A follower is wished
// into the ISR only when what counts of it has reached the high watermark and the start of this leader's epoch, and one
// wish at a time is under way. What a leader answers is acted on only where exactly the position stands that it was asked
// for. An older registration changes nothing. Going from page-cache durability to the other takes two phases (switch.go).
package replica

import (
	"slices"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/mutant"
)

// Durability says which offset counts for the high watermark (architecture D5).
type Durability uint8

const (
	// Synced counts what is on stable storage: the default.
	Synced Durability = iota
	// Cached counts what is in the page cache, Apache Kafka's semantics.
	Cached
)

// Registration is the part of the partition's metadata that a replica acts on.
type Registration struct {
	Leader         kafka.NodeID
	LeaderEpoch    kafka.LeaderEpoch
	PartitionEpoch kafka.PartitionEpoch
	Replicas       []kafka.NodeID
	ISR            []kafka.NodeID
	Settling       bool // the controller holds it to the rules of the page cache until its leader says that the switch is over
}

// Replica is the state of this node's replica of one partition.
type Replica struct {
	self       kafka.NodeID
	reg        Registration
	epochStart kafka.Offset  // where this leader's epoch begins in the log
	leadsFrom  time.Duration // on the leader: when this leadership began
	began      kafka.Offset  // on the leader: who joins the ISR has a log that begins here or later
	end        kafka.Offset
	durable    kafka.Offset
	high       kafka.Offset
	minISR     int
	rules      Durability   // what the high watermark follows
	wanted     Durability   // as configured; the rules follow when it is safe
	switchAt   kafka.Offset // while they differ: what has to be durable on every ISR member
	followers  []follower   // of the current registration, sorted by node; only on the leader
	wish       wishing
}

// New starts a replica from what its log and checkpoint say; it leads nothing yet.
func New(self kafka.NodeID, end, durable, highWatermark kafka.Offset) *Replica {
	must.Hold(durable <= end, "replica starts with durable %d past end %d", durable, end)
	return &Replica{
		self: self, end: end, durable: durable, high: min(highWatermark, end), minISR: 1,
		reg: Registration{Leader: kafka.NoNode, LeaderEpoch: kafka.NoLeaderEpoch},
	}
}

// Register takes a newer registration. A replica that becomes leader, or leads on in a newer epoch, forgets what it
// knew of its followers; the members of the ISR have from now on replica.lag.time.max.ms to show themselves. A wish that is
// under way is settled by whatever has a newer partition epoch, since it can be granted only at its own. Register reports
// whether this node's leadership began (a new epoch to be written into the log's epoch cache) and whether the high watermark
// moved. An older registration changes nothing.
func (r *Replica) Register(now kafka.Instant, reg Registration) (began, moved bool) {
	if reg.PartitionEpoch < r.reg.PartitionEpoch || reg.LeaderEpoch < r.reg.LeaderEpoch {
		return false, false
	}
	began = reg.Leader == r.self && (r.reg.Leader != r.self || reg.LeaderEpoch > r.reg.LeaderEpoch)
	if began || reg.Leader != r.self || reg.PartitionEpoch > r.reg.PartitionEpoch {
		r.wish.settled()
	}
	r.reg = reg
	if reg.Leader != r.self {
		r.followers, r.began = nil, 0
		return false, false
	}
	if began {
		r.epochStart, r.switchAt, r.leadsFrom = r.end, r.end, now.Mono
		r.take(reg.Settling)
		r.followers = nil
		r.wish.quietUntil = 0
	}
	r.meet(now)
	return began, r.advance()
}

// Appended tells the new log end; it reports whether the high watermark moved.
func (r *Replica) Appended(end kafka.Offset) bool {
	if end < r.end { // the arguments of must.Hold would be allocated with each append
		must.Hold(false, "log end went back from %d to %d on append", r.end, end)
	}
	r.end = end
	return r.advance()
}

// Flushed tells that everything below durable is on stable storage; it reports whether the high watermark moved.
func (r *Replica) Flushed(durable kafka.Offset) bool {
	if durable <= r.durable {
		return false
	}
	if durable > r.end {
		must.Hold(false, "durable offset %d past the log end %d", durable, r.end)
	}
	r.durable = durable
	return r.advance()
}

// Truncated tells that the log was cut; the high watermark follows the end down.
func (r *Replica) Truncated(end kafka.Offset) {
	r.end, r.durable, r.high, r.switchAt = end, min(r.durable, end), min(r.high, end), min(r.switchAt, end)
}

// advance moves the high watermark as far as the rules allow, after the rules themselves.
func (r *Replica) advance() bool {
	r.settleSwitch()
	if !r.Leads() || !r.EnoughInSync() && !mutant.On(mutant.HighWatermarkBelowISR) {
		return false
	}
	end, durable, known := r.inSync()
	low := end
	if r.rules == Synced {
		low = durable
	}
	low = min(low, r.joining())
	if !known || low == r.high || low < r.high && !mutant.On(mutant.HighWatermarkBack) {
		return false
	}
	if low > r.end {
		must.Hold(false, "high watermark %d past the log end %d", low, r.end)
	}
	r.high = low
	return true
}

// inSync returns the least log end and the least durable offset of the maximal ISR; known is false while the ISR has a
// member that we know nothing of, which holds everything.
func (r *Replica) inSync() (end, durable kafka.Offset, known bool) {
	end, durable = r.end, r.durable
	if mutant.On(mutant.AckBeforeFlush) {
		durable = end
	}
	for _, n := range r.reg.ISR {
		if n == r.self || mutant.On(mutant.IgnoredMember) && n == slices.Max(r.reg.ISR) {
			continue
		}
		f := r.follower(n)
		if f == nil {
			return kafka.NoOffset, kafka.NoOffset, false
		}
		end, durable = min(end, f.end), min(durable, f.durable)
	}
	if r.wish.under && !mutant.On(mutant.ForgottenWish) {
		for _, list := range [...][]Member{r.wish.now.ISR, r.wish.doubted} {
			for _, m := range list {
				if f := r.follower(m.Node); f != nil {
					end, durable = min(end, f.end), min(durable, f.durable)
				}
			}
		}
	}
	return end, durable, true
}

// Leads reports whether this node leads the partition.
func (r *Replica) Leads() bool { return r.reg.Leader == r.self && r.self != kafka.NoNode }

// Registration returns the newest registration taken.
func (r *Replica) Registration() Registration { return r.reg }

// HighWatermark returns the offset below which records are committed.
func (r *Replica) HighWatermark() kafka.Offset { return r.high }

// EpochStart returns the log end at which this leader's epoch began; meaningful only on the leader.
func (r *Replica) EpochStart() kafka.Offset { return r.epochStart }

// EnoughInSync reports whether acks=all writes may be taken: the ISR has min.insync.replicas members, or every replica of
// a partition that has fewer, as Apache Kafka counts.
func (r *Replica) EnoughInSync() bool { return len(r.reg.ISR) >= min(r.minISR, len(r.reg.Replicas)) }

// MinISR returns min.insync.replicas as configured.
func (r *Replica) MinISR() int { return r.minISR }

// Check compares a request's leader epoch with ours as KIP-320 asks: -1 is no check.
func (r *Replica) Check(epoch kafka.LeaderEpoch) kafka.ErrorCode {
	switch {
	case epoch == kafka.NoLeaderEpoch || epoch == r.reg.LeaderEpoch:
		return kafka.ErrNone
	case epoch < r.reg.LeaderEpoch:
		return kafka.ErrFencedLeaderEpoch
	default:
		return kafka.ErrUnknownLeaderEpoch
	}
}
