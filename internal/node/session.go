package node

import (
	"math"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/storage"
	"github.com/milena-io/milena/internal/world"
)

// session is the broker's standing with the controller: it registers its incarnation, keeps it alive with heartbeats,
// and when it was unfenced for the first time opens the doors.
type session struct {
	n           *Node
	incarnation kafka.IncarnationID

	mu      sync.Mutex
	ready   func(error)       // nil once called
	epoch   kafka.BrokerEpoch // -1 before the first registration
	beating bool
	again   bool        // beat at once after the one under way
	next    world.Timer // of the next beat
	ended   bool
	full    bool // it was told that there is no room to register with
	dead    []deadDir
	leaving departure
	told    string // why it was not registered last
}

const (
	// startTimeout bounds the single steps of a start.
	startTimeout = 60 * time.Second
	// registerRetry is how long a broker that was not registered waits before it asks again.
	registerRetry = 100 * time.Millisecond
	// roomRetry is how long one waits that has no room for its note.
	roomRetry = time.Second
)

// begin registers, where this node is a broker: whoever controls takes it as soon as it leads.
func (s *session) begin() {
	if s.n.settings.node.Roles.Broker { // any other node is ready once its image knows the cluster
		s.register(s.n.o.World.Now().Mono + s.n.settings.static.Millis("initial.broker.registration.timeout.ms"))
	}
}

// register makes the incarnation known, again and again until a moment of monotonic time.
func (s *session) register(until time.Duration) {
	st := &s.n.settings
	dirs, noted, err := storage.Announce(s.n.storage, s.incarnation)
	if err != nil {
		s.noRoom(until, err)
		return
	}
	if s.n.life.Over() { // a disk has failed on that, and without it there is nothing to register
		return
	}
	s.n.control.Submit(startTimeout, controller.RegisterBroker{
		Broker: st.NodeID(), Incarnation: s.incarnation, Rack: st.rack(), Endpoints: s.n.edge.endpoints,
		Features: s.n.settings.features(), LogDirs: dirs, Noted: noted, PreviousEpoch: storage.LastEpoch(s.n.storage),
		Colocated: s.n.control.Active() || s.n.control.sole(),
	}, func(reply any, err error) {
		if err == nil {
			err = reply.(controller.Registered).Again()
		}
		if err != nil {
			s.notRegistered(until, err)
			return
		}
		s.n.log("kafka.server").Info("The broker has caught up. Transitioning from STARTING to RECOVERY.", "brokerEpoch", reply.(controller.Registered).Epoch)
		s.mu.Lock()
		s.epoch, s.full = reply.(controller.Registered).Epoch, false
		s.mu.Unlock()
		s.n.replicas.moves.send()
		s.beat()
		storage.Registered(s.n.storage, s.incarnation)
	})
}

// notRegistered tries again: whoever controls may not lead yet, or hold the session of an earlier incarnation for alive. A start ends by a
// refusal that waiting doesn't change, and when its time is over. A broker that ran before had been let in, and asks for ever, as Kafka's
// does, unless its version cannot run what the cluster runs now. What its own controller refuses is final for a lone node.
func (s *session) notRegistered(until time.Duration, err error) {
	s.mu.Lock()
	starting := s.ready != nil
	s.mu.Unlock()
	code := fault.CodeOf(err)
	final := s.n.control.sole() && code != kafka.ErrDuplicateBrokerRegistration
	if starting {
		final = final || !passes(err) || s.n.o.World.Now().Mono >= until
	}
	if code == kafka.ErrUnsupportedVersion {
		final, err = true, outdated(err)
	}
	if final {
		s.over(err)
		return
	}
	s.mu.Lock()
	again := s.told == err.Error()
	s.told = err.Error()
	s.mu.Unlock()
	if !again && !s.n.life.Over() {
		s.n.log("kafka.server").Warn("The broker is not registered yet; it asks again.", "broker", int32(s.n.settings.NodeID()), "error", err)
	}
	s.registerLater(registerRetry, until)
}

// passes reports whether a refusal may be gone when the broker asks again: the disk of whoever controls may be full, or gone, and another
// come to control; and an answer that makes no sense says nothing.
func passes(err error) bool {
	switch fault.CodeOf(err) {
	case kafka.ErrDuplicateBrokerRegistration, kafka.ErrNotController, kafka.ErrRequestTimedOut, kafka.ErrKafkaStorageError:
		return true
	}
	_, lost := peer.HowLost(err)
	return lost
}

func (s *session) registerLater(wait, until time.Duration) {
	s.n.o.World.After(wait, func() {
		if !s.n.life.Over() {
			s.register(until)
		}
	})
}

