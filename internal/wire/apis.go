package wire

import "github.com/milena-io/milena/internal/kafka"

// API is what the protocol says about one request type. The ranges are those that Apache Kafka 4.3 advertises.
type API struct {
	Key      kafka.APIKey
	Min, Max int16 // the advertised range
	Served   int16 // the lowest version that is really answered; above Min only for Produce (KAFKA-18659)
	Flexible int16 // first version with compact lengths and tags; -1 for none
	// Forwarded says that a broker passes the request on to the active controller (KIP-590).
	Forwarded bool
	// Internal says that only brokers and controllers send it, on a listener of their own; it is never advertised to
	// clients.
	Internal bool
	// OnControllers says that it is offered on listeners of controllers, where the active one answers itself what brokers forward.
	OnControllers bool
	// Private says that it is ours and not Kafka's: nodes of one cluster use it among themselves, and only they hear of it.
	Private bool
	body    string // schema of the request
	// tagged says that a tag of our own may stand in the request, which its handler reads: its bytes are kept.
	tagged bool
}

// APIs returns every API that this package can decode, ordered by key. Which of them a listener offers is decided by
// the handlers registered in its Table.
func APIs() []API {
	const none, forwarded, internal, both = 0, 1, 2, 3
	api := func(key kafka.APIKey, minimum, maximum, flexible int16, traits int, body string) API {
		return API{
			Key: key, Min: minimum, Max: maximum, Served: minimum, Flexible: flexible,
			Forwarded: traits == forwarded, Internal: traits == internal, OnControllers: traits != none, body: body,
		}
	}
	produce := api(kafka.KeyProduce, 0, 13, 9, none, "s?@3 2 4 [s@0-12 16@13 [4 b?]]")
	produce.Served = 3
	registration := api(kafka.KeyBrokerRegistration, 0, 4, 0, internal, "4 s 16 [s s 2 2] [s 2 2] s? 1@1 *16@2 8@3")
	ends := api(kafka.KeyOffsetForLeaderEpoch, 2, 4, 4, none, "4@3 [s [4 4@2 4]]")
	beat := api(kafka.KeyBrokerHeartbeat, 0, 1, 0, internal, "4 8 8 1 1 <0:*16 1:*16?>")
	wishes := api(kafka.KeyAlterPartition, 2, 3, 0, internal, "4 8 [s@0-1 16@2 [4 4 *4@0-2 [4 8]@3 1@1 4]]")
	registration.tagged, ends.tagged, beat.tagged, wishes.tagged = true, true, true, true
	return []API{
		produce,
		api(kafka.KeyFetch, 4, 18, 12, both, "4@0-14 4 4 4@3 1@4 4@7 4@7 [s@0-12 16@13 [4 4@9 8 4@12 8@5 4 <0:16 1:8>]]"+
			" [s@7-12 16@13 *4]@7 s@11 <0:s? 1:{4 8}>"),
		api(kafka.KeyListOffsets, 1, 11, 6, none, "4 1@2 [s [4 4@4 8]] 4@10"),
		api(kafka.KeyMetadata, 0, 13, 9, none, "[16@10 s?10]?1 1@4 1@8-10 1@8"),
		api(kafka.KeyOffsetCommit, 2, 10, 8, none, "s 4@1 s@1 s?@7 8@2-4 [s@0-9 16@10 [4 8 8@1-1 4@6 s?]]"),
		api(kafka.KeyOffsetFetch, 1, 10, 6, none, "s@0-7 [s *4]?2@0-7 [s s?@9 4@9 [s@8-9 16@10 *4]?]@8 1@7"),
		api(kafka.KeyFindCoordinator, 0, 6, 3, none, "s@0-3 1@1 *s@4"),
		api(kafka.KeyJoinGroup, 0, 9, 6, none, "s 4 4@1 s s?@5 s [s b] s?@8"),
		api(kafka.KeyHeartbeat, 0, 4, 4, none, "s 4 s s?@3"),
		api(kafka.KeyLeaveGroup, 0, 5, 4, none, "s s@0-2 [s s? s?@5]@3"),
		api(kafka.KeySyncGroup, 0, 5, 4, none, "s 4 s s?@3 s?@5 s?@5 [s b]"),
		api(kafka.KeyDescribeGroups, 0, 6, 5, none, "*s 1@3"),
		api(kafka.KeyListGroups, 0, 5, 3, none, "*s@4 *s@5"),
		api(kafka.KeyApiVersions, 0, 4, 3, both, "s@3 s@3"),
		api(kafka.KeyCreateTopics, 2, 7, 5, forwarded, "[s 4 2 [4 *4] [s s?]] 4 1@1"),
		api(kafka.KeyDeleteTopics, 1, 6, 4, forwarded, "*s@0-5 [s? 16]@6 4"),
		api(kafka.KeyDeleteRecords, 0, 2, 2, none, "[s [4 8]] 4"),
		api(kafka.KeyInitProducerId, 0, 5, 2, none, "s? 4 8@3 2@3"),
		ends,
		api(kafka.KeyDescribeConfigs, 1, 4, 4, both, "[1 s *s?] 1@1 1@3"),
		api(kafka.KeyAlterConfigs, 0, 2, 2, forwarded, "[1 s [s s?]] 1"),
		api(kafka.KeyAlterReplicaLogDirs, 1, 2, 2, none, "[s [s *4]]"),
		api(kafka.KeyDescribeLogDirs, 1, 5, 2, none, "[s *4]?"),
		api(kafka.KeyCreatePartitions, 0, 3, 2, forwarded, "[s 4 [*4]?] 4 1"),
		api(kafka.KeyDeleteGroups, 0, 2, 2, none, "*s"),
		api(kafka.KeyElectLeaders, 0, 2, 2, forwarded, "1@1 [s *4]? 4"),
		api(kafka.KeyIncrementalAlterConfigs, 0, 1, 1, forwarded, "[1 s [s 1 s?]] 1"),
		api(kafka.KeyAlterPartitionReassignments, 0, 1, 0, forwarded, "4 1@1 [s [4 *4?]]"),
		api(kafka.KeyListPartitionReassignments, 0, 0, 0, forwarded, "4 [s *4]?"),
		api(kafka.KeyOffsetDelete, 0, 0, -1, none, "s [s [4]]"),
		api(kafka.KeyDescribeQuorum, 0, 2, 0, forwarded, "[s [4]]"),
		wishes,
		api(kafka.KeyUpdateFeatures, 0, 2, 0, forwarded, "4 [s 2 1@0-0 1@1] 1@1"),
		api(kafka.KeyEnvelope, 0, 0, 0, internal, "b b? b"),
		api(kafka.KeyFetchSnapshot, 0, 1, 0, internal, "4 4 [s [4 4 {8 4} 8 <0:16>]] <0:s?>"),
		api(kafka.KeyDescribeCluster, 0, 2, 0, both, "1 1@1 1@2"),
		api(kafka.KeyDescribeProducers, 0, 0, 0, none, "[s *4]"),
		registration,
		beat,
		api(kafka.KeyUnregisterBroker, 0, 0, 0, forwarded, "4"),
		api(kafka.KeyAllocateProducerIds, 0, 0, 0, internal, "4 8"),
		api(kafka.KeyControllerRegistration, 0, 0, 0, internal, "4 16 1 [s s 2 2] [s 2 2]"),
		api(kafka.KeyAssignReplicasToDirs, 0, 0, 0, internal, "4 8 [16 [16 [4]]]"),
		api(kafka.KeyListConfigResources, 0, 1, 0, none, "*1@1"),
		api(kafka.KeyDescribeTopicPartitions, 0, 0, 0, none, "[s] 4 {s 4}?"),
		api(kafka.KeyAddRaftVoter, 0, 1, 0, forwarded, "s? 4 4 16 [s s 2] 1@1"),
		api(kafka.KeyRemoveRaftVoter, 0, 0, 0, forwarded, "s? 4 16"),
		api(kafka.KeyUpdateRaftVoter, 0, 0, 0, internal, "s? 4 4 16 [s s 2] {2 2}"),
	}
}
