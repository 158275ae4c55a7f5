package replica

import (
	"math"
	"slices"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	machine "github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/wire"
)

// pump asks what there is to ask. One caller at a time does it; who comes meanwhile leaves a note.
func (x *fetcher) pump() {
	x.mu.Lock()
	if x.asking.pumping {
		x.asking.again = true
		x.mu.Unlock()
		return
	}
	x.asking.pumping = true
	for {
		x.asking.again = false
		more := x.ask()
		if !more && !x.asking.again {
			x.asking.pumping = false
			x.mu.Unlock()
			return
		}
	}
}

// deniedWaitMs is how long a leader that keeps no session for a follower may hold its Fetch back, in milliseconds.
const deniedWaitMs = 10

// ask makes one request, if there is one to make. Called with the mutex held, which it gives up in between.
func (x *fetcher) ask() (more bool) {
	if !x.may() || x.asking.records && len(x.unsaid)+len(x.gone) == 0 {
		return false
	}
	all := x.take()
	x.mu.Unlock()
	for i := range all {
		f := partition.AsFollower(all[i].d.p)
		all[i].where, all[i].follows, all[i].err = f.Where()
		all[i].throttled = f.Throttled()
	}
	clusterID, broker := x.all.o.Identity()
	o := x.all.o.Settings()
	x.mu.Lock()
	if !x.may() {
		for _, a := range all {
			x.enqueue(a.d)
		}
		return false
	}
	records := !x.asking.records
	c := wire.FetchCall{
		ClusterID: clusterID, Replica: x.all.o.Self, BrokerEpoch: broker, MinBytes: o.MinBytes,
		SessionID: x.session.id, SessionEpoch: x.session.epoch,
	}
	var newly bool
	c.Partitions, newly = x.say(all, o.MaxBytes)
	c.Forget = x.gone
	if records {
		c.MaxBytes, c.MaxWaitMs = o.ResponseBytes, int32(o.Wait.Milliseconds())
		switch {
		case x.session.epoch != 0:
		case x.asking.denied: // what becomes durable meanwhile can be said with the next Fetch only
			c.MaxWaitMs = min(c.MaxWaitMs, deniedWaitMs)
		default:
			c.MaxWaitMs = 0 // until the session stands nobody else can be named, and all that one leader lost come within a moment
		}
	} else if newly {
		c.MinBytes = 0 // the Fetch that waits for records does not wait for theirs
	}
	if x.session.size == 0 || !records && len(c.Partitions) == 0 && len(c.Forget) == 0 {
		return false
	}
	x.gone = nil
	x.mark(records, all)
	serial := x.asking.serial
	if x.session.id != 0 {
		x.session.epoch = nextEpoch(x.session.epoch)
	}
	c.Sort()
	x.mu.Unlock()
	x.channel.Ask(peer.Request{
		API: x.all.api, Timeout: o.Timeout + o.Wait,
		Body: c.AppendTo,
		Done: func(a peer.Answer, err error) { x.answered(serial, records, a, err) },
	})
	x.mu.Lock()
	return true
}

// may reports whether something may be asked now. Called with the mutex held.
func (x *fetcher) may() bool {
	if x.closed || len(x.parts) == 0 || x.all.o.World.Now().Mono < x.rest.until {
		return false
	}
	// A report is of a session that stands.
	return !x.asking.records || x.session.id != 0 && x.asking.reports < maxReports
}

// standing is where a partition stands at the moment.
type standing struct {
	d       *followed
	where   partition.Where
	follows bool
	err     error
	told    bool

	throttled bool // it is not to be asked for at the moment
}

// take takes the partitions that the session is to hear of; a new one hears of all. Called with the mutex held.
func (x *fetcher) take() []standing {
	if x.session.epoch == 0 {
		for _, id := range sorted(x.parts) {
			x.enqueue(x.parts[id])
		}
	}
	all := make([]standing, 0, len(x.unsaid))
	for _, d := range x.unsaid {
		d.queued = false
		if !d.over && !d.resting {
			all = append(all, standing{d: d})
		}
	}
	clear(x.unsaid)
	x.unsaid = x.unsaid[:0]
	return all
}

