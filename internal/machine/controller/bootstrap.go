package controller

import "github.com/milena-io/milena/internal/staterecord"

// bootstrap writes the level that the rest of the log is understood by. Every other feature stays at 0 until it is
// built. A metadata transaction that a controller left open when it died is aborted, as Kafka does when it activates.
func bootstrap(d *decision, inTransaction bool) {
	if inTransaction {
		reason := "controller failover"
		d.add(&staterecord.AbortTransaction{Reason: &reason})
	}
	if d.img.MetadataVersion() == 0 {
		d.add(&staterecord.FeatureLevel{Name: staterecord.FeatureMetadataVersion, Level: int16(staterecord.LatestMetadataVersion)})
	}
}
