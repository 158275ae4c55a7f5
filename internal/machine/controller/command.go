package controller

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// Command is one thing the controller is asked to do: one of the types here. Every command that can be asked
// for by a client names the results one by one, in the order asked, so that a request with one bad topic does the rest.
type Command any

// Problem is why one thing of a command was refused; a zero Code means it was done.
type Problem struct {
	Code    kafka.ErrorCode
	Message string
}

// OK reports whether nothing was refused.
func (p Problem) OK() bool { return p.Code == kafka.ErrNone }

// Err returns the problem as an error, nil when there is none.
func (p Problem) Err(op string) error {
	if p.OK() {
		return nil
	}
	return &fault.Error{Op: op, Code: p.Code, Message: p.Message}
}

// problem is an error as one thing's result.
func problem(err error) Problem {
	if err == nil {
		return Problem{}
	}
	p := Problem{Code: fault.CodeOf(err)}
	if m := fault.MessageOf(err); m != nil {
		p.Message = *m
	}
	return p
}

// CreateTopics creates topics, each with an id that the caller drew. The reply is []CreatedTopic.
type CreateTopics struct {
	Topics       []NewTopic
	ValidateOnly bool
}

// NewTopic is one topic to create. Partitions and Replicas are -1 for the defaults; Assignment, when not nil, gives the
// replicas of partitions 0, 1, ... by hand and the other two are -1.
type NewTopic struct {
	ID         kafka.TopicID
	Name       string
	Partitions int32
	Replicas   int16
	Assignment []Assigned
	Configs    []ConfigSet
}

// Assigned is the replicas of one partition given by hand.
type Assigned struct {
	Partition int32
	Replicas  []kafka.NodeID
}

// ConfigSet is one config of a new topic or of AlterConfigs; a nil value is Kafka's "no value".
type ConfigSet struct {
	Name  string
	Value *string
}

// CreatedTopic is what became of one NewTopic. Errors: TOPIC_ALREADY_EXISTS, INVALID_TOPIC_EXCEPTION,
// INVALID_PARTITIONS, INVALID_REPLICATION_FACTOR, INVALID_REPLICA_ASSIGNMENT, INVALID_CONFIG, POLICY_VIOLATION,
// INVALID_REQUEST for a name named twice, TOPIC_AUTHORIZATION_FAILED for __cluster_metadata. A command that asks for more
// than 25,000 partitions is refused as a whole with POLICY_VIOLATION.
type CreatedTopic struct {
	Problem
	ID         kafka.TopicID
	Name       string
	Partitions int32
	Replicas   int16
}

// DeleteTopics deletes topics by id or, with a zero id, by name. The reply is []DeletedTopic.
type DeleteTopics struct{ Topics []TopicRef }

// TopicRef names a topic by id, or by name when the id is zero.
type TopicRef struct {
	ID   kafka.TopicID
	Name string
}

// DeletedTopic is what became of one TopicRef; id and name are filled in where known. Errors: UNKNOWN_TOPIC_ID,
// UNKNOWN_TOPIC_OR_PARTITION.
type DeletedTopic struct {
	Problem
	TopicRef
}

// CreatePartitions grows topics. The reply is []GrownTopic.
type CreatePartitions struct {
	Topics       []GrowTopic
	ValidateOnly bool
}

// GrowTopic asks for Count partitions in all; Assignment, when not nil, has the replicas of each new one.
type GrowTopic struct {
	Name       string
	Count      int32
	Assignment [][]kafka.NodeID
}

// GrownTopic is what became of one GrowTopic. Errors: UNKNOWN_TOPIC_OR_PARTITION, INVALID_PARTITIONS,
// INVALID_REPLICA_ASSIGNMENT.
type GrownTopic struct {
	Problem
	Name string
}

// ConfigOp is what IncrementalAlterConfigs does with one key (KIP-339); the values are the wire's.
type ConfigOp int8

// The operations.
const (
	SetConfig      ConfigOp = 0
	DeleteConfig   ConfigOp = 1
	AppendConfig   ConfigOp = 2
	SubtractConfig ConfigOp = 3
)

// ConfigChange changes one key of a resource.
type ConfigChange struct {
	Name  string
	Op    ConfigOp
	Value *string
}

// AlterConfigs changes dynamic configs. The reply is []AlteredConfig.
type AlterConfigs struct {
	Resources    []AlterResource
	ValidateOnly bool
}

// AlterResource is the changes to one resource. Replace is the old AlterConfigs: what Changes (all SetConfig) doesn't
// name is deleted.
type AlterResource struct {
	Type    staterecord.ResourceType
	Name    string
	Replace bool
	Changes []ConfigChange
}

// AlteredConfig is what became of one AlterResource. Errors: INVALID_CONFIG, INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION,
// BROKER_ID_NOT_REGISTERED.
type AlteredConfig struct {
	Problem
	Type staterecord.ResourceType
	Name string
}

// AllocateProducerIDs reserves a block of 1,000 producer ids for a broker (KIP-730). The reply is ProducerIDs. Error:
// STALE_BROKER_EPOCH.
type AllocateProducerIDs struct {
	Broker kafka.NodeID
	Epoch  kafka.BrokerEpoch
}

// ProducerIDs is a block: First to First+Count-1.
type ProducerIDs struct {
	First kafka.ProducerID
	Count int32
}

// UpdateFeatures sets finalized feature levels (KIP-584). The reply is []UpdatedFeature; when one is refused none is done.
type UpdateFeatures struct {
	Features     []FeatureUpdate
	ValidateOnly bool
}

// FeatureUpdate sets one level; UpgradeType is the wire's: 1 upgrade, 2 safe downgrade, 3 unsafe downgrade.
type FeatureUpdate struct {
	Name        string
	Level       int16
	UpgradeType int8
}

// UpdatedFeature is what became of one FeatureUpdate. Errors: INVALID_UPDATE_VERSION, INVALID_REQUEST; and
// FEATURE_UPDATE_FAILED for one that was not done because of another.
type UpdatedFeature struct {
	Problem
	Name string
}

// Bootstrap writes what a new cluster's log has to hold, once the first controller leads: the feature levels. It is due by itself. It does
// nothing where metadata.version is set. The reply is nil.
type Bootstrap struct{}

// ExpireSessions fences the brokers whose sessions ended; Due returns it.
type ExpireSessions struct{}

// BalanceLeaders has preferred replicas lead again; Due returns it every leader.imbalance.check.interval.seconds.
type BalanceLeaders struct{}
