package image

import (
	"iter"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// Broker is a registered broker; nobody may change one.
type Broker struct {
	ID              kafka.NodeID
	Epoch           kafka.BrokerEpoch
	Incarnation     kafka.IncarnationID
	Endpoints       []staterecord.Endpoint
	Features        []staterecord.FeatureRange
	Rack            *string
	Fenced          bool
	ShuttingDown    bool // in controlled shutdown
	LogDirs         []kafka.DirectoryID
	CordonedLogDirs []kafka.DirectoryID // nil until the broker told
	migratingZk     bool
}

// Active reports whether the broker may lead: neither fenced nor shutting down.
func (b *Broker) Active() bool { return !b.Fenced && !b.ShuttingDown }

// Endpoint finds the endpoint of a listener.
func (b *Broker) Endpoint(listener string) (staterecord.Endpoint, bool) {
	return endpointNamed(b.Endpoints, listener)
}

// HasDirectory reports whether a log directory is one of the broker's that work. A reserved id (unassigned, migrating)
// counts as one: the broker places such a replica itself.
func (b *Broker) HasDirectory(d kafka.DirectoryID) bool {
	if d == kafka.DirectoryUnassigned || d == kafka.DirectoryMigrating || len(b.LogDirs) == 0 {
		return true
	}
	for _, have := range b.LogDirs {
		if have == d {
			return true
		}
	}
	return false
}

func endpointNamed(all []staterecord.Endpoint, listener string) (staterecord.Endpoint, bool) {
	for _, e := range all {
		if e.Name == listener {
			return e, true
		}
	}
	return staterecord.Endpoint{}, false
}

// Record restates the broker as the record that registers it.
func (b *Broker) Record() *staterecord.RegisterBroker {
	return &staterecord.RegisterBroker{
		BrokerID: b.ID, IsMigratingZkBroker: b.migratingZk, IncarnationID: b.Incarnation, BrokerEpoch: b.Epoch,
		Endpoints: b.Endpoints, Features: b.Features, Rack: b.Rack, Fenced: b.Fenced,
		InControlledShutdown: b.ShuttingDown, LogDirs: b.LogDirs, CordonedLogDirs: b.CordonedLogDirs,
	}
}

func brokerOf(r *staterecord.RegisterBroker) *Broker {
	return &Broker{
		ID: r.BrokerID, Epoch: r.BrokerEpoch, Incarnation: r.IncarnationID, Endpoints: r.Endpoints,
		Features: r.Features, Rack: r.Rack, Fenced: r.Fenced, ShuttingDown: r.InControlledShutdown,
		LogDirs: r.LogDirs, CordonedLogDirs: r.CordonedLogDirs, migratingZk: r.IsMigratingZkBroker,
	}
}

// Controller is a registered controller; nobody may change one.
type Controller struct {
	ID          kafka.NodeID
	Incarnation kafka.IncarnationID
	Endpoints   []staterecord.Endpoint
	Features    []staterecord.FeatureRange
	zkReady     bool
}

// Endpoint finds the endpoint of a listener.
func (c *Controller) Endpoint(listener string) (staterecord.Endpoint, bool) {
	return endpointNamed(c.Endpoints, listener)
}

// Record restates the controller as the record that registers it.
func (c *Controller) Record() *staterecord.RegisterController {
	return &staterecord.RegisterController{
		ControllerID: c.ID, IncarnationID: c.Incarnation, ZkMigrationReady: c.zkReady, Endpoints: c.Endpoints,
		Features: c.Features,
	}
}

// Broker finds a broker; nil when it is not registered.
func (img *Image) Broker(id kafka.NodeID) *Broker {
	b, _ := img.brokers.Get(id)
	return b
}

// Brokers walks all registered brokers by id.
func (img *Image) Brokers() iter.Seq[*Broker] {
	return func(yield func(*Broker) bool) {
		for _, b := range img.brokers.All() {
			if !yield(b) {
				return
			}
		}
	}
}

// LiveBrokers walks the brokers that clients are told of, those not fenced, by id.
func (img *Image) LiveBrokers() iter.Seq[*Broker] {
	return func(yield func(*Broker) bool) {
		for _, b := range img.brokers.All() {
			if !b.Fenced && !yield(b) {
				return
			}
		}
	}
}

// BrokerCount returns the number of registered brokers, fenced ones included.
func (img *Image) BrokerCount() int { return img.brokers.Len() }

// Controller finds a controller; nil when it is not registered.
func (img *Image) Controller(id kafka.NodeID) *Controller {
	c, _ := img.controllers.Get(id)
	return c
}

// Controllers walks the registered controllers by id.
func (img *Image) Controllers() iter.Seq[*Controller] {
	return func(yield func(*Controller) bool) {
		for _, c := range img.controllers.All() {
			if !yield(c) {
				return
			}
		}
	}
}
