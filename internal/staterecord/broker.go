package staterecord

import "github.com/milena-io/milena/internal/kafka"

// Endpoint is one named listener of a broker or a controller.
type Endpoint struct {
	Name             string // listener name
	Host             string
	Port             uint16
	SecurityProtocol SecurityProtocol
}

// SecurityProtocol is Kafka's id of what a listener speaks.
type SecurityProtocol int16

// The security protocols.
const (
	Plaintext     SecurityProtocol = 0
	SSL           SecurityProtocol = 1
	SASLPlaintext SecurityProtocol = 2
	SASLSSL       SecurityProtocol = 3
)

func (e *Endpoint) walk(c *codec) {
	c.string(&e.Name)
	c.string(&e.Host)
	int16Of(c, &e.Port)
	int16Of(c, &e.SecurityProtocol)
	c.tags()
}

// FeatureRange is what a node supports of one feature.
type FeatureRange struct {
	Name     string
	Min, Max int16
}

func (f *FeatureRange) walk(c *codec) {
	c.string(&f.Name)
	int16Of(c, &f.Min)
	int16Of(c, &f.Max)
	c.tags()
}

// The smallest items: two or one length bytes, the numbers, the tag count.
const (
	endpointBytes = 7
	featureBytes  = 6
)

func endpointsOf(c *codec, v *[]Endpoint) {
	arrayOf(c, v, endpointBytes, false, func(c *codec, e *Endpoint) { e.walk(c) })
}

func featuresOf(c *codec, v *[]FeatureRange) {
	arrayOf(c, v, featureBytes, false, func(c *codec, f *FeatureRange) { f.walk(c) })
}

// RegisterBroker registers one incarnation of a broker, or amends its registration.
type RegisterBroker struct {
	BrokerID             kafka.NodeID
	IsMigratingZkBroker  bool // never set by us; kept when found
	IncarnationID        kafka.IncarnationID
	BrokerEpoch          kafka.BrokerEpoch
	Endpoints            []Endpoint
	Features             []FeatureRange
	Rack                 *string
	Fenced               bool
	InControlledShutdown bool
	LogDirs              []kafka.DirectoryID
	CordonedLogDirs      []kafka.DirectoryID // nil until the broker told (KIP-1066)
}

// Type returns the record's id on disk.
func (r *RegisterBroker) Type() Type { return TypeRegisterBroker }

func (r *RegisterBroker) walk(c *codec) {
	int32Of(c, &r.BrokerID)
	if c.version >= 2 {
		c.bool(&r.IsMigratingZkBroker)
	}
	uuidOf(c, &r.IncarnationID)
	int64Of(c, &r.BrokerEpoch)
	endpointsOf(c, &r.Endpoints)
	featuresOf(c, &r.Features)
	c.nullable(&r.Rack)
	c.bool(&r.Fenced)
	if c.version >= 1 {
		c.bool(&r.InControlledShutdown)
	}
	c.tags(
		tag{0, 3, len(r.LogDirs) > 0, func(c *codec) { uuidsOf(c, &r.LogDirs) }},
		tag{1, 4, r.CordonedLogDirs != nil, func(c *codec) { uuidsOrNull(c, &r.CordonedLogDirs) }},
	)
}

// UnregisterBroker removes a broker for good.
type UnregisterBroker struct {
	BrokerID    kafka.NodeID
	BrokerEpoch kafka.BrokerEpoch
}

// Type returns the record's id on disk.
func (r *UnregisterBroker) Type() Type { return TypeUnregisterBroker }

func (r *UnregisterBroker) walk(c *codec) {
	int32Of(c, &r.BrokerID)
	int64Of(c, &r.BrokerEpoch)
	c.tags()
}

// FenceBroker is the old form of a fencing BrokerRegistrationChange.
type FenceBroker struct {
	ID    kafka.NodeID
	Epoch kafka.BrokerEpoch
}

// Type returns the record's id on disk.
func (r *FenceBroker) Type() Type { return TypeFenceBroker }

func (r *FenceBroker) walk(c *codec) {
	int32Of(c, &r.ID)
	int64Of(c, &r.Epoch)
	c.tags()
}

// UnfenceBroker is the old form of an unfencing BrokerRegistrationChange.
type UnfenceBroker struct {
	ID    kafka.NodeID
	Epoch kafka.BrokerEpoch
}

// Type returns the record's id on disk.
func (r *UnfenceBroker) Type() Type { return TypeUnfenceBroker }

func (r *UnfenceBroker) walk(c *codec) {
	int32Of(c, &r.ID)
	int64Of(c, &r.Epoch)
	c.tags()
}

// Fencing is the change of the fenced state in a BrokerRegistrationChange.
type Fencing int8

// The fencing changes.
const (
	Unfence      Fencing = -1
	NoFencing    Fencing = 0
	FenceOff     Fencing = 1
	ShuttingDown int8    = 1 // InControlledShutdown of BrokerRegistrationChange
)

// BrokerRegistrationChange changes the state of a registered broker.
type BrokerRegistrationChange struct {
	BrokerID             kafka.NodeID
	BrokerEpoch          kafka.BrokerEpoch
	Fenced               Fencing
	InControlledShutdown int8                // 0 no change, 1 entered
	LogDirs              []kafka.DirectoryID // empty: no change
	CordonedLogDirs      []kafka.DirectoryID // nil: no change
}

// Type returns the record's id on disk.
func (r *BrokerRegistrationChange) Type() Type { return TypeBrokerRegistrationChange }

func (r *BrokerRegistrationChange) walk(c *codec) {
	int32Of(c, &r.BrokerID)
	int64Of(c, &r.BrokerEpoch)
	c.tags(
		tag{0, 0, r.Fenced != 0, func(c *codec) { int8Of(c, &r.Fenced) }},
		tag{1, 1, r.InControlledShutdown != 0, func(c *codec) { int8Of(c, &r.InControlledShutdown) }},
		tag{2, 2, len(r.LogDirs) > 0, func(c *codec) { uuidsOf(c, &r.LogDirs) }},
		tag{3, 3, r.CordonedLogDirs != nil, func(c *codec) { uuidsOrNull(c, &r.CordonedLogDirs) }},
	)
}

// RegisterController registers one incarnation of a controller (KIP-919).
type RegisterController struct {
	ControllerID     kafka.NodeID
	IncarnationID    kafka.IncarnationID
	ZkMigrationReady bool
	Endpoints        []Endpoint
	Features         []FeatureRange
}

// Type returns the record's id on disk.
func (r *RegisterController) Type() Type { return TypeRegisterController }

func (r *RegisterController) walk(c *codec) {
	int32Of(c, &r.ControllerID)
	uuidOf(c, &r.IncarnationID)
	c.bool(&r.ZkMigrationReady)
	endpointsOf(c, &r.Endpoints)
	featuresOf(c, &r.Features)
	c.tags()
}
