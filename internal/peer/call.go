package peer

import (
	"errors"
	"fmt"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// Request is something to ask. It may be asked again once it was answered.
type Request struct {
	API wire.API
	// Body appends the body in the version that was agreed on. It is called when the request goes out: within Ask, or later
	// when there is a connection, once for each time the request is tried on a connection. It takes no lock that a caller of
	// Ask holds.
	Body func(dst []byte, version int16) []byte
	// Timeout is for everything: connecting, sending, and the answer.
	Timeout time.Duration
	// Done is called once. After an error there is nothing to release.
	Done func(Answer, error)
}

// Answer is an answer to a request. Body aliases a frame of the receiver's, who gives it back by Release.
type Answer struct {
	Version int16
	Body    []byte
	frame   *wire.Buffer
}

// Release gives the frame back, once. Nobody may touch Body afterwards.
func (a *Answer) Release() { a.frame.Free() }

// Lost is the cause of the error of a request that was not answered.
type Lost struct {
	How How
	// MaybeSent says that the other node may have got the request, and may have acted on it. Otherwise it surely has not.
	MaybeSent bool
	Cause     error
}

// Error tells what happened.
func (l *Lost) Error() string {
	sent := "it was not sent"
	if l.MaybeSent {
		sent = "it may have been received"
	}
	if l.Cause == nil {
		return fmt.Sprintf("%v; %s", l.How, sent)
	}
	return fmt.Sprintf("%v: %v; %s", l.How, l.Cause, sent)
}

// Unwrap returns the cause.
func (l *Lost) Unwrap() error { return l.Cause }

// MaybeSent reports whether a request that failed with err may have reached the other node.
func MaybeSent(err error) bool {
	var l *Lost
	return errors.As(err, &l) && l.MaybeSent
}

// HowLost tells how the connection ended that a request failed with; ok is false when none did.
func HowLost(err error) (how How, ok bool) {
	var l *Lost
	if errors.As(err, &l) {
		return l.How, true
	}
	return 0, false
}

// call is a Request on its way.
type call struct {
	Request
	channel  *Channel
	deadline world.Deadline
	expire   func() // made once: a bound method is allocated

	// Under the channel's lock.
	is          stage
	version     int16
	correlation int32
	size        int
	end         int64 // of its connection's bytes, those of this request included
}

type stage uint8

const (
	waiting  stage = iota // for a connection
	encoding              // its Body is being called
	sent                  // it waits for its answer
	over                  // it was answered
)

// failure is the error of a call that gets no answer.
func (c *call) failure(e Ending, maybe bool) error {
	code, what := kafka.ErrNetworkException, "the connection is lost"
	switch e.How {
	case Silent:
		code, what = kafka.ErrRequestTimedOut, "no answer came"
	case Closed:
		what = "the connection was given up"
	case Refused:
		what = "nobody listens there"
	case Garbled:
		what = "the answer makes no sense"
	}
	return &fault.Error{
		Op: "peer." + c.API.Key.String(), Code: code, Message: "asking " + c.channel.addr + ": " + what,
		Cause: &Lost{How: e.How, MaybeSent: maybe, Cause: e.Err},
	}
}

// unsupported is the error of a call in no version that both sides know.
func (c *call) unsupported(theirs span, known bool) error {
	format := "%s does not offer %v, of which we speak versions %d to %d"
	args := []any{c.channel.addr, c.API.Key, c.API.Served, c.API.Max}
	if known {
		format = "%s offers %v in versions %d to %d, and we speak %d to %d"
		args = []any{c.channel.addr, c.API.Key, theirs.low, theirs.high, c.API.Served, c.API.Max}
	}
	return fault.New("peer."+c.API.Key.String(), kafka.ErrUnsupportedVersion, format, args...)
}

// verdict is a call that is to be told its end, once no lock is held.
type verdict struct {
	call *call
	err  error
}

func tell(all []verdict) {
	for _, v := range all {
		v.call.Done(Answer{}, v.err)
	}
}
