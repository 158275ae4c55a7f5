package staterecord

import "github.com/milena-io/milena/internal/kafka"

// ResourceType is what a config belongs to.
type ResourceType int8

// The resource types with configs.
const (
	ResourceTopic         ResourceType = 2
	ResourceBroker        ResourceType = 4
	ResourceBrokerLogger  ResourceType = 8
	ResourceClientMetrics ResourceType = 16
	ResourceGroup         ResourceType = 32
)

// Config sets or, with a nil value, deletes one key of a resource. The broker resource with an empty name holds the
// cluster-wide defaults.
type Config struct {
	ResourceType ResourceType
	ResourceName string
	Name         string
	Value        *string
}

// Type returns the record's id on disk.
func (r *Config) Type() Type { return TypeConfig }

func (r *Config) walk(c *codec) {
	int8Of(c, &r.ResourceType)
	c.string(&r.ResourceName)
	c.string(&r.Name)
	c.nullable(&r.Value)
	c.tags()
}

// FeatureLevel finalizes a feature at a level; 0 removes it.
type FeatureLevel struct {
	Name  string
	Level int16
}

// Type returns the record's id on disk.
func (r *FeatureLevel) Type() Type { return TypeFeatureLevel }

func (r *FeatureLevel) walk(c *codec) {
	c.string(&r.Name)
	int16Of(c, &r.Level)
	c.tags()
}

// ProducerIDs hands a block of producer ids to a broker: everything below NextProducerID is given away.
type ProducerIDs struct {
	BrokerID       kafka.NodeID
	BrokerEpoch    kafka.BrokerEpoch
	NextProducerID kafka.ProducerID
}

// Type returns the record's id on disk.
func (r *ProducerIDs) Type() Type { return TypeProducerIDs }

func (r *ProducerIDs) walk(c *codec) {
	int32Of(c, &r.BrokerID)
	int64Of(c, &r.BrokerEpoch)
	int64Of(c, &r.NextProducerID)
	c.tags()
}

// NoOp moves the log end so that everybody can see how far behind they are (metadata.max.idle.interval.ms).
type NoOp struct{}

// Type returns the record's id on disk.
func (r *NoOp) Type() Type { return TypeNoOp }

func (r *NoOp) walk(c *codec) { c.tags() }

// ZkMigrationState is found in logs that began before Kafka 4.0; we never write it except to keep it.
type ZkMigrationState struct{ State int8 }

// Type returns the record's id on disk.
func (r *ZkMigrationState) Type() Type { return TypeZkMigrationState }

func (r *ZkMigrationState) walk(c *codec) {
	int8Of(c, &r.State)
	c.tags()
}

// BeginTransaction opens a metadata transaction (KIP-868): the records up to its end are one change.
type BeginTransaction struct{ Name *string }

// Type returns the record's id on disk.
func (r *BeginTransaction) Type() Type { return TypeBeginTransaction }

func (r *BeginTransaction) walk(c *codec) {
	c.tags(tag{0, 0, r.Name != nil, func(c *codec) { c.nullable(&r.Name) }})
}

// EndTransaction makes the records since BeginTransaction visible.
type EndTransaction struct{}

// Type returns the record's id on disk.
func (r *EndTransaction) Type() Type { return TypeEndTransaction }

func (r *EndTransaction) walk(c *codec) { c.tags() }

// AbortTransaction undoes the records since BeginTransaction.
type AbortTransaction struct{ Reason *string }

// Type returns the record's id on disk.
func (r *AbortTransaction) Type() Type { return TypeAbortTransaction }

func (r *AbortTransaction) walk(c *codec) {
	c.tags(tag{0, 0, r.Reason != nil, func(c *codec) { c.nullable(&r.Reason) }})
}
