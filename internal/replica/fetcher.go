package replica

import (
	"sync"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	machine "github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// fetcher asks one leader on one connection, in one session (KIP-227).
type fetcher struct {
	all     *Fetchers
	to      link
	channel *peer.Channel

	mu       sync.Mutex
	parts    map[kafka.TopicIDPartition]*followed
	unsaid   []*followed // whose standing the session doesn't know yet
	reported []*followed // whose standing a report told since the last Fetch for records
	gone     []wire.FetchedPartition
	session  session
	asking   asking
	rest     rest
	retry    world.Timer // of the rest's end; nil for none
	closed   bool
}

// followed is one partition that follows.
type followed struct {
	of *fetcher
	id kafka.TopicIDPartition
	p  *partition.Partition

	// Under the fetcher's mutex.
	over    bool // it is not followed any more
	open    bool // its log is
	queued  bool // in unsaid
	said    wire.FetchedPartition
	known   bool             // the session has said
	asked   machine.Position // what the Fetch for records that is under way named; zero for none
	stands  machine.Position // what said stands for
	rest    rest
	resting bool  // it is not asked for until its rest is over
	newly   bool  // there was news of it since the session was told of it
	lag     int64 // records below the leader's high watermark that it had not, at the last answer
}

// session is what the leader keeps of us.
type session struct {
	id    int32 // 0 for none
	epoch int32 // of the next request
	size  int   // partitions that it knows
}

// asking is what is under way.
type asking struct {
	pumping bool
	again   bool
	records bool
	reports int
	serial  int  // of the session: answers to an older one say nothing
	denied  bool // the leader keeps no session for us
}

// maxReports is how many reports may wait for their answers: each is of a flush that ended meanwhile.
const maxReports = 8

// rest is a pause after refusals, which grows with each.
type rest struct {
	until time.Duration
	times int
}

// firstRest is the pause after the first refusal: most often the other node's metadata is a moment behind ours.
const firstRest = 5 * time.Millisecond

// begin sets the next pause.
func (r *rest) begin(now, most time.Duration) time.Duration {
	d := min(firstRest<<min(r.times, 20), most)
	r.times++
	r.until = now + d
	return d
}

func newFetcher(all *Fetchers, to link) *fetcher {
	x := &fetcher{all: all, to: to, parts: map[kafka.TopicIDPartition]*followed{}}
	x.channel = all.o.Peers.Channel(to.addr, func(e peer.Ending) { all.o.Ended(to.leader, e) })
	return x
}

// follow takes a partition, or hears that there is news of it.
func (x *fetcher) follow(id kafka.TopicIDPartition, p *partition.Partition) *followed {
	x.mu.Lock()
	defer x.mu.Unlock()
	d := x.parts[id]
	if d != nil && d.p == p {
		closed := d.resting && !d.open // nobody is opening its log, and the end of a rest that is over does nothing
		d.rest, d.resting, d.newly = rest{}, false, true
		if x.enqueue(d); closed {
			x.openLater(d)
		}
		return d
	}
	if d != nil {
		d.over = true
	}
	d = &followed{of: x, id: id, p: p, newly: true}
	x.parts[id] = d
	x.openLater(d)
	return d
}

// openLater opens the log where that may take its time; then the partition is asked for.
func (x *fetcher) openLater(d *followed) {
	run := x.all.o.World.Go
	if x.all.o.Opening != nil {
		run = x.all.o.Opening.Go
	}
	run(func() {
		_, _, err := partition.AsFollower(d.p).Where()
		x.mu.Lock()
		d.open = err == nil
		if err == nil {
			x.enqueue(d)
		}
		x.mu.Unlock()
		if err != nil {
			x.refused(d, "The log of a follower cannot be opened.", err)
			return
		}
		x.pump()
	})
}

// unfollow gives a partition up and returns how many are left.
func (x *fetcher) unfollow(id kafka.TopicIDPartition) (was *followed, left int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if was = x.parts[id]; was != nil {
		was.over = true
		x.forget(was)
		delete(x.parts, id)
	}
	return was, len(x.parts)
}

// forget has the session drop a partition. Called with the mutex held.
func (x *fetcher) forget(d *followed) {
	if d.known {
		x.gone = append(x.gone, wire.FetchedPartition{TopicID: d.id.TopicID, Partition: d.id.Partition})
		d.known, d.asked, d.stands = false, machine.Position{}, machine.Position{}
		x.session.size--
	}
}

// enqueue notes that the session is to hear where a partition stands. Called with the mutex held.
func (x *fetcher) enqueue(d *followed) {
	if !d.queued && d.open && !d.over && !d.resting {
		d.queued = true
		x.unsaid = append(x.unsaid, d)
	}
}

// durable hears that more of a partition is durable. Those of one flush come together: they are told in one report.
func (x *fetcher) durable(d *followed) {
	x.mu.Lock()
	first := len(x.unsaid) == 0
	x.enqueue(d)
	x.mu.Unlock()
	if first {
		x.all.o.World.Go(x.pump)
	}
}

func (x *fetcher) close() {
	x.mu.Lock()
	x.closed = true
	if x.retry != nil {
		x.retry.Stop()
	}
	x.mu.Unlock()
	x.channel.Close()
}
