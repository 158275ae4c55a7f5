package topics

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/wire"
)

// ListPartitionReassignments serves ListPartitionReassignments v0 (KIP-455): with one broker none is ever under way.
func (t *Topics) ListPartitionReassignments(req *wire.Request) {
	req.Reply(wire.Reply{Message: req.Body.(*kmsg.ListPartitionReassignmentsRequest).ResponseKind()})
}
