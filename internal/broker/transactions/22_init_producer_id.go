// Package transactions serves what producers need beyond Produce itself: producer ids, and the state of producers on
// this node's partitions. Transactions themselves are not built: nothing of them is advertised, and a transactional id
// is refused.
//
// listen calls its handlers through node's table. It never appends to a log.
package transactions

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// Transactions is the area.
type Transactions struct {
	ids        producerIDs
	partitions Partitions
}

// New connects the area.
func New(blocks Blocks, partitions Partitions) *Transactions {
	return &Transactions{ids: producerIDs{blocks: blocks}, partitions: partitions}
}

// InitProducerID serves InitProducerId v0-5 (KIP-98, KIP-360, KIP-890): a fresh id at epoch 0 for every idempotent
// producer, also for one that names its old id, as Kafka does. A transactional id gets UNSUPPORTED_VERSION, which
// clients treat as final.
func (t *Transactions) InitProducerID(req *wire.Request) {
	in := req.Body.(*kmsg.InitProducerIDRequest)
	out := in.ResponseKind().(*kmsg.InitProducerIDResponse)
	out.ProducerID, out.ProducerEpoch = int64(kafka.NoProducerID), -1
	if in.TransactionalID != nil {
		out.ErrorCode = int16(kafka.ErrUnsupportedVersion)
		if *in.TransactionalID == "" {
			out.ErrorCode = int16(kafka.ErrInvalidRequest)
		}
		req.Reply(wire.Reply{Message: out})
		return
	}
	t.ids.take(func(id kafka.ProducerID, err error) {
		if err != nil {
			// Clients retry on a loading coordinator; the controller being away for a moment is no more than that.
			code := fault.CodeOf(err)
			if !code.Retriable() || code == kafka.ErrNotController {
				code = kafka.ErrCoordinatorLoadInProgress
			}
			out.ErrorCode = int16(code)
		} else {
			out.ProducerID, out.ProducerEpoch = int64(id), 0
		}
		req.Reply(wire.Reply{Message: out})
	})
}
