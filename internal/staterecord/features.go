package staterecord

// Known are the features that a log may have finalized while we run on it, with Apache Kafka 4.3's levels: this is what a
// broker registers with. What is not built of them stays as it was found and comes into force again when Kafka is back;
// clients are told only of what is built.
func Known() []FeatureRange {
	return []FeatureRange{
		{Name: FeatureElr, Max: 1},
		{Name: FeatureGroup, Max: 1},
		{Name: FeatureKRaft, Max: 1},
		{Name: FeatureMetadataVersion, Min: int16(OldestMetadataVersion), Max: int16(LatestMetadataVersion)},
		{Name: FeatureShare, Max: 1},
		{Name: FeatureStreams, Max: 1},
		{Name: FeatureTransaction, Max: 2},
	}
}
