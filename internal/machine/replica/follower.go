package replica

import (
	"math"
	"slices"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/mutant"
)

// Members tells what the metadata says of brokers: the epoch under which one is registered, and whether it may join an ISR,
// being neither fenced nor about to stop (KIP-841, KIP-903).
type Members interface {
	Member(kafka.NodeID) (epoch kafka.BrokerEpoch, eligible bool)
}

// Progress is what a follower's Fetch tells of it. Its log is the leader's as far as it goes, and the leader epoch has been
// compared: Admit and a look for divergence come before.
type Progress struct {
	Node        kafka.NodeID
	BrokerEpoch kafka.BrokerEpoch // of the process that asks; -1 when it does not say
	Start       kafka.Offset      // of its log
	End         kafka.Offset      // where it fetches
	Durable     kafka.Offset      // NoOffset when it does not say: then none of it counts as durable
}

// follower is what the leader knows of another replica.
type follower struct {
	node        kafka.NodeID
	brokerEpoch kafka.BrokerEpoch
	start       kafka.Offset
	end         kafka.Offset
	durable     kafka.Offset
	caughtUp    time.Duration // when the leader had last no more than what counts of the follower now
	heard       time.Duration // when its last Fetch came
	mark        mark
	joins       bool // it is about to be in sync: the high watermark waits for it
}

// mark is a moment that a follower has yet to come up to: what the leader had at that time.
type mark struct {
	end kafka.Offset
	at  time.Duration
}

// never is before every moment.
const never = time.Duration(math.MinInt64 / 2)

// JoinWithin is how far behind a follower outside the ISR may be for the high watermark to wait for it. Under steady writes
// the high watermark is past the follower's offset at each of its fetches, and without waiting it would never be in sync;
// Apache Kafka waits, too, for whoever was caught up within replica.lag.time.max.ms.
const JoinWithin = time.Second

// meet makes the list of followers anew, and keeps what is known of those that stay. Whoever is in the ISR counts as caught up
// now, before it was heard of.
func (r *Replica) meet(now kafka.Instant) {
	known := r.followers
	r.followers = make([]follower, 0, len(r.reg.Replicas))
	for _, n := range r.reg.Replicas {
		if n == r.self {
			continue
		}
		f := follower{
			node: n, brokerEpoch: -1, start: kafka.NoOffset, end: kafka.NoOffset, durable: kafka.NoOffset, caughtUp: never, heard: never,
			mark: mark{end: r.end, at: now.Mono},
		}
		i := slices.IndexFunc(known, func(k follower) bool { return k.node == n })
		member := slices.Contains(r.reg.ISR, n)
		if i >= 0 {
			f = known[i]
		} else if member {
			f.caughtUp = now.Mono
		}
		f.joins = f.joins && !member
		r.followers = append(r.followers, f)
	}
	slices.SortFunc(r.followers, func(a, b follower) int { return int(a.node) - int(b.node) })
}

func (r *Replica) follower(n kafka.NodeID) *follower {
	for i := range r.followers {
		if r.followers[i].node == n {
			return &r.followers[i]
		}
	}
	return nil
}

// Leading is a replica as the leader of its followers.
type Leading struct{ r *Replica }

// Leading returns what a leader hears of its followers and wishes for them.
func (r *Replica) Leading() Leading { return Leading{r} }

// Admit says whether a replica's Fetch is heard at all (R11): only in the leader's own epoch, which it has to name, of a node
// that is a replica, and of no process older than the last one heard (KIP-903).
func (l Leading) Admit(node kafka.NodeID, brokerEpoch kafka.BrokerEpoch, epoch kafka.LeaderEpoch) kafka.ErrorCode {
	r := l.r
	if code := r.Check(epoch); code != kafka.ErrNone && !mutant.On(mutant.NoFetchFencing) {
		return code
	}
	if !r.Leads() {
		return kafka.ErrNotLeaderOrFollower
	}
	if epoch == kafka.NoLeaderEpoch {
		return kafka.ErrFencedLeaderEpoch
	}
	f := r.follower(node)
	switch {
	case f == nil:
		return kafka.ErrUnknownLeaderEpoch // as Kafka: metadata that names it as a replica may not have come yet, try again
	case brokerEpoch < f.brokerEpoch:
		return kafka.ErrNotLeaderOrFollower
	}
	return kafka.ErrNone
}

