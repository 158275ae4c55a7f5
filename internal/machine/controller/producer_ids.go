package controller

import (
	"math"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// producerIDBlock is how many producer ids a broker gets at once (Kafka's constant).
const producerIDBlock = 1000

// allocateProducerIDs gives a broker the next block of producer ids. No id is ever given twice (KIP-730).
func allocateProducerIDs(d *decision, c AllocateProducerIDs) (any, error) {
	if _, err := registered(d, c.Broker, c.Epoch); err != nil {
		return nil, err
	}
	first := d.img.NextProducerID()
	if first > math.MaxInt64-producerIDBlock {
		return nil, fault.New(op, kafka.ErrUnknownServerError, "all producer ids are given away; the next block would begin at %d", first)
	}
	d.add(&staterecord.ProducerIDs{BrokerID: c.Broker, BrokerEpoch: c.Epoch, NextProducerID: first + producerIDBlock})
	return ProducerIDs{First: first, Count: producerIDBlock}, nil
}