// say makes of where the partitions stand what the session is told, and leaves out what it knows. Called with the mutex held.
func (x *fetcher) say(all []standing, maxBytes int32) (out []wire.FetchedPartition, newly bool) {
	for i := range all {
		a := &all[i]
		switch {
		case a.d.over || a.d.resting:
			continue
		case a.err != nil || !a.follows:
			x.forget(a.d) // its disk failed, or the metadata names no leader: news of it comes by Follow
			continue
		}
		if a.throttled {
			x.forget(a.d)
			x.hold(a.d)
			continue
		}
		w := &a.where
		said := wire.FetchedPartition{
			TopicID: a.d.id.TopicID, Partition: a.d.id.Partition, CurrentEpoch: w.LeaderEpoch, LastFetchedEpoch: w.LastEpoch,
			FetchOffset: w.Offset, LogStart: w.LogStart, HighWatermark: w.High, Durable: w.Durable, MaxBytes: maxBytes,
		}
		if a.d.known && same(&said, &a.d.said) {
			continue
		}
		if !a.d.known {
			a.d.known = true
			x.session.size++
			x.gone = slices.DeleteFunc(x.gone, func(g wire.FetchedPartition) bool { // a session forgets after it was told
				return g.TopicID == said.TopicID && g.Partition == said.Partition
			})
		}
		newly = newly || a.d.newly
		a.d.said, a.d.stands, a.d.newly, a.told = said, w.Position, false, true
		out = append(out, said)
	}
	return out, newly
}

func same(a, b *wire.FetchedPartition) bool {
	return a.CurrentEpoch == b.CurrentEpoch && a.LastFetchedEpoch == b.LastFetchedEpoch && a.FetchOffset == b.FetchOffset &&
		a.LogStart == b.LogStart && a.HighWatermark == b.HighWatermark && a.Durable == b.Durable && a.MaxBytes == b.MaxBytes
}

// mark notes what is under way. A Fetch for records names whatever was said last of every partition. Called with the mutex held.
func (x *fetcher) mark(records bool, all []standing) {
	if !records {
		x.asking.reports++
		for _, a := range all {
			if a.told {
				x.reported = append(x.reported, a.d)
			}
		}
		return
	}
	x.asking.records = true
	for _, a := range all {
		if a.told {
			a.d.asked = a.d.stands
		}
	}
	for _, d := range x.reported {
		d.asked = d.stands
	}
	clear(x.reported)
	x.reported = x.reported[:0]
}

// nextEpoch is the epoch of a session's next request.
func nextEpoch(e int32) int32 {
	if e == math.MaxInt32 {
		return 1
	}
	return e + 1
}

// anew begins another session with the next Fetch: what is under way in the old one says nothing any more. Called with the
// mutex held.
func (x *fetcher) anew() {
	x.session, x.gone = session{}, nil
	x.asking.records, x.asking.reports = false, 0
	x.asking.serial++
	clear(x.reported)
	x.reported = x.reported[:0]
	for _, d := range x.parts {
		d.known, d.asked, d.stands = false, machine.Position{}, machine.Position{}
	}
}

// pause has the fetcher rest, and go on. Called with the mutex held.
func (x *fetcher) pause() {
	if x.closed {
		return
	}
	d := x.rest.begin(x.all.o.World.Now().Mono, x.all.o.Settings().Backoff)
	if x.retry != nil {
		x.retry.Stop()
	}
	x.retry = x.all.o.World.After(d, x.pump)
}

// usualRests is how often a leader may refuse a follower before that is worth a line.
const usualRests = 5

// refused has one partition rest: it is not asked for until its time is over, or news of it comes.
func (x *fetcher) refused(d *followed, why string, err error) {
	x.mu.Lock()
	if d.over || x.closed {
		x.mu.Unlock()
		return
	}
	x.forget(d)
	tell := d.rest.times == 0
	switch fault.CodeOf(err) {
	case kafka.ErrUnknownLeaderEpoch, kafka.ErrFencedLeaderEpoch, kafka.ErrNotLeaderOrFollower:
		tell = d.rest.times == usualRests // one of the two is a moment behind the other, as with each change of leaders
	}
	d.resting = true
	now := x.all.o.World.Now().Mono
	wait := d.rest.begin(now, x.all.o.Settings().Backoff)
	until := d.rest.until
	x.all.o.World.After(wait, func() { x.rested(d, until) })
	x.mu.Unlock()
	if tell {
		x.all.o.Logger.Info(why, "partition", d.p.Name().String(), "leader", int32(x.to.leader), "error", err)
	}
}

// throttlePause is how long a throttled partition is not asked for before the rate is looked at again.
const throttlePause = 100 * time.Millisecond

// hold has a throttled partition rest (KIP-73). Called with the mutex held.
func (x *fetcher) hold(d *followed) {
	d.resting = true
	until := x.all.o.World.Now().Mono + throttlePause
	d.rest.until = until
	x.all.o.World.After(throttlePause, func() { x.rested(d, until) })
}

// rested ends a partition's rest, unless news of it ended it before.
func (x *fetcher) rested(d *followed, until time.Duration) {
	x.mu.Lock()
	if d.over || !d.resting || d.rest.until != until {
		x.mu.Unlock()
		return
	}
	d.resting, d.newly = false, true
	opened := d.open
	x.enqueue(d)
	x.mu.Unlock()
	if !opened {
		x.openLater(d)
		return
	}
	x.pump()
}