// Fetched tells where a follower stands that was admitted. It reports whether the high watermark moved and whether a wish
// came of it. What cannot be is not believed.
func (l Leading) Fetched(now kafka.Instant, p Progress, members Members) (moved, wish bool) {
	r := l.r
	f := r.follower(p.Node)
	if f == nil || p.End > r.end || p.Durable > p.End || p.BrokerEpoch < f.brokerEpoch {
		return false, false
	}
	f.brokerEpoch, f.start, f.end, f.durable, f.heard = p.BrokerEpoch, p.Start, p.End, p.Durable, now.Mono
	if mutant.On(mutant.FollowerFlushAssumed) {
		f.durable = p.End
	}
	switch c := r.counted(f); {
	case c >= r.end:
		f.caughtUp, f.mark = now.Mono, mark{r.end, now.Mono}
	case c >= f.mark.end:
		f.caughtUp, f.mark = max(f.caughtUp, f.mark.at), mark{r.end, now.Mono}
	}
	if f.joins = false; !slices.Contains(r.reg.ISR, f.node) {
		f.joins = r.mayJoin(f, members) && now.Mono-f.caughtUp <= JoinWithin
		wish = r.enters(f, members) && r.consider(now, 0, members)
	}
	moved = r.advance()
	if !wish && r.hasSettled() {
		wish = r.consider(now, 0, members)
	}
	return moved, wish
}

// counted is the offset of a follower that counts: the durable one, unless the page cache is trusted (D5).
func (r *Replica) counted(f *follower) kafka.Offset {
	if r.rules == Synced {
		return f.durable
	}
	return f.end
}

// reaches reports R8's condition: the follower holds all that is committed and all of earlier epochs. Without the second a
// follower might join that lacks what this leader brought along and commits only now (Kip320.tla, rule 4).
func (r *Replica) reaches(f *follower) bool {
	return r.counted(f) >= r.high && (r.counted(f) >= r.epochStart || mutant.On(mutant.EarlyExpansion))
}

// mayJoin reports whether the metadata lets a follower into the ISR: it is the process that is registered (KIP-903).
func (r *Replica) mayJoin(f *follower, members Members) bool {
	epoch, eligible := members.Member(f.node)
	return eligible && f.brokerEpoch == epoch && epoch >= 0
}

// joining returns the least offset that counts of the followers that are about to be in sync, or the log end.
func (r *Replica) joining() kafka.Offset {
	low := r.end
	for i := range r.followers {
		if f := &r.followers[i]; f.joins {
			low = min(low, r.counted(f))
		}
	}
	return low
}

// Joining reports whether the high watermark waits for a follower outside the ISR: then Consider has to come soon, in case
// that one is not heard any more.
func (l Leading) Joining() bool {
	r := l.r
	for i := range r.followers {
		if r.followers[i].joins {
			return true
		}
	}
	return false
}

// lags reports whether a follower has not been caught up for so long (replica.lag.time.max.ms); in durable mode a disk that
// hangs counts like a network that does (D5).
func (r *Replica) lags(f *follower, now kafka.Instant, lag time.Duration) bool {
	return r.counted(f) < r.end && now.Mono-f.caughtUp > lag
}

// Heard is the process of each follower that was heard last, by its broker epoch; -1 for none.
func (l Leading) Heard() map[kafka.NodeID]kafka.BrokerEpoch {
	out := map[kafka.NodeID]kafka.BrokerEpoch{}
	for i := range l.r.followers {
		out[l.r.followers[i].node] = l.r.followers[i].brokerEpoch
	}
	return out
}

// Rivals are those who may lead next without our hearing of it: the others in the ISR, also in what it may be by a wish.
func (l Leading) Rivals() (out []kafka.NodeID) {
	r := l.r
	for _, n := range r.reg.ISR {
		if n != r.self {
			out = append(out, n)
		}
	}
	for i := range r.followers {
		if n := r.followers[i].node; r.wish.names(n) && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// Known is what the leader knows of a follower, for those who show it or choose among replicas to read from.
type Known struct {
	Node                kafka.NodeID
	InSync              bool
	Start, End, Durable kafka.Offset
	Behind              time.Duration // since when it lacks something, zero for nothing; negative when it was never caught up
}

// Followers appends what is known of the followers, by node.
func (l Leading) Followers(now kafka.Instant, dst []Known) []Known {
	r := l.r
	for i := range r.followers {
		f := &r.followers[i]
		out := Known{Node: f.node, InSync: slices.Contains(r.reg.ISR, f.node), Start: f.start, End: f.end, Durable: f.durable}
		switch {
		case r.counted(f) >= r.end:
		case f.caughtUp == never:
			out.Behind = -1
		default:
			out.Behind = now.Mono - f.caughtUp
		}
		dst = append(dst, out)
	}
	return dst
}
