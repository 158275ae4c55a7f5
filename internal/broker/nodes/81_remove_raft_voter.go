package nodes

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// RemoveRaftVoter serves RemoveRaftVoter v0 (KIP-853): a voter loses its vote.
func (n *Nodes) RemoveRaftVoter(req *wire.Request) {
	in := req.Body.(*kmsg.RemoveRaftVoterRequest)
	answer := func(err error) {
		out := in.ResponseKind().(*kmsg.RemoveRaftVoterResponse)
		out.ErrorCode, out.ErrorMessage = int16(fault.CodeOf(err)), text(err)
		req.Reply(wire.Reply{Message: out})
	}
	if err := n.foreign(in.ClusterID); err != nil {
		answer(err)
		return
	}
	n.o.Quorum.RemoveVoter(kafka.NodeID(in.VoterID), in.VoterDirectoryID, n.o.Timeout, answer)
}
