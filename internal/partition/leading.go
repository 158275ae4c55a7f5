package partition

import (
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/mutant"
)

// Leading is a partition as its followers and the controller see it. Its methods are safe for concurrent use.
type Leading struct{ p *Partition }

// AsLeader returns what followers ask of a partition, and what is to be told to the controller.
func AsLeader(p *Partition) Leading { return Leading{p} }

// ReplicaRead is one partition of a follower's Fetch.
type ReplicaRead struct {
	Node         kafka.NodeID
	BrokerEpoch  kafka.BrokerEpoch
	CurrentEpoch kafka.LeaderEpoch
	LastEpoch    kafka.LeaderEpoch // of the last record it has, -1 for none
	From         kafka.Offset
	LogStart     kafka.Offset // of its log
	Durable      kafka.Offset // NoOffset when it does not say
	Again        bool         // where it stands was noted before: it only reads
	MaxBytes     int          // 0 only tells where it stands
	MinOne       bool
}

// Read takes note of where a follower stands, and returns records up to the log end, committed or not, as of after that note:
// the high watermark that it moved is in the same answer. Where the logs part it notes nothing and says where. Errors:
// NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH (also for a node that is no replica yet),
// OFFSET_OUT_OF_RANGE, KAFKA_STORAGE_ERROR, CORRUPT_MESSAGE.
func (l Leading) Read(r ReplicaRead) (Records, error) {
	p := l.p
	out, from, err := l.note(r)
	if err != nil || out.Diverging != nil || r.MaxBytes <= 0 && !r.MinOne || r.From >= from.end || from.held {
		return out, err
	}
	out.Slice, err = from.log.Read(r.From, log.ReadOptions{MaxBytes: r.MaxBytes, MinOne: r.MinOne, Upper: from.end, Sparing: !r.MinOne})
	if err != nil && p.replaced(from.log) {
		return l.Read(r)
	}
	unreadable(p, err)
	if from.rate != nil {
		from.rate.Take(p.at().World.Now().Mono, int(out.Slice.Len))
	}
	return out, err
}

// source is the log that a follower reads, and its end.
type source struct {
	log  *log.Log
	end  kafka.Offset
	held bool  // not now: the follower is throttled
	rate *Rate // what it counts against, nil for nothing
}

// note takes note of where a follower stands.
func (l Leading) note(r ReplicaRead) (out Records, from source, err error) {
	p := l.p
	out = Records{High: kafka.NoOffset, LastStable: kafka.NoOffset, LogStart: kafka.NoOffset, traffic: p.Traffic, replica: true}
	p.mu.Lock()
	if err := p.hear(&r); err != nil {
		p.mu.Unlock()
		return out, from, err
	}
	o := p.offsets()
	out.Diverging, err = p.parted(p.log, p.reg.LeaderEpoch, o, r.From, r.LastEpoch)
	var calls []func()
	if mutant.On(mutant.DivergenceNotAsked) {
		out.Diverging = nil
	}
	if err == nil && out.Diverging == nil && !r.Again {
		calls = p.progress(replica.Progress{
			Node: r.Node, BrokerEpoch: r.BrokerEpoch, Start: r.LogStart, End: r.From, Durable: r.Durable,
		})
		o = p.offsets()
	}
	if r.From >= o.End {
		p.log.Follow()
	}
	out.High, out.LastStable, out.LogStart, out.Moves = o.High, o.LastStable, o.LogStart, p.watchers.grown
	throttle := &p.cfg.Throttles.Leader
	from = source{p.log, o.End, p.throttles(throttle, r.Node), throttle.of(p.name.Partition)}
	p.mu.Unlock()
	run(calls)
	return out, from, err
}

// hear checks whether a follower's Fetch is heard. Called with the mutex held.
func (p *Partition) hear(r *ReplicaRead) error {
	if err := p.ready(); err != nil {
		return err
	}
	code := p.rep.Leading().Admit(r.Node, r.BrokerEpoch, r.CurrentEpoch)
	if code == kafka.ErrNone {
		return nil
	}
	return fault.New("partition", code, "%s is at leader epoch %d of node %d; node %d in its broker epoch %d asks at leader epoch %d",
		p.name, p.reg.LeaderEpoch, p.reg.Leader, r.Node, r.BrokerEpoch, r.CurrentEpoch)
}

