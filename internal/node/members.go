package node

import "github.com/milena-io/milena/internal/kafka"

// Member returns the epoch under which a broker is registered, -1 for none, and whether it may join an ISR (KIP-841, KIP-903).
func (r *replicas) Member(id kafka.NodeID) (epoch kafka.BrokerEpoch, eligible bool) {
	b := r.Image().Broker(id)
	if b == nil {
		return -1, false
	}
	return b.Epoch, b.Active()
}

// Near returns the rack of a broker, "" for none, and whether clients of a listener reach it.
func (r *replicas) Near(id kafka.NodeID, listener string) (rack string, ok bool) {
	b := r.Image().Broker(id)
	if b == nil || b.Fenced {
		return "", false
	}
	if b.Rack != nil {
		rack = *b.Rack
	}
	_, ok = b.Endpoint(listener)
	return rack, ok
}
