package controller

import (
	"cmp"
	"slices"
	"time"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
)

// sessions is what the active controller remembers of each broker's heartbeats. It is not in the log: whoever becomes
// active gives every broker that is not fenced a fresh session, so that a change of controllers fences nobody.
type sessions struct {
	timeout time.Duration
	all     map[kafka.NodeID]*session
	// balanced is when preferred leaders were last elected as far as that went; of a leadership, its beginning.
	balanced kafka.Instant
	// asked are the processes that have asked for a broker's registration, and were to ask once more.
	asked map[kafka.NodeID]asking
}

// asking is a process that asks for a registration that it is not shown to follow.
type asking struct {
	process kafka.IncarnationID
	times   int
}

// insists reports whether a process asks for a registration again. A request that comes again with the proof that the registered process
// has ended is no other one.
func (s *sessions) insists(c RegisterBroker) bool {
	a := s.asked[c.Broker]
	if c.Dead == 0 {
		if a.process != c.Incarnation {
			a = asking{process: c.Incarnation}
		}
		a.times++
		s.asked[c.Broker] = a
	}
	return a.process == c.Incarnation && a.times > 1
}

// unbalanced reports whether it is time to elect preferred leaders.
func (s *sessions) unbalanced(now kafka.Instant, every time.Duration) bool {
	return every > 0 && now.Since(s.balanced) >= every
}

// session is one broker's.
type session struct {
	broker     kafka.NodeID
	epoch      kafka.BrokerEpoch
	heard      kafka.Instant
	applied    kafka.Offset        // how far the broker has applied the metadata log
	shutdownAt kafka.Offset        // what the others must have applied before the broker may stop
	dead       bool                // the process is proven to have ended
	stalled    []kafka.DirectoryID // whose flushes hang
}

// renew gives every broker a fresh session that is not fenced, as Apache Kafka does. A fenced one leads nothing: its next incarnation need
// not wait for a session that nobody saw.
func (s *sessions) renew(now kafka.Instant, next kafka.Offset, img *image.Image) {
	s.balanced = now
	s.all, s.asked = map[kafka.NodeID]*session{}, map[kafka.NodeID]asking{}
	for b := range img.Brokers() {
		if b.Fenced {
			continue
		}
		s.all[b.ID] = &session{broker: b.ID, epoch: b.Epoch, heard: now, applied: kafka.NoOffset, shutdownAt: next}
	}
}

// begin starts the session of a new registration.
func (s *sessions) begin(now kafka.Instant, broker kafka.NodeID, epoch kafka.BrokerEpoch) {
	s.all[broker] = &session{broker: broker, epoch: epoch, heard: now, applied: kafka.NoOffset}
	delete(s.asked, broker)
}

func (have *session) over(now kafka.Instant, timeout time.Duration) bool {
	return have.dead || now.Since(have.heard) > timeout
}

// touch notes a heartbeat.
func (s *sessions) touch(now kafka.Instant, broker kafka.NodeID, epoch kafka.BrokerEpoch, applied kafka.Offset) *session {
	have := s.all[broker]
	if have == nil || have.epoch != epoch {
		s.begin(now, broker, epoch)
		have = s.all[broker]
	}
	have.heard, have.applied, have.dead = now, applied, false
	return have
}

// alive reports whether the broker's session holds.
func (s *sessions) alive(now kafka.Instant, broker kafka.NodeID, epoch kafka.BrokerEpoch) bool {
	have := s.all[broker]
	return have != nil && have.epoch == epoch && !have.over(now, s.timeout)
}

func (s *sessions) drop(broker kafka.NodeID) { delete(s.all, broker) }

// over lists the sessions that have ended, the longest silent first.
func (s *sessions) over(now kafka.Instant) []*session {
	var out []*session
	for _, have := range s.all {
		if have.over(now, s.timeout) {
			out = append(out, have)
		}
	}
	slices.SortFunc(out, func(a, b *session) int {
		return cmp.Or(cmp.Compare(a.heard.Mono, b.heard.Mono), cmp.Compare(a.broker, b.broker))
	})
	return out
}

// expireSessions fences the broker that has been silent for longest. The others have a command of their own, because
// where their leaderships go depends on this one. A session stays until its broker is seen fenced: the fencing may not
// get into the log.
func expireSessions(d *decision) {
	for _, s := range d.sessions.over(d.now) {
		b := d.img.Broker(s.broker)
		if b != nil && b.Epoch == s.epoch && !b.Fenced {
			fence(d, b)
			return
		}
		d.sessions.drop(s.broker)
	}
}

// brokerDead fences a broker that is proven dead. Its session is over from now on, so that the timers do it again should
// this not get into the log.
func brokerDead(d *decision, c BrokerDead) error {
	b, err := registered(d, c.Broker, c.Epoch)
	if err != nil {
		return err
	}
	if !b.Fenced {
		fence(d, b)
	}
	d.sessions.kill(d.now, b.ID, b.Epoch)
	return nil
}

// kill ends a session, which the timers then see to.
func (s *sessions) kill(now kafka.Instant, broker kafka.NodeID, epoch kafka.BrokerEpoch) {
	if have := s.all[broker]; have == nil || have.epoch != epoch {
		s.begin(now, broker, epoch)
	}
	s.all[broker].dead = true
}
