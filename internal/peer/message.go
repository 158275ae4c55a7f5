package peer

import (
	"bytes"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// AskMessage asks by a message of kmsg, whose version it sets, and hands on the answer decoded. An answer of the other node that
// says no is an answer; err is for none, or for one that doesn't decode. The message belongs to the channel until done is called.
func (c *Channel) AskMessage(m kmsg.Request, timeout time.Duration, done func(kmsg.Response, error)) {
	api := c.p.api(m)
	c.Ask(Request{
		API: api, Timeout: timeout,
		Body: func(dst []byte, version int16) []byte {
			m.SetVersion(version)
			return m.AppendTo(dst)
		},
		Done: func(a Answer, err error) {
			if err != nil {
				done(nil, err)
				return
			}
			out := m.ResponseKind()
			out.SetVersion(a.Version)
			err = out.ReadFrom(bytes.Clone(a.Body)) // kmsg leaves byte strings where they are
			a.Release()
			if err != nil {
				done(nil, undecoded(c.addr, api.Key, err))
				return
			}
			done(out, nil)
		},
	})
}

// Tell sends messages to a node, or asks who it is when there are none. The answer says who is there also when err is its
// refusal, such as INCONSISTENT_CLUSTER_ID. n belongs to the channel until done is called.
func (c *Channel) Tell(n *wire.NodeCall, timeout time.Duration, done func(wire.NodeAnswer, error)) {
	c.Ask(Request{
		API: c.p.apis[kafka.KeyNodeMessages], Timeout: timeout,
		Body: func(dst []byte, _ int16) []byte { return n.AppendTo(dst) },
		Done: func(a Answer, err error) {
			if err != nil {
				done(wire.NodeAnswer{}, err)
				return
			}
			out, err := wire.ParseNodeAnswer(a.Body)
			a.Release()
			switch {
			case err != nil:
				err = undecoded(c.addr, kafka.KeyNodeMessages, err)
			case out.ErrorCode != kafka.ErrNone:
				err = fault.New("peer.NodeMessages", out.ErrorCode, "%s says: %s", c.addr, out.Message)
			}
			done(out, err)
		},
	})
}

// undecoded is the error of an answer that makes no sense. The other node did act on the request.
func undecoded(addr string, key kafka.APIKey, err error) error {
	return &fault.Error{
		Op: "peer." + key.String(), Kind: fault.Corrupt, Code: kafka.ErrUnknownServerError,
		Message: "the answer of " + addr + " does not decode", Cause: &Lost{How: Garbled, MaybeSent: true, Cause: err},
	}
}
