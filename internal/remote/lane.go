package remote

import (
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/remote/commands"
	"github.com/milena-io/milena/internal/world"
)

// lane is one connection to the active controller, for one purpose.
type lane struct {
	o         *Options
	deadlines *world.Deadlines

	mu      sync.Mutex
	closed  bool
	channel *peer.Channel // to whoever was asked last; nil before
	vain    int           // how often nobody was found who leads, or the wrong one
	waiting []*errand     // in the order in which they came, for the timer
	timer   world.Timer   // nil when nobody waits
}

// lanes are those for the purposes of one owner.
type lanes []*lane

// begin lets them be used.
func (all lanes) begin(o *Options, deadlines *world.Deadlines) {
	for _, l := range all {
		l.o, l.deadlines = o, deadlines
	}
}

func (all lanes) moved() {
	for _, l := range all {
		l.moved()
	}
}

func (all lanes) close() {
	for _, l := range all {
		l.close()
	}
}

// errand is something to ask until it is answered.
type errand struct {
	what     string
	message  kmsg.Request                          // nil when no other node can be asked
	local    func(done func(reply any, err error)) // asks this node's own controller; nil when that is not to be asked
	patience time.Duration                         // for one attempt
	once     bool                                  // it is not asked again when it may have been received
	expiry   *world.Deadline
	done     func(kmsg.Response, any, error) // the answer, or the reply of this node's own controller

	over bool // under the lane's lock
}

// begin has an errand done within its time.
func (l *lane) begin(e *errand, timeout time.Duration) {
	l.mu.Lock()
	if l.closed {
		e.over = true
		l.mu.Unlock()
		l.o.World.Go(func() { e.done(nil, nil, fault.Shutdown("remote."+e.what)) })
		return
	}
	e.expiry = l.deadlines.Add(timeout, func() {
		l.end(e, nil, nil, fault.New("remote."+e.what, kafka.ErrRequestTimedOut, "The controller did not answer within %s.", timeout))
	})
	l.waiting = append(l.waiting, e)
	l.mu.Unlock()
	l.push()
}

// end answers an errand, unless it was answered before.
func (l *lane) end(e *errand, answer kmsg.Response, reply any, err error) {
	l.mu.Lock()
	if e.over {
		l.mu.Unlock()
		return
	}
	e.over = true
	l.waiting = slices.DeleteFunc(l.waiting, func(w *errand) bool { return w == e })
	l.mu.Unlock()
	l.deadlines.Cancel(e.expiry)
	e.done(answer, reply, err)
}

// push asks whatever waits, as far as somebody is known who may be asked.
func (l *lane) push() {
	leader, _ := l.o.Where.Leader()
	own := l.o.Own != nil && leader == l.o.Self
	l.mu.Lock()
	if l.timer != nil || l.closed {
		l.mu.Unlock()
		return
	}
	addr := l.o.Where.find(l.vain) // also where that is this node: it may have come to lead while a client's request waited
	var here, there, nowhere []*errand
	all := l.waiting
	l.waiting = nil
	for _, e := range all {
		switch {
		case own && e.local != nil:
			here = append(here, e)
		case e.message == nil && leader != kafka.NoNode:
			nowhere = append(nowhere, e)
		case e.message == nil || addr == "":
			l.waiting = append(l.waiting, e)
		default:
			there = append(there, e)
		}
	}
	if len(l.waiting) > 0 {
		l.rest()
	}
	var c, old *peer.Channel
	if len(there) > 0 {
		c, old = l.to(addr)
	}
	l.mu.Unlock()
	if old != nil {
		old.Close() // what waits there is asked again
	}
	for _, e := range there {
		c.AskMessage(e.message, e.patience, func(answer kmsg.Response, err error) { l.answered(e, answer, err) })
	}
	for _, e := range here {
		e.local(func(reply any, err error) { l.decided(e, reply, err) })
	}
	for _, e := range nowhere {
		l.end(e, nil, nil, fault.New("remote."+e.what, kafka.ErrNotController, "The active controller is node %d.", leader))
	}
}

// to returns the channel to an address, and the one that it replaces. Called with the lock held, like rest.
func (l *lane) to(addr string) (c, old *peer.Channel) {
	if l.channel == nil || l.channel.Addr() != addr {
		old, l.channel = l.channel, l.o.Peers.Channel(addr, nil)
	}
	return l.channel, old
}

// rest waits before who waits is asked for again.
func (l *lane) rest() {
	if l.timer == nil && !l.closed {
		l.timer = l.o.World.After(l.o.Backoff, l.wake)
	}
}

// wake ends the rest.
func (l *lane) wake() {
	l.mu.Lock()
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	l.vain++
	l.mu.Unlock()
	l.push()
}

// decided takes the word of this node's own controller.
func (l *lane) decided(e *errand, reply any, err error) {
	if fault.CodeOf(err) == kafka.ErrNotController {
		l.again(e)
		return
	}
	l.end(e, nil, reply, err)
}

// answered takes an answer, or the news that none comes.
func (l *lane) answered(e *errand, answer kmsg.Response, err error) {
	how, lost := peer.HowLost(err)
	switch {
	case err == nil && !commands.NotController(answer):
		l.end(e, answer, nil, nil)
	case e.once && lost && peer.MaybeSent(err):
		l.end(e, nil, nil, fault.New("remote."+e.what, kafka.ErrRequestTimedOut, "The connection to the controller ended before it answered."))
	case err == nil || lost && how != peer.Garbled:
		l.again(e)
	default:
		l.end(e, nil, nil, err)
	}
}

// again has an errand wait for another attempt.
func (l *lane) again(e *errand) {
	l.mu.Lock()
	switch {
	case e.over:
	case l.closed:
		l.mu.Unlock()
		l.end(e, nil, nil, fault.Shutdown("remote."+e.what))
		return
	default:
		l.waiting = append(l.waiting, e)
		l.rest()
	}
	l.mu.Unlock()
}

// moved looks whether another controller leads. What the old one has not answered is asked again.
func (l *lane) moved() {
	leader, _ := l.o.Where.Leader()
	addr := l.o.Where.find(0)
	l.mu.Lock()
	old := l.channel
	if leader == kafka.NoNode || old == nil || addr == "" || old.Addr() == addr {
		old = nil
	} else {
		l.channel = nil
	}
	l.mu.Unlock()
	if old != nil {
		old.Close()
	}
	l.wake()
}

// close ends everything that was not answered.
func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	all, channel := l.waiting, l.channel
	l.waiting, l.channel = nil, nil
	l.mu.Unlock()
	for _, e := range all {
		l.end(e, nil, nil, fault.Shutdown("remote."+e.what))
	}
	if channel != nil {
		channel.Close()
	}
}
