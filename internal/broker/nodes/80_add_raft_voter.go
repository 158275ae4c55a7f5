package nodes

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/wire"
)

// kraftVersions is what a controller that is added can run: kraft.version 1 is the newest there is, and every release since that
// came runs both. Apache Kafka asks it.
const kraftVersions = 1

// AddRaftVoter serves AddRaftVoter v0-1 (KIP-853): a controller that follows the metadata log gets a vote. From v1 on the answer may
// come before the change is committed (KIP-1186). The voter is waited for as long as the request says, and no longer than any change may take:
// no other one begins meanwhile. (Apache Kafka waits for its own controller.quorum.request.timeout.ms, whatever the request says.)
func (n *Nodes) AddRaftVoter(req *wire.Request) {
	in := req.Body.(*kmsg.AddRaftVoterRequest)
	answer := func(err error) {
		out := in.ResponseKind().(*kmsg.AddRaftVoterResponse)
		out.ErrorCode, out.ErrorMessage = int16(fault.CodeOf(err)), text(err)
		req.Reply(wire.Reply{Message: out})
	}
	if err := n.foreign(in.ClusterID); err != nil {
		answer(err)
		return
	}
	v := record.Voter{ID: kafka.NodeID(in.VoterID), Directory: in.VoterDirectoryID, MaxKRaft: kraftVersions}
	for i := range in.Listeners {
		l := &in.Listeners[i]
		v.Endpoints = append(v.Endpoints, record.Endpoint{Name: l.Name, Host: l.Host, Port: l.Port})
	}
	early := in.Version >= 1 && !in.AckWhenCommitted
	n.o.Quorum.AddVoter(v, min(time.Duration(max(0, in.TimeoutMillis))*time.Millisecond, n.o.Timeout), !early, answer)
}

// foreign refuses a request for another cluster.
func (n *Nodes) foreign(id *string) error {
	if !n.otherCluster(id) {
		return nil
	}
	return fault.New("nodes.voters", kafka.ErrInconsistentClusterId, "The clusterId in the request does not match that found on the server")
}
