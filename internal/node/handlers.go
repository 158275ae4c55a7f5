package node

import (
	"maps"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/wire"
)

// forClients is what the listeners of clients offer: everything that a broker serves.
func (n *Node) forClients() map[kafka.APIKey]wire.Handler {
	if !n.settings.node.Roles.Broker {
		return nil
	}
	out := n.handlers()
	for key, h := range n.control.ofNodes() {
		if api, _ := wire.Lookup(key); api.Forwarded {
			out[key] = h // which brokers pass on (KIP-590)
		}
	}
	nobody := func(wire.Member, *wire.NodeRequest) error { return nil }
	out[kafka.KeyNodeMessages] = peer.Door(n.identity, nobody, nil) // who asks whether this process lives
	return out
}

func (n *Node) handlers() map[kafka.APIKey]wire.Handler {
	a := &n.areas
	return map[kafka.APIKey]wire.Handler{
		kafka.KeyProduce:                     a.produce.Produce,
		kafka.KeyFetch:                       a.fetch.Fetch,
		kafka.KeyListOffsets:                 a.fetch.ListOffsets,
		kafka.KeyOffsetForLeaderEpoch:        a.fetch.OffsetForLeaderEpoch,
		kafka.KeyMetadata:                    a.topics.Metadata,
		kafka.KeyDescribeTopicPartitions:     a.topics.DescribeTopicPartitions,
		kafka.KeyCreateTopics:                a.topics.CreateTopics,
		kafka.KeyDeleteTopics:                a.topics.DeleteTopics,
		kafka.KeyCreatePartitions:            a.topics.CreatePartitions,
		kafka.KeyDeleteRecords:               a.topics.DeleteRecords,
		kafka.KeyElectLeaders:                a.topics.ElectLeaders,
		kafka.KeyAlterPartitionReassignments: a.topics.AlterPartitionReassignments,
		kafka.KeyListPartitionReassignments:  a.topics.ListPartitionReassignments,
		kafka.KeyFindCoordinator:             a.groups.FindCoordinator,
		kafka.KeyJoinGroup:                   a.groups.JoinGroup,
		kafka.KeySyncGroup:                   a.groups.SyncGroup,
		kafka.KeyHeartbeat:                   a.groups.Heartbeat,
		kafka.KeyLeaveGroup:                  a.groups.LeaveGroup,
		kafka.KeyOffsetCommit:                a.groups.OffsetCommit,
		kafka.KeyOffsetFetch:                 a.groups.OffsetFetch,
		kafka.KeyOffsetDelete:                a.groups.OffsetDelete,
		kafka.KeyDescribeGroups:              a.groups.DescribeGroups,
		kafka.KeyListGroups:                  a.groups.ListGroups,
		kafka.KeyDeleteGroups:                a.groups.DeleteGroups,
		kafka.KeyInitProducerId:              a.transactions.InitProducerID,
		kafka.KeyDescribeProducers:           a.transactions.DescribeProducers,
		kafka.KeyDescribeConfigs:             a.configs.DescribeConfigs,
		kafka.KeyAlterConfigs:                a.configs.AlterConfigs,
		kafka.KeyIncrementalAlterConfigs:     a.configs.IncrementalAlterConfigs,
		kafka.KeyListConfigResources:         a.configs.ListConfigResources,
		kafka.KeyApiVersions:                 a.cluster.ApiVersions,
		kafka.KeyDescribeCluster:             a.cluster.DescribeCluster,
		kafka.KeyAlterReplicaLogDirs:         a.cluster.AlterReplicaLogDirs,
		kafka.KeyDescribeLogDirs:             a.cluster.DescribeLogDirs,
		kafka.KeyDescribeQuorum:              a.cluster.DescribeQuorum,
		kafka.KeyUpdateFeatures:              a.cluster.UpdateFeatures,
	}
}

// forControllers is what the listeners of controllers offer (KIP-919): what the active controller answers itself, wherever a
// client has found it.
func (n *Node) forControllers() map[kafka.APIKey]wire.Handler {
	out := map[kafka.APIKey]wire.Handler{}
	all, configs := n.handlers(), n.areas.configs.OfAll()
	all[kafka.KeyAlterConfigs], all[kafka.KeyIncrementalAlterConfigs] = configs.AlterConfigs, configs.IncrementalAlterConfigs
	for _, api := range wire.APIs() {
		if h := all[api.Key]; h != nil && api.OnControllers && api.Key != kafka.KeyFetch { // there it is of the metadata log
			out[api.Key] = h
		}
	}
	maps.Copy(out, n.control.ofNodes())
	out[kafka.KeyNodeMessages] = peer.Door(n.identity, n.control.mail.take, n.control.forming.Answer)
	return out
}
