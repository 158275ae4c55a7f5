package controller

import (
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// AlterPartition is a leader's wish to change ISR (KIP-497). The reply is []AlteredPartition.
type AlterPartition struct {
	Broker     kafka.NodeID
	Epoch      kafka.BrokerEpoch
	Partitions []PartitionWish
}

// PartitionWish is one partition of AlterPartition.
type PartitionWish struct {
	ID             kafka.TopicIDPartition
	LeaderEpoch    kafka.LeaderEpoch
	PartitionEpoch kafka.PartitionEpoch
	ISR            []kafka.NodeID
	Epochs         []kafka.BrokerEpoch // of the ISR's members as the leader knows them, -1 for any (KIP-903); nil for any
	Recovery       staterecord.LeaderRecovery
	Settled        bool // everything that was committed is durable on every member, and the partition need not settle any more (ADR 0036)
}

// AlteredPartition is the registration after the wish. Errors: NOT_CONTROLLER, FENCED_LEADER_EPOCH,
// INVALID_UPDATE_VERSION, INELIGIBLE_REPLICA, UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION, INVALID_REQUEST; and
// NEW_LEADER_ELECTED when the wish was granted and took the leadership away. The command is refused as a whole with
// STALE_BROKER_EPOCH.
type AlteredPartition struct {
	Problem
	ID             kafka.TopicIDPartition
	Leader         kafka.NodeID
	LeaderEpoch    kafka.LeaderEpoch
	PartitionEpoch kafka.PartitionEpoch
	ISR            []kafka.NodeID
	Recovery       staterecord.LeaderRecovery
}

// AssignReplicas is a broker's word on which of its log directories it keeps replicas in (AssignReplicasToDirs, KIP-858). A
// directory that is not online, DirectoryLost among them, takes the broker out of ISR and leadership of what is in it. The
// reply is []AssignedReplica. The command is refused as a whole with STALE_BROKER_EPOCH.
type AssignReplicas struct {
	Broker   kafka.NodeID
	Epoch    kafka.BrokerEpoch
	Replicas []ReplicaHome
}

// ReplicaHome is the directory of one replica.
type ReplicaHome struct {
	ID        kafka.TopicIDPartition
	Directory kafka.DirectoryID
}

// AssignedReplica is what became of one ReplicaHome. Errors: UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION,
// NOT_LEADER_OR_FOLLOWER where the broker has no replica, INVALID_REQUEST for a partition named twice.
type AssignedReplica struct {
	Problem
	ReplicaHome
}

// ElectLeaders has the preferred replicas lead, or with Unclean any replica where there is no leader, also one that may lack
// records (KIP-460). The reply is []ElectedLeader.
type ElectLeaders struct {
	Unclean    bool
	Last       *kafka.NodeID // with Unclean: this last known leader or nobody; nil for any replica
	All        bool          // every partition there is, and then only those are answered for where something was to be done
	Partitions []kafka.TopicPartition
}

// ElectedLeader is what became of one partition. Errors: UNKNOWN_TOPIC_OR_PARTITION, ELECTION_NOT_NEEDED,
// PREFERRED_LEADER_NOT_AVAILABLE, ELIGIBLE_LEADERS_NOT_AVAILABLE, INVALID_REQUEST for a partition named twice.
type ElectedLeader struct {
	Problem
	kafka.TopicPartition
}

// AlterReassignments begins, changes or cancels reassignments (KIP-455). The reply is []AlteredReassignment.
type AlterReassignments struct {
	AllowFactorChange bool // whether a replication factor may change (KIP-860)
	Partitions        []Reassignment
}

// Reassignment is the replicas a partition shall have, nil to cancel what is under way.
type Reassignment struct {
	kafka.TopicPartition
	Replicas []kafka.NodeID
}

// AlteredReassignment is what became of one Reassignment. Errors: UNKNOWN_TOPIC_OR_PARTITION, NO_REASSIGNMENT_IN_PROGRESS,
// INVALID_REPLICA_ASSIGNMENT, INVALID_REPLICATION_FACTOR, INVALID_REQUEST for a partition named twice.
type AlteredReassignment struct {
	Problem
	kafka.TopicPartition
}
