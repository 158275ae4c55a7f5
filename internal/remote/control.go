package remote

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/remote/commands"
	"github.com/milena-io/milena/internal/world"
)

// Options are what Control and Forwarder share. Own and Await may be nil.
type Options struct {
	World world.World
	Peers *peer.Peers
	Where Whereabouts
	Self  kafka.NodeID
	// Own is the controller in this node's process, which is asked without a connection while it leads; nil in a broker.
	Own Own
	// ClusterID is in every registration.
	ClusterID func() string
	// Await calls back once everything below the offset is visible on this node (feed.WaitFor), so that a client finds here
	// what it was told of. Nil for not waiting.
	Await func(end kafka.Offset, done func())
	// Backoff is between two attempts.
	Backoff time.Duration
	// Patience is how long one attempt at a command may go without an answer: then the connection is given up. It is a part
	// of broker.session.timeout.ms, so that a heartbeat gets its chance on another connection.
	Patience time.Duration
	// RequestTimeout is the same for a client's request, which may take its time (request.timeout.ms), and the longest that
	// it is tried for.
	RequestTimeout time.Duration
}

// Own is the controller in this node's process: its quorum. done is called once; NOT_CONTROLLER when it does not lead.
type Own interface {
	Submit(cmd controller.Command, done func(reply any, err error))
}

func (o Options) withDefaults() Options {
	if o.Backoff == 0 {
		o.Backoff = 20 * time.Millisecond
	}
	if o.Patience == 0 {
		o.Patience = 3 * time.Second
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = 30 * time.Second
	}
	return o
}

// Control takes commands to the active controller.
type Control struct {
	o          Options
	life       lane // registration and heartbeats
	partitions lane // AlterPartition
	rest       lane
}

// NewControl makes it. It connects when something is submitted.
func NewControl(o Options) *Control {
	c := &Control{o: o.withDefaults()}
	c.lanes().begin(&c.o, world.NewDeadlines(o.World))
	return c
}

func (c *Control) lanes() lanes { return lanes{&c.life, &c.partitions, &c.rest} }

// Submit has a command decided. done is called once, perhaps at once: with the reply, with the error that refused it, or with
// REQUEST_TIMED_OUT when it takes longer than the timeout, in which case the change may still happen. An AlterPartition that may have
// been received and was not answered is not asked again but ends so: its leader has to know that two may be on their way (ADR 0026). A
// command that has no request between nodes is decided here or refused with NOT_CONTROLLER.
func (c *Control) Submit(timeout time.Duration, cmd controller.Command, done func(reply any, err error)) {
	e := &errand{what: "Submit", message: commands.Write(c.o.ClusterID(), cmd), patience: c.o.Patience}
	_, e.once = cmd.(controller.AlterPartition)
	if e.message != nil {
		e.what = kafka.APIKey(e.message.Key()).String()
	}
	if c.o.Own != nil {
		e.local = func(done func(any, error)) { c.o.Own.Submit(cmd, done) }
	}
	e.done = func(answer kmsg.Response, reply any, err error) {
		if answer != nil {
			reply, err = commands.Reply(cmd, answer)
		}
		done(reply, err)
	}
	c.lane(cmd).begin(e, timeout)
}

func (c *Control) lane(cmd controller.Command) *lane {
	switch cmd.(type) {
	case controller.RegisterBroker, controller.Heartbeat, controller.RegisterController:
		return &c.life
	case controller.AlterPartition:
		return &c.partitions
	}
	return &c.rest
}

// Moved is to be called when another leads the quorum: what the old controller has not answered is asked again at once.
func (c *Control) Moved() { c.lanes().moved() }

// Close ends everything under way.
func (c *Control) Close() { c.lanes().close() }
