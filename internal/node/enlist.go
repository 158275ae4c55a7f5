package node

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/broker/nodes"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/staterecord"
)

// enlistment is this controller's registration (KIP-919): where it listens, and what it can run, which is asked before the level of a
// feature is raised. Each incarnation of a controller registers, voter or not, as soon as its image knows the cluster. One that stands
// there once leaves it at that: where another registers under its node.id it tells, and does not take the place back.
type enlistment struct {
	n *Node

	mu     sync.Mutex
	asking bool
	listed bool         // an image had it
	since  kafka.Offset // of the first one that had
	warned bool         // that an image has another
	told   string
	until  time.Duration // monotonic: when a twin is waited for no longer; 0 before the first attempt
}

// enlistRetry is how long a controller that was not registered waits before it asks again.
const enlistRetry = 500 * time.Millisecond

// notice hears of a change of the metadata.
func (e *enlistment) notice(d image.Delta) {
	e.mu.Lock()
	idle := e.listed && (e.warned || e.has(d.To))
	e.mu.Unlock()
	if !idle && e.n.settings.node.Roles.Controller {
		e.n.feed.WaitFor(d.To.Offset()+1, func() { e.n.o.World.Go(e.look) })
	}
}

// has reports whether an image has this incarnation.
func (e *enlistment) has(img *image.Image) bool {
	c := img.Controller(e.n.settings.NodeID())
	return c != nil && c.Incarnation == e.n.session.incarnation
}

// look registers this controller where that was not done yet.
func (e *enlistment) look() {
	n := e.n
	img := n.feed.Image()
	if img.MetadataVersion() < staterecord.MetadataVersion37IV0 || n.life.Over() {
		return
	}
	ask, another := e.read(img)
	if another {
		n.log("kafka.controller").Warn("Another controller has registered with the node.id of this one, and clients of controllers are sent there. "+
			"Stop one of the two, and give it another node.id.", "node", int32(n.settings.NodeID()))
	}
	if !ask {
		return
	}
	answered := func(_ any, err error) {
		e.mu.Lock()
		e.asking = false
		e.mu.Unlock()
		if err != nil {
			e.refused(err)
		}
	}
	n.control.elder(n.control.voters(), func(alive string) {
		if alive != "" { // a voter: perhaps the one that leads, and is asked for what this node wants
			answered(nil, nodes.GivenTwice(n.settings.NodeID(), alive))
			return
		}
		n.control.Submit(startTimeout, controller.RegisterController{
			Controller: n.settings.NodeID(), Incarnation: n.session.incarnation, Endpoints: n.edge.ofControllers(), Features: n.settings.features(),
		}, answered)
	})
}

// read takes an image in, and returns whether to ask for the registration, and whether another controller has just taken the place. Images
// may be read in another order than they came: an older one than the one that had this controller tells nothing.
func (e *enlistment) read(img *image.Image) (ask, another bool) {
	now, mine := e.n.o.World.Now().Mono, e.has(img)
	e.mu.Lock()
	defer e.mu.Unlock()
	another = e.listed && !mine && !e.warned && img.Offset() > e.since
	e.warned = e.warned || another
	if mine && !e.listed {
		e.listed, e.since = true, img.Offset()
	}
	ask = !e.listed && !e.asking
	e.asking = e.asking || ask
	if ask && e.until == 0 {
		e.until = now + e.n.o.Values.Millis("initial.broker.registration.timeout.ms")
	}
	return ask, another
}

// refused tells why this controller is not registered, and asks again. A version that cannot run what the cluster runs ends, and so does a
// node whose node.id another process has that lives.
func (e *enlistment) refused(err error) {
	n := e.n
	if n.life.Over() {
		return
	}
	e.mu.Lock()
	again, late := e.told == err.Error(), n.o.World.Now().Mono >= e.until
	e.told = err.Error()
	e.mu.Unlock()
	if !again {
		n.log("kafka.controller").Warn("This controller is not registered yet; it asks again.", "node", int32(n.settings.NodeID()), "error", err)
	}
	switch code := fault.CodeOf(err); {
	case code == kafka.ErrUnsupportedVersion:
		n.life.Fail(outdated(err))
	case code == kafka.ErrDuplicateBrokerRegistration && late:
		n.life.Fail(err)
	default:
		n.o.World.After(enlistRetry, e.look)
	}
}

// outdated is a refusal for what this version cannot run, with what to do.
func outdated(err error) error {
	why := err.Error()
	if m := fault.MessageOf(err); m != nil {
		why = *m
	}
	return fault.New("node.start", kafka.ErrUnsupportedVersion, "%s Start the version here that the other nodes run; `milena version` tells what this one can run, "+
		"and `kafka-features describe` what the cluster has finalized.", why)
}

// fits refuses metadata that this version cannot run: a level that newer nodes have finalized.
func (n *Node) fits(d image.Delta) error {
	var bad []string
	for name, level := range d.To.Features() {
		if d.From.Feature(name) == level {
			continue
		}
		i := slices.IndexFunc(n.settings.features(), func(f staterecord.FeatureRange) bool { return f.Name == name })
		switch {
		case i < 0 && level > 0:
			bad = append(bad, fmt.Sprintf("%s is finalized at %d, and this version does not know it.", name, level))
		case i >= 0 && (level < n.settings.features()[i].Min || level > n.settings.features()[i].Max):
			f := n.settings.features()[i]
			bad = append(bad, fmt.Sprintf("%s is finalized at %d, and this version runs %d to %d.", name, level, f.Min, f.Max))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return outdated(fault.New("node.start", kafka.ErrUnsupportedVersion, "%s", slices.Min(bad)))
}
