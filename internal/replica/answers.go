package replica

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	machine "github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/wire"
)

// answered takes an answer, or word that there is none.
func (x *fetcher) answered(serial int, records bool, a peer.Answer, err error) {
	var reply wire.FetchReply
	if err == nil {
		if reply, err = wire.ParseFetchReply(a.Version, a.Body); err == nil && reply.ErrorCode != kafka.ErrNone {
			err = fault.New("replica.Fetch", reply.ErrorCode, "%s", reply.ErrorCode)
		}
		if err != nil {
			a.Release()
		}
	}
	x.mu.Lock()
	if serial != x.asking.serial || x.closed {
		x.mu.Unlock()
		if err == nil {
			a.Release()
		}
		return
	}
	if err != nil {
		x.lost(err)
		return
	}
	x.rest.times = 0
	if x.session.epoch == 0 {
		x.session.id, x.asking.denied = reply.SessionID, reply.SessionID == 0
		if x.session.id != 0 {
			x.session.epoch = 1
		}
	}
	parts := x.match(&reply)
	x.mu.Unlock()
	for i := range parts {
		x.act(&parts[i], records)
	}
	a.Release()
	x.mu.Lock()
	if serial == x.asking.serial {
		if records {
			x.asking.records = false
		} else {
			x.asking.reports--
		}
		if x.session.id == 0 {
			x.anew() // the leader keeps no session for us: each request names everything
		}
	}
	x.mu.Unlock()
	x.pump()
}

// lost begins another session after a while. Called with the mutex held, which it gives up.
func (x *fetcher) lost(err error) {
	first := x.rest.times == 0
	code := fault.CodeOf(err)
	x.anew()
	x.pause()
	x.mu.Unlock()
	if first && code != kafka.ErrFetchSessionIdNotFound && code != kafka.ErrInvalidFetchSessionEpoch {
		x.all.o.Logger.Info("Error sending fetch request; it will be tried again.", "leader", int32(x.to.leader), "address", x.to.addr, "error", err)
	}
}

// part is one partition of an answer.
type part struct {
	d     *followed
	asked machine.Position
	said  wire.ReplyPartition
}

// match finds whom the parts of an answer concern. Called with the mutex held.
func (x *fetcher) match(reply *wire.FetchReply) []part {
	parts := make([]part, 0, reply.Partitions)
	for p := range reply.All {
		d := x.parts[kafka.TopicIDPartition{TopicID: p.TopicID, Partition: p.Partition}]
		if d != nil && !d.over && !d.resting {
			parts = append(parts, part{d, d.asked, p})
		}
	}
	return parts
}

// act does what one partition's part of an answer says. An answer to a report says only why something is refused.
func (x *fetcher) act(p *part, records bool) {
	f, taken := partition.AsFollower(p.d.p), false
	switch code := p.said.ErrorCode; {
	case code == kafka.ErrOffsetOutOfRange:
		x.outOfRange(p)
		return
	case code != kafka.ErrNone:
		x.refused(p.d, "The leader refuses to be fetched from; it will be tried again.", fault.New("replica.Fetch", code, "%s", code))
		return
	case !records:
		return
	case p.said.Diverging.Epoch != kafka.NoLeaderEpoch:
		theirs := partition.EpochEnd{Epoch: p.said.Diverging.Epoch, End: p.said.Diverging.EndOffset}
		cut, ok, err := f.Diverged(p.asked, theirs)
		if err != nil {
			x.refused(p.d, "The log cannot be truncated.", err)
			return
		}
		if taken = ok; ok {
			x.tellCut(p, cut)
		}
	default:
		var err error
		_, taken, err = f.Take(partition.Answer{Asked: p.asked, Records: p.said.Records, High: p.said.HighWatermark, LogStart: p.said.LogStart})
		if err != nil {
			x.refused(p.d, "What the leader sent cannot be appended; it will be fetched again.", err)
			return
		}
	}
	x.mu.Lock()
	if taken {
		p.d.lag = p.behind()
	}
	p.d.rest.times = 0
	if !taken {
		p.d.said = wire.FetchedPartition{} // the leader believes that we heard it: it is to learn where we stand
	}
	x.enqueue(p.d)
	x.mu.Unlock()
}

// behind is how far the follower was behind the leader's high watermark once it had taken an answer.
func (p *part) behind() int64 {
	w, ok, err := partition.AsFollower(p.d.p).Where()
	if !ok || err != nil {
		return 0
	}
	return int64(max(p.said.HighWatermark-w.Offset, 0))
}

func (x *fetcher) tellCut(p *part, c partition.Cut) {
	x.all.o.Logger.Info("Truncated to where the leader's log goes on otherwise.", "partition", p.d.p.Name().String(),
		"offset", int64(c.To), "from", int64(c.From), "leader", int32(x.to.leader), "leaderEpoch", int32(p.asked.LeaderEpoch))
}

// outOfRange asks where the leader's log begins and ends, in the epoch of the answer, and begins anew where it must.
func (x *fetcher) outOfRange(p *part) {
	x.mu.Lock()
	p.d.resting = true // nothing is asked until this is settled
	until := x.all.o.World.Now().Mono - 1
	p.d.rest.until = until
	x.forget(p.d)
	x.mu.Unlock()
	asked := p.asked
	d := p.d
	x.bound(d, asked, earliest, func(start kafka.Offset, err error) {
		if err != nil {
			x.refused(d, "The leader does not tell where its log begins.", err)
			return
		}
		x.bound(d, asked, latest, func(end kafka.Offset, err error) {
			var cut partition.Cut
			ok := false
			if err == nil {
				cut, ok, err = partition.AsFollower(d.p).OutOfRange(asked, start, end)
			}
			if err != nil {
				x.refused(d, "The log cannot be begun anew.", err)
				return
			}
			if ok {
				x.tellCut(&part{d: d, asked: asked}, cut)
			}
			x.rested(d, until)
		})
	})
}

// The timestamps that stand for ends in ListOffsets.
const (
	latest   = -1
	earliest = -2
)

// bound asks for one end of the leader's log.
func (x *fetcher) bound(d *followed, asked machine.Position, which int64, done func(kafka.Offset, error)) {
	m := kmsg.NewPtrListOffsetsRequest()
	m.ReplicaID = int32(x.all.o.Self)
	name := d.p.Name()
	t, q := kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
	t.Topic = name.Topic
	q.Partition, q.Timestamp, q.CurrentLeaderEpoch = name.Partition, which, int32(asked.LeaderEpoch)
	t.Partitions = append(t.Partitions, q)
	m.Topics = append(m.Topics, t)
	x.channel.AskMessage(m, boundTimeout, func(r kmsg.Response, err error) {
		if err != nil {
			done(kafka.NoOffset, err)
			return
		}
		const op = "replica.ListOffsets"
		topics := r.(*kmsg.ListOffsetsResponse).Topics
		if len(topics) != 1 || len(topics[0].Partitions) != 1 {
			done(kafka.NoOffset, fault.New(op, kafka.ErrInvalidRequest, "the leader answers nothing for %s", name))
			return
		}
		q := &topics[0].Partitions[0]
		if code := kafka.ErrorCode(q.ErrorCode); code != kafka.ErrNone {
			done(kafka.NoOffset, fault.New(op, code, "%s", code))
			return
		}
		done(kafka.Offset(q.Offset), nil)
	})
}

// boundTimeout is how long the leader has to tell an end of its log.
const boundTimeout = 10 * time.Second
