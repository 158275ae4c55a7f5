package nodes

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/wire"
)

// UpdateRaftVoter serves UpdateRaftVoter v0 (KIP-853): a voter says where it is reached now and which kraft.version it can run. It
// names the epoch of the leader that it means.
func (n *Nodes) UpdateRaftVoter(req *wire.Request) {
	const op = "nodes.UpdateRaftVoter"
	in := req.Body.(*kmsg.UpdateRaftVoterRequest)
	leader, epoch := n.o.Quorum.Leader()
	answer := func(err error) {
		out := in.ResponseKind().(*kmsg.UpdateRaftVoterResponse)
		out.ErrorCode = int16(fault.CodeOf(err))
		out.CurrentLeader.LeaderID, out.CurrentLeader.LeaderEpoch = int32(leader), int32(epoch)
		for _, v := range n.o.Quorum.Voters() {
			if e, ok := n.endpoint(v.Endpoints); ok && v.ID == leader {
				out.CurrentLeader.Host, out.CurrentLeader.Port = e.Host, int32(e.Port)
			}
		}
		req.Reply(wire.Reply{Message: out})
	}
	err := n.foreign(in.ClusterID)
	switch meant := kafka.LeaderEpoch(in.CurrentLeaderEpoch); {
	case err != nil:
	case meant < epoch:
		err = fault.New(op, kafka.ErrFencedLeaderEpoch, "The leader epoch is %d, not %d.", epoch, meant)
	case meant > epoch:
		err = fault.New(op, kafka.ErrUnknownLeaderEpoch, "The leader epoch is %d, not yet %d.", epoch, meant)
	}
	if err != nil {
		answer(err)
		return
	}
	v := record.Voter{
		ID: kafka.NodeID(in.VoterID), Directory: in.VoterDirectoryID,
		MinKRaft: in.KRaftVersionFeature.MinSupportedVersion, MaxKRaft: in.KRaftVersionFeature.MaxSupportedVersion,
	}
	for i := range in.Listeners {
		l := &in.Listeners[i]
		v.Endpoints = append(v.Endpoints, record.Endpoint{Name: l.Name, Host: l.Host, Port: l.Port})
	}
	n.o.Quorum.UpdateVoter(v, n.o.Timeout, answer)
}
