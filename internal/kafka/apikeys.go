package kafka

import "strconv"

// APIKey is the number of a request type.
type APIKey int16

// The API keys of Apache Kafka 4.3.
const (
	KeyProduce                               APIKey = 0
	KeyFetch                                 APIKey = 1
	KeyListOffsets                           APIKey = 2
	KeyMetadata                              APIKey = 3
	KeyLeaderAndIsr                          APIKey = 4
	KeyStopReplica                           APIKey = 5
	KeyUpdateMetadata                        APIKey = 6
	KeyControlledShutdown                    APIKey = 7
	KeyOffsetCommit                          APIKey = 8
	KeyOffsetFetch                           APIKey = 9
	KeyFindCoordinator                       APIKey = 10
	KeyJoinGroup                             APIKey = 11
	KeyHeartbeat                             APIKey = 12
	KeyLeaveGroup                            APIKey = 13
	KeySyncGroup                             APIKey = 14
	KeyDescribeGroups                        APIKey = 15
	KeyListGroups                            APIKey = 16
	KeySaslHandshake                         APIKey = 17
	KeyApiVersions                           APIKey = 18
	KeyCreateTopics                          APIKey = 19
	KeyDeleteTopics                          APIKey = 20
	KeyDeleteRecords                         APIKey = 21
	KeyInitProducerId                        APIKey = 22
	KeyOffsetForLeaderEpoch                  APIKey = 23
	KeyAddPartitionsToTxn                    APIKey = 24
	KeyAddOffsetsToTxn                       APIKey = 25
	KeyEndTxn                                APIKey = 26
	KeyWriteTxnMarkers                       APIKey = 27
	KeyTxnOffsetCommit                       APIKey = 28
	KeyDescribeAcls                          APIKey = 29
	KeyCreateAcls                            APIKey = 30
	KeyDeleteAcls                            APIKey = 31
	KeyDescribeConfigs                       APIKey = 32
	KeyAlterConfigs                          APIKey = 33
	KeyAlterReplicaLogDirs                   APIKey = 34
	KeyDescribeLogDirs                       APIKey = 35
	KeySaslAuthenticate                      APIKey = 36
	KeyCreatePartitions                      APIKey = 37
	KeyCreateDelegationToken                 APIKey = 38
	KeyRenewDelegationToken                  APIKey = 39
	KeyExpireDelegationToken                 APIKey = 40
	KeyDescribeDelegationToken               APIKey = 41
	KeyDeleteGroups                          APIKey = 42
	KeyElectLeaders                          APIKey = 43
	KeyIncrementalAlterConfigs               APIKey = 44
	KeyAlterPartitionReassignments           APIKey = 45
	KeyListPartitionReassignments            APIKey = 46
	KeyOffsetDelete                          APIKey = 47
	KeyDescribeClientQuotas                  APIKey = 48
	KeyAlterClientQuotas                     APIKey = 49
	KeyDescribeUserScramCredentials          APIKey = 50
	KeyAlterUserScramCredentials             APIKey = 51
	KeyVote                                  APIKey = 52
	KeyBeginQuorumEpoch                      APIKey = 53
	KeyEndQuorumEpoch                        APIKey = 54
	KeyDescribeQuorum                        APIKey = 55
	KeyAlterPartition                        APIKey = 56
	KeyUpdateFeatures                        APIKey = 57
	KeyEnvelope                              APIKey = 58
	KeyFetchSnapshot                         APIKey = 59
	KeyDescribeCluster                       APIKey = 60
	KeyDescribeProducers                     APIKey = 61
	KeyBrokerRegistration                    APIKey = 62
	KeyBrokerHeartbeat                       APIKey = 63
	KeyUnregisterBroker                      APIKey = 64
	KeyDescribeTransactions                  APIKey = 65
	KeyListTransactions                      APIKey = 66
	KeyAllocateProducerIds                   APIKey = 67
	KeyConsumerGroupHeartbeat                APIKey = 68
	KeyConsumerGroupDescribe                 APIKey = 69
	KeyControllerRegistration                APIKey = 70
	KeyGetTelemetrySubscriptions             APIKey = 71
	KeyPushTelemetry                         APIKey = 72
	KeyAssignReplicasToDirs                  APIKey = 73
	KeyListConfigResources                   APIKey = 74
	KeyDescribeTopicPartitions               APIKey = 75
	KeyShareGroupHeartbeat                   APIKey = 76
	KeyShareGroupDescribe                    APIKey = 77
	KeyShareFetch                            APIKey = 78
	KeyShareAcknowledge                      APIKey = 79
	KeyAddRaftVoter                          APIKey = 80
	KeyRemoveRaftVoter                       APIKey = 81
	KeyUpdateRaftVoter                       APIKey = 82
	KeyInitializeShareGroupState             APIKey = 83
	KeyReadShareGroupState                   APIKey = 84
	KeyWriteShareGroupState                  APIKey = 85
	KeyDeleteShareGroupState                 APIKey = 86
	KeyReadShareGroupStateSummary            APIKey = 87
	KeyStreamsGroupHeartbeat                 APIKey = 88
	KeyStreamsGroupDescribe                  APIKey = 89
	KeyDescribeShareGroupOffsets             APIKey = 90
	KeyAlterShareGroupOffsets                APIKey = 91
	KeyDeleteShareGroupOffsets               APIKey = 92
	KeyStreamsGroupTopologyDescriptionUpdate APIKey = 93
	KeyUnregisterController                  APIKey = 94
)