// progress tells the machine where a follower stands. Called with the mutex held.
func (p *Partition) progress(at replica.Progress) []func() {
	e := p.at()
	if e.Replication == nil {
		return nil
	}
	moved, wish := p.rep.Leading().Fetched(e.World.Now(), at, e.Replication)
	calls := append(p.settle(moved), p.begun()...)
	if wish {
		calls = append(calls, p.wished)
	}
	p.lookLater()
	return calls
}

// wished passes the word that there is a wish.
func (p *Partition) wished() { p.at().Replication.Wish(p) }

// lookLater sees to it that a follower that is about to join and isn't heard any more doesn't hold the high watermark up for
// long. Called with the mutex held.
func (p *Partition) lookLater() {
	if p.waits.look || !p.rep.Leading().Joining() {
		return
	}
	p.waits.look = true
	p.at().World.After(replica.JoinWithin+time.Millisecond, func() {
		p.mu.Lock()
		p.waits.look = false
		p.mu.Unlock()
		AsLeader(p).Consider(0)
	})
}

// Consider looks at the followers again, because time passed or brokers came or went: who has lagged for longer than lag
// (replica.lag.time.max.ms) is to leave the ISR; zero judges nobody for that.
func (l Leading) Consider(lag time.Duration) {
	p := l.p
	p.mu.Lock()
	e := p.at()
	if p.gone != nil || p.log == nil || e.Replication == nil {
		p.mu.Unlock()
		return
	}
	moved, wish := p.rep.Leading().Consider(e.World.Now(), lag, e.Replication)
	calls := p.settle(moved)
	if wish {
		calls = append(calls, p.wished)
	}
	p.lookLater()
	p.mu.Unlock()
	run(calls)
}

// Wish returns what this leader wants the controller to make the ISR, until an outcome was told or newer metadata came.
func (l Leading) Wish() (w replica.Wish, ok bool) {
	p := l.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone != nil || p.rep == nil {
		return replica.Wish{}, false
	}
	return p.rep.Leading().Wish()
}

// Answered tells the outcome of a wish: the error code for the partition, and for NONE the partition epoch of the answer. Where
// nothing is certain Replication.Wish is called again.
func (l Leading) Answered(w replica.Wish, code kafka.ErrorCode, epoch kafka.PartitionEpoch) {
	p := l.p
	p.mu.Lock()
	if p.gone != nil || p.rep == nil {
		p.mu.Unlock()
		return
	}
	again, moved := p.rep.Leading().Answered(p.at().World.Now(), w, replica.OutcomeOf(code), epoch)
	p.reg = p.rep.Registration()
	calls := append(p.settle(moved), p.begun()...)
	if again {
		calls = append(calls, p.wished)
	}
	p.mu.Unlock()
	run(calls)
}

// Latest is where the log ends, committed or not, and the epoch that leads: what a follower learns that is out of range.
func (l Leading) Latest(epoch kafka.LeaderEpoch) (Found, error) {
	p := l.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.lead(epoch); err != nil {
		return notFound, err
	}
	return Found{Offset: p.log.Offsets().End, TimestampMs: -1, Epoch: p.reg.LeaderEpoch}, nil
}

// Rivals are the others that may lead after an epoch, as far as this leader of it knows (replica.Leading).
func (l Leading) Rivals(epoch kafka.LeaderEpoch) ([]kafka.NodeID, error) {
	p := l.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.lead(epoch); err != nil {
		return nil, err
	}
	return p.rep.Leading().Rivals(), nil
}

// Node is the broker that this replica is on.
func (l Leading) Node() kafka.NodeID { return l.p.at().Self }

// Followers appends what is known of the followers.
func (l Leading) Followers(dst []replica.Known) []replica.Known {
	p := l.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rep == nil || !p.rep.Leads() {
		return dst
	}
	return p.rep.Leading().Followers(p.at().World.Now(), dst)
}

// Explain appends what is known of the followers with what each waits for; of a log that nobody has opened, nothing.
func (l Leading) Explain(dst []replica.Explained) []replica.Explained {
	p := l.p
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.at()
	if p.rep == nil || !p.rep.Leads() || e.Replication == nil {
		return dst
	}
	return p.rep.Leading().Explain(e.World.Now(), e.Replication, dst)
}
