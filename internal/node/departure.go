package node

import (
	"sync"
	"time"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/world"
)

// departure is how a broker goes by its own will (KIP-631's controlled shutdown, ADR 0026): what it leads is brought to the others,
// the controller has them lead, everybody learns of it, and only then it goes. It serves until then.
type departure struct {
	n *Node

	mu       sync.Mutex
	stage    departureStage
	began    time.Duration
	answered time.Duration // when the controller last did, or this began
	yielding int           // partitions whose records are not with the others yet
	held     []*partition.Partition
	timer    world.Timer // of the next look
	done     func(left bool)
}

type departureStage uint8

const (
	staying departureStage = iota
	draining
	parting // heartbeats say that the broker wants to go
	departed
)

const (
	// departureDrain is how long writers wait for what was written before them to reach the others, at the most.
	departureDrain = 500 * time.Millisecond
	// departurePoll is how often the controller is asked whether the broker may go.
	departurePoll = 20 * time.Millisecond
	// departureSilence is how long a controller may say nothing: two elections fit in.
	departureSilence = time.Second
	// departureLearning is how long others may take to learn that this broker leads nothing any more; who takes longer hangs.
	departureLearning = 5 * time.Second
	// departureGrace is how long the doors stay open once others lead: who asks hears of the new leader with the answer, and who only
	// lost his connection would have to look for it.
	departureGrace = 250 * time.Millisecond
	// departureMost bounds it all. What hundreds of thousands of partitions need is a fraction of it.
	departureMost = 30 * time.Second
)

// begin begins it. done is called once: left is true when the controller has let this broker go.
func (d *departure) begin(done func(left bool)) {
	n := d.n
	if !n.settings.node.Roles.Broker || n.session.brokerEpoch() < 0 {
		done(false)
		return
	}
	if !n.settings.static.Bool("controlled.shutdown.enable") {
		n.log("kafka.server").Info("Stops without a controlled shutdown, as controlled.shutdown.enable says: others take over when they notice.")
		done(false)
		return
	}
	n.log("kafka.server").Info("Beginning controlled shutdown.")
	d.mu.Lock()
	d.stage, d.done = draining, done
	d.began = n.o.World.Now().Mono
	d.answered = d.began
	d.held = d.led()
	d.yielding = 1 + len(d.held)
	held := d.held
	d.timer = n.o.World.After(departureDrain, d.ask)
	d.mu.Unlock()
	for _, p := range held {
		partition.AsLeader(p).Yield(d.drained)
	}
	d.drained()
}

// led lists what this broker leads and others can lead.
func (d *departure) led() (out []*partition.Partition) {
	r := d.n.replicas
	img := r.Image()
	for id, p := range r.ordered() {
		if t := img.Topic(id.TopicID); t != nil {
			if reg, ok := t.Partition(id.Partition); ok && reg.Leader == r.self && len(reg.ISR())+len(reg.ELR()) > 1 {
				out = append(out, p)
			}
		}
	}
	return out
}

// drained hears that nothing of a partition is missing with the others; once that is so of all, the controller is asked.
func (d *departure) drained() {
	d.mu.Lock()
	d.yielding--
	last := d.yielding == 0
	d.mu.Unlock()
	if last {
		d.n.o.World.Go(d.ask)
	}
}

// ask has the heartbeats say that this broker wants to go.
func (d *departure) ask() {
	d.mu.Lock()
	if d.stage != draining {
		d.mu.Unlock()
		return
	}
	d.stage = parting
	d.answered = d.n.o.World.Now().Mono
	d.timer.Stop()
	d.timer = d.n.o.World.After(departurePoll, d.look)
	left := d.yielding
	d.mu.Unlock()
	if left > 0 {
		d.n.log("kafka.server").Warn("Records of some partitions are with no other replica yet; what was acknowledged with acks=1 there may be lost.", "partitions", left)
	}
	d.n.session.beat()
}

// wants tells whether heartbeats are to say that this broker wants to go.
func (d *departure) wants() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stage == parting
}

// heard takes the controller's answer to a heartbeat that said so.
func (d *departure) heard(b controller.Beat) {
	d.mu.Lock()
	d.answered = d.n.o.World.Now().Mono
	d.mu.Unlock()
	if b.MayShutdown {
		d.end(true, "The controller has asked us to exit controlled shutdown.")
	}
}

// fenced hears that the controller knows this incarnation no more: there is nobody to ask.
func (d *departure) fenced() { d.end(false, "The controller knows this broker no more; it goes.") }

// look asks again, and gives up on who does not answer.
func (d *departure) look() {
	now := d.n.o.World.Now().Mono
	leads := d.leads()
	d.mu.Lock()
	if d.stage != parting {
		d.mu.Unlock()
		return
	}
	silent, all := now-d.answered, now-d.began
	d.timer = d.n.o.World.After(departurePoll, d.look)
	d.mu.Unlock()
	switch {
	case silent > departureSilence:
		d.end(false, "No controller answers; the broker goes without one, and others take over when they notice.")
	case leads == 0 && all > departureLearning:
		d.end(false, "Somebody has not learned for a while that this broker leads nothing any more; it goes.")
	case all > departureMost:
		d.end(false, "The controlled shutdown takes too long; the broker goes, and others take over when they notice.")
	default:
		d.n.session.beat()
	}
}

func (d *departure) leads() int { return d.n.replicas.Image().Load(d.n.replicas.self).Leads }

// end ends the departure, and lets writers go on that wait: they hear what becomes of the broker.
func (d *departure) end(left bool, why string) {
	leads := d.leads()
	d.mu.Lock()
	if d.stage == departed || d.stage == staying {
		d.mu.Unlock()
		return
	}
	d.stage = departed
	d.timer.Stop()
	done, held := d.done, d.held
	d.done, d.held = nil, nil
	took := d.n.o.World.Now().Mono - d.began
	d.mu.Unlock()
	log := d.n.log("kafka.server").Info
	if !left {
		log = d.n.log("kafka.server").Warn
	}
	log(why, "ms", took.Milliseconds(), "leads", leads)
	d.n.session.quit() // a heartbeat that says otherwise would have the broker serve again
	for _, p := range held {
		partition.AsLeader(p).Resume()
	}
	if left && len(held) > 0 {
		d.n.o.World.After(departureGrace, func() { done(left) })
		return
	}
	done(left)
}

// parting hears of brokers that want to go: the controller waits until everybody knows, and so is told at once.
func (s *session) parting(d image.Delta) {
	for c := range d.Brokers() {
		if c.New != nil && c.New.ShuttingDown && (c.Old == nil || !c.Old.ShuttingDown) && c.New.ID != s.n.settings.NodeID() {
			s.n.feed.WaitFor(d.To.Offset()+1, func() { s.n.o.World.Go(s.beat) })
			return
		}
	}
}