// KeyNodeMessages is the one API of our own: what nodes say among themselves that Kafka has no request for. It is far from
// Kafka's numbers, which rise one by one, and no client is ever told of it.
const KeyNodeMessages APIKey = 30000

var apiNames = map[APIKey]string{
	KeyProduce:                               "Produce",
	KeyFetch:                                 "Fetch",
	KeyListOffsets:                           "ListOffsets",
	KeyMetadata:                              "Metadata",
	KeyLeaderAndIsr:                          "LeaderAndIsr",
	KeyStopReplica:                           "StopReplica",
	KeyUpdateMetadata:                        "UpdateMetadata",
	KeyControlledShutdown:                    "ControlledShutdown",
	KeyOffsetCommit:                          "OffsetCommit",
	KeyOffsetFetch:                           "OffsetFetch",
	KeyFindCoordinator:                       "FindCoordinator",
	KeyJoinGroup:                             "JoinGroup",
	KeyHeartbeat:                             "Heartbeat",
	KeyLeaveGroup:                            "LeaveGroup",
	KeySyncGroup:                             "SyncGroup",
	KeyDescribeGroups:                        "DescribeGroups",
	KeyListGroups:                            "ListGroups",
	KeySaslHandshake:                         "SaslHandshake",
	KeyApiVersions:                           "ApiVersions",
	KeyCreateTopics:                          "CreateTopics",
	KeyDeleteTopics:                          "DeleteTopics",
	KeyDeleteRecords:                         "DeleteRecords",
	KeyInitProducerId:                        "InitProducerId",
	KeyOffsetForLeaderEpoch:                  "OffsetForLeaderEpoch",
	KeyAddPartitionsToTxn:                    "AddPartitionsToTxn",
	KeyAddOffsetsToTxn:                       "AddOffsetsToTxn",
	KeyEndTxn:                                "EndTxn",
	KeyWriteTxnMarkers:                       "WriteTxnMarkers",
	KeyTxnOffsetCommit:                       "TxnOffsetCommit",
	KeyDescribeAcls:                          "DescribeAcls",
	KeyCreateAcls:                            "CreateAcls",
	KeyDeleteAcls:                            "DeleteAcls",
	KeyDescribeConfigs:                       "DescribeConfigs",
	KeyAlterConfigs:                          "AlterConfigs",
	KeyAlterReplicaLogDirs:                   "AlterReplicaLogDirs",
	KeyDescribeLogDirs:                       "DescribeLogDirs",
	KeySaslAuthenticate:                      "SaslAuthenticate",
	KeyCreatePartitions:                      "CreatePartitions",
	KeyCreateDelegationToken:                 "CreateDelegationToken",
	KeyRenewDelegationToken:                  "RenewDelegationToken",
	KeyExpireDelegationToken:                 "ExpireDelegationToken",
	KeyDescribeDelegationToken:               "DescribeDelegationToken",
	KeyDeleteGroups:                          "DeleteGroups",
	KeyElectLeaders:                          "ElectLeaders",
	KeyIncrementalAlterConfigs:               "IncrementalAlterConfigs",
	KeyAlterPartitionReassignments:           "AlterPartitionReassignments",
	KeyListPartitionReassignments:            "ListPartitionReassignments",
	KeyOffsetDelete:                          "OffsetDelete",
	KeyDescribeClientQuotas:                  "DescribeClientQuotas",
	KeyAlterClientQuotas:                     "AlterClientQuotas",
	KeyDescribeUserScramCredentials:          "DescribeUserScramCredentials",
	KeyAlterUserScramCredentials:             "AlterUserScramCredentials",
	KeyVote:                                  "Vote",
	KeyBeginQuorumEpoch:                      "BeginQuorumEpoch",
	KeyEndQuorumEpoch:                        "EndQuorumEpoch",
	KeyDescribeQuorum:                        "DescribeQuorum",
	KeyAlterPartition:                        "AlterPartition",
	KeyUpdateFeatures:                        "UpdateFeatures",
	KeyEnvelope:                              "Envelope",
	KeyFetchSnapshot:                         "FetchSnapshot",
	KeyDescribeCluster:                       "DescribeCluster",
	KeyDescribeProducers:                     "DescribeProducers",
	KeyBrokerRegistration:                    "BrokerRegistration",
	KeyBrokerHeartbeat:                       "BrokerHeartbeat",
	KeyUnregisterBroker:                      "UnregisterBroker",
	KeyDescribeTransactions:                  "DescribeTransactions",
	KeyListTransactions:                      "ListTransactions",
	KeyAllocateProducerIds:                   "AllocateProducerIds",
	KeyConsumerGroupHeartbeat:                "ConsumerGroupHeartbeat",
	KeyConsumerGroupDescribe:                 "ConsumerGroupDescribe",
	KeyControllerRegistration:                "ControllerRegistration",
	KeyGetTelemetrySubscriptions:             "GetTelemetrySubscriptions",
	KeyPushTelemetry:                         "PushTelemetry",
	KeyAssignReplicasToDirs:                  "AssignReplicasToDirs",
	KeyListConfigResources:                   "ListConfigResources",
	KeyDescribeTopicPartitions:               "DescribeTopicPartitions",
	KeyShareGroupHeartbeat:                   "ShareGroupHeartbeat",
	KeyShareGroupDescribe:                    "ShareGroupDescribe",
	KeyShareFetch:                            "ShareFetch",
	KeyShareAcknowledge:                      "ShareAcknowledge",
	KeyAddRaftVoter:                          "AddRaftVoter",
	KeyRemoveRaftVoter:                       "RemoveRaftVoter",
	KeyUpdateRaftVoter:                       "UpdateRaftVoter",
	KeyInitializeShareGroupState:             "InitializeShareGroupState",
	KeyReadShareGroupState:                   "ReadShareGroupState",
	KeyWriteShareGroupState:                  "WriteShareGroupState",
	KeyDeleteShareGroupState:                 "DeleteShareGroupState",
	KeyReadShareGroupStateSummary:            "ReadShareGroupStateSummary",
	KeyStreamsGroupHeartbeat:                 "StreamsGroupHeartbeat",
	KeyStreamsGroupDescribe:                  "StreamsGroupDescribe",
	KeyDescribeShareGroupOffsets:             "DescribeShareGroupOffsets",
	KeyAlterShareGroupOffsets:                "AlterShareGroupOffsets",
	KeyDeleteShareGroupOffsets:               "DeleteShareGroupOffsets",
	KeyStreamsGroupTopologyDescriptionUpdate: "StreamsGroupTopologyDescriptionUpdate",
	KeyUnregisterController:                  "UnregisterController",
	KeyNodeMessages:                          "NodeMessages",
}

// String returns Kafka's name of the API, such as Produce.
func (k APIKey) String() string {
	if n, ok := apiNames[k]; ok {
		return n
	}
	return "Api" + strconv.Itoa(int(k))
}
