package nodes

import (
	"net/netip"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/remote/commands"
	"github.com/milena-io/milena/internal/wire"
)

// Envelope serves Envelope v0 (KIP-590): a client's request that another node passes on, with the client's principal and address.
// It is answered as if the client had asked here. Only what brokers forward may be inside, INVALID_REQUEST otherwise; an answer that
// says anywhere that this node does not control makes NOT_CONTROLLER of the Envelope, so that it is passed on to whom it is meant for.
func (n *Nodes) Envelope(req *wire.Request) {
	in := req.Body.(*kmsg.EnvelopeRequest)
	out := in.ResponseKind().(*kmsg.EnvelopeResponse)
	table := n.o.Node.Table(req.Peer.Listener)
	inner, err := open(table, in, n.o.Budget.TryTake)
	if err != nil {
		n.o.Budget.Take(-inner.decoded.Memory)
		out.ErrorCode = int16(fault.CodeOf(err))
		req.Reply(wire.Reply{Message: out})
		return
	}
	d := inner.decoded
	passed := &wire.Request{
		Peer: req.Peer, Key: d.Key, Version: d.Version, CorrelationID: d.CorrelationID, ClientID: string(d.ClientID), Body: d.Body,
		Arrived: req.Arrived, Timeline: req.Timeline,
	}
	passed.Peer.Principal, passed.Peer.Addr = inner.principal, inner.from
	passed.Reply = func(r wire.Reply) {
		n.o.Budget.Take(-d.Memory)
		out.ErrorCode, out.ResponseData = seal(table, &d, r)
		if out.ErrorCode == 0 {
			commands.SetShown(out, n.o.Node.Shown())
		}
		req.Reply(wire.Reply{Message: out, Throttle: r.Throttle})
	}
	table.Handle(passed)
}

// opened is what was in an Envelope.
type opened struct {
	decoded   wire.Decoded
	principal wire.Principal
	from      netip.AddrPort
}

// open takes a request out of its Envelope. What decoding took has to be given back also after an error.
func open(table *wire.Table, in *kmsg.EnvelopeRequest, charge func(int64) bool) (opened, error) {
	const op = "nodes.Envelope"
	var o opened
	var err error
	if o.principal, err = wire.ParsePrincipal(in.RequestPrincipal); err != nil {
		return o, fault.New(op, kafka.ErrPrincipalDeserializationFailure, "Failed to deserialize client principal from envelope: %v", err)
	}
	addr, ok := netip.AddrFromSlice(in.ClientHostAddress)
	if !ok {
		return o, fault.New(op, kafka.ErrInvalidRequest, "Failed to parse client address from envelope: %d bytes", len(in.ClientHostAddress))
	}
	o.from = netip.AddrPortFrom(addr, 0)
	o.decoded, err = table.Decode(in.RequestData, charge)
	d := &o.decoded
	api, known := table.API(d.Key)
	switch {
	case !known || !api.Forwarded:
		return o, fault.New(op, kafka.ErrInvalidRequest, "%v is not forwardable", d.Key)
	case d.Version < api.Served || d.Version > api.Max:
		return o, fault.New(op, kafka.ErrUnsupportedVersion, "%v version %d is not served", d.Key, d.Version)
	case err != nil:
		return o, fault.New(op, kafka.ErrInvalidRequest, "Failed to parse the request in the envelope: %v", err)
	}
	return o, nil
}

// seal puts an answer into bytes: response header and body, without a length.
func seal(table *wire.Table, d *wire.Decoded, r wire.Reply) (code int16, data []byte) {
	if r.Message == nil || r.Close {
		return int16(kafka.ErrUnknownServerError), nil
	}
	if elsewhere(r.Message) {
		return int16(kafka.ErrNotController), nil
	}
	encoded := table.Encode(wire.NewPool(nil, false), d, r)
	const lengthBytes = 4
	data = append(data, encoded.Head.B[lengthBytes:]...)
	encoded.Free()
	return 0, data
}

// elsewhere reports whether an answer says that another node is to be asked. The quorum's own APIs, and a controller that is stopping, say
// NOT_LEADER_OR_FOLLOWER; nothing that is forwarded says so of a partition. To DescribeQuorum it is an answer: nobody leads.
func elsewhere(m kmsg.Response) bool {
	_, question := m.(*kmsg.DescribeQuorumResponse)
	return tellsOf(m, kafka.ErrNotController) || !question && tellsOf(m, kafka.ErrNotLeaderOrFollower)
}