// noRoom waits until a full directory has room for the note of who registers; a start waits no longer than for its registration.
func (s *session) noRoom(until time.Duration, err error) {
	s.mu.Lock()
	starting, told := s.ready != nil, s.full
	s.full = true
	s.mu.Unlock()
	if !told {
		s.n.log("kafka.server").Error("The broker does not register: a log directory has no room for the note of it.", "error", err)
	}
	if starting && s.n.o.World.Now().Mono >= until {
		s.over(err)
		return
	}
	s.registerLater(roomRetry, until)
}

// beat sends one heartbeat and plans the next.
func (s *session) beat() {
	s.mu.Lock()
	if s.ended || s.epoch < 0 {
		s.mu.Unlock()
		return
	}
	if s.beating {
		s.again = true
		s.mu.Unlock()
		return
	}
	s.beating, s.again = true, false
	if s.next != nil {
		s.next.Stop()
	}
	epoch, dead := s.epoch, s.offlineDirs()
	s.mu.Unlock()
	interval := s.n.settings.static.Millis("broker.heartbeat.interval.ms")
	cmd := controller.Heartbeat{
		Broker: s.n.settings.NodeID(), Epoch: epoch, MetadataOffset: s.n.feed.Offset(), OfflineDirs: dead, Cordoned: s.n.cordonedDirs(),
		WantShutdown: s.leaving.wants(), Stalled: s.n.upkeep.Stalled(),
	}
	s.n.control.Submit(interval, cmd, func(reply any, err error) {
		next := interval
		if b, ok := reply.(controller.Beat); ok && err == nil {
			s.reported(dead)
			if len(cmd.Stalled) > 0 { // aside: who holds one of those partitions may be waiting for the disk
				s.n.o.World.Go(func() { s.handedOver(cmd.Stalled) })
			}
			switch {
			case cmd.WantShutdown:
				s.leaving.heard(b)
			case b.Fenced:
				next = 10 * time.Millisecond // not caught up yet: ask again soon
			default:
				s.open()
			}
		}
		code := fault.CodeOf(err)
		anew := code == kafka.ErrStaleBrokerEpoch || code == kafka.ErrBrokerIdNotRegistered
		s.mu.Lock()
		s.beating = false
		if s.again {
			next = 0
		}
		if !anew {
			s.next = s.n.o.World.After(next, s.beat)
		}
		s.mu.Unlock()
		switch {
		case anew && cmd.WantShutdown:
			s.leaving.fenced()
		case anew:
			s.register(math.MaxInt64) // another incarnation took the id, or it was unregistered: it serves again once it may
		}
	})
}

// open opens the doors, once.
func (s *session) open() {
	s.mu.Lock()
	ready := s.ready
	s.ready = nil
	ended := s.ended
	s.mu.Unlock()
	if ready == nil {
		return
	}
	if ended {
		ready(fault.Shutdown("node.start"))
		return
	}
	log := s.n.log("kafka.server")
	if s.n.settings.node.Roles.Broker {
		s.n.upkeep.Start()
		log.Info("The broker has been unfenced. Transitioning from RECOVERY to RUNNING.")
	} else {
		s.n.upkeep.WatchFlushes()
	}
	err := s.n.edge.clients.serve(s.n)
	if err == nil {
		log.Info("Kafka Server started", "node", s.n.settings.NodeID(), "cluster", s.n.ClusterID(), "startMs", (s.n.o.World.Now().Mono - s.n.life.began).Milliseconds())
	}
	ready(err)
}

// over tells a start that it failed, and later the node that it cannot go on.
func (s *session) over(err error) {
	s.mu.Lock()
	ready, ended := s.ready, s.ended
	s.ready, s.ended = nil, true
	s.mu.Unlock()
	if ready != nil {
		s.n.o.World.Go(func() { // not from a connection, whose end the listener would wait for
			s.n.abandon()
			ready(err)
		})
		return
	}
	if !ended {
		s.n.life.Fail(err)
	}
}

// quit stops the heartbeats and tells nobody.
func (s *session) quit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
}

// AllocateProducerIDs fetches a block of producer ids from the controller.
func (s *session) AllocateProducerIDs(done func(first kafka.ProducerID, count int32, err error)) {
	s.mu.Lock()
	epoch := s.epoch
	s.mu.Unlock()
	cmd := controller.AllocateProducerIDs{Broker: s.n.settings.NodeID(), Epoch: epoch}
	s.n.control.Submit(30*time.Second, cmd, func(reply any, err error) {
		if err != nil {
			done(0, 0, err)
			return
		}
		b := reply.(controller.ProducerIDs)
		done(b.First, b.Count, nil)
	})
}

func (s *session) brokerEpoch() kafka.BrokerEpoch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epoch
}
