package twin

import "github.com/twmb/franz-go/pkg/kmsg"

// ranges are the versions Apache Kafka 4.3.1 takes of the APIs the conversation is about. The ApiVersions step
// compares what both sides advertise, so a wrong line here comes out as UNSUPPORTED_VERSION on Kafka's side.
var ranges = map[int16][2]int16{
	int16(kmsg.Produce): {3, 13}, int16(kmsg.Fetch): {4, 18}, int16(kmsg.ListOffsets): {1, 11}, int16(kmsg.Metadata): {0, 13},
	int16(kmsg.OffsetCommit): {2, 10}, int16(kmsg.OffsetFetch): {1, 10}, int16(kmsg.FindCoordinator): {0, 6},
	int16(kmsg.JoinGroup): {0, 9}, int16(kmsg.Heartbeat): {0, 4}, int16(kmsg.LeaveGroup): {0, 5}, int16(kmsg.SyncGroup): {0, 5},
	int16(kmsg.DescribeGroups): {0, 6}, int16(kmsg.ListGroups): {0, 5}, int16(kmsg.ApiVersions): {0, 4},
	int16(kmsg.CreateTopics): {2, 7}, int16(kmsg.DeleteTopics): {1, 6}, int16(kmsg.DeleteRecords): {0, 2},
	int16(kmsg.InitProducerID): {0, 5}, int16(kmsg.OffsetForLeaderEpoch): {2, 4}, int16(kmsg.DescribeConfigs): {1, 4},
	int16(kmsg.AlterConfigs): {0, 2}, int16(kmsg.DescribeLogDirs): {1, 5}, int16(kmsg.CreatePartitions): {0, 3},
	int16(kmsg.DeleteGroups): {0, 2}, int16(kmsg.IncrementalAlterConfigs): {0, 1}, int16(kmsg.OffsetDelete): {0, 0},
	int16(kmsg.DescribeQuorum): {0, 2}, int16(kmsg.UpdateFeatures): {0, 2}, int16(kmsg.DescribeCluster): {0, 2},
	int16(kmsg.DescribeProducers): {0, 0}, int16(kmsg.ListConfigResources): {0, 1}, int16(kmsg.DescribeTopicPartitions): {0, 0},
}
