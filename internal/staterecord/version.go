package staterecord

// MetadataVersion is a level of the feature metadata.version; it fixes the schema version of every record written.
type MetadataVersion int16

// The levels at which a schema changed, and the ends of the range Kafka 4.3 supports.
const (
	OldestMetadataVersion MetadataVersion = 7  // 3.3-IV3
	MetadataVersion34IV0  MetadataVersion = 8  // migration flag in registrations
	MetadataVersion37IV0  MetadataVersion = 15 // registrations of controllers (KIP-919)
	MetadataVersion37IV2  MetadataVersion = 17 // directory ids (KIP-858)
	MetadataVersion40IV1  MetadataVersion = 23 // eligible leader replicas (KIP-966)
	MetadataVersion43IV0  MetadataVersion = 30 // cordoned log directories (KIP-1066)
	LatestMetadataVersion                 = MetadataVersion43IV0
)

// FeatureMetadataVersion and the others are the names of Kafka's features (KIP-584, KIP-1022).
const (
	FeatureMetadataVersion = "metadata.version"
	FeatureKRaft           = "kraft.version"
	FeatureGroup           = "group.version"
	FeatureTransaction     = "transaction.version"
	FeatureElr             = "eligible.leader.replicas.version"
	FeatureShare           = "share.version"
	FeatureStreams         = "streams.version"
)

// Release returns Kafka's name of the level, such as 4.3-IV0.
func (v MetadataVersion) Release() string {
	names := [...]string{
		"3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2", "3.7-IV0", "3.7-IV1",
		"3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0", "4.0-IV1", "4.0-IV2", "4.0-IV3", "4.1-IV0",
		"4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0",
	}
	if v < OldestMetadataVersion || v > LatestMetadataVersion {
		return "unknown"
	}
	return names[v-OldestMetadataVersion]
}

// VersionOf returns the schema version in which a record is written while the cluster is at a level: the newest the
// level has, except for BrokerRegistrationChange, where Kafka writes the oldest that can say what is said.
func VersionOf(r Record, level MetadataVersion) int16 {
	switch r := r.(type) {
	case *RegisterBroker:
		switch {
		case level >= LatestMetadataVersion:
			return 4
		case level >= MetadataVersion37IV2:
			return 3
		case level >= MetadataVersion34IV0:
			return 2
		}
		return 1
	case *Partition, *PartitionChange:
		switch {
		case level >= MetadataVersion40IV1:
			return 2
		case level >= MetadataVersion37IV2:
			return 1
		}
		return 0
	case *BrokerRegistrationChange:
		switch {
		case r.CordonedLogDirs != nil:
			return 3
		case len(r.LogDirs) > 0:
			return 2
		case r.InControlledShutdown != 0:
			return 1
		}
	}
	return 0
}
