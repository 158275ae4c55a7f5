package controller

import (
	"github.com/milena-io/milena/internal/staterecord"
)

// bootstrap writes the levels that the rest of the log is understood by. Of the other features a new cluster has, as
// Apache Kafka 4.3's, those on that are built: eligible leader replicas; what is not built stays at 0. A metadata
// transaction that a controller left open when it died is aborted, as Kafka does when it activates.
func bootstrap(d *decision, inTransaction bool) {
	if inTransaction {
		reason := "controller failover"
		d.add(&staterecord.AbortTransaction{Reason: &reason})
	}
	if d.img.MetadataVersion() != 0 {
		return
	}
	d.add(&staterecord.FeatureLevel{Name: staterecord.FeatureMetadataVersion, Level: int16(staterecord.LatestMetadataVersion)})
	if outside("", d.o.Supported, staterecord.FeatureElr, 1) == "" {
		d.add(&staterecord.FeatureLevel{Name: staterecord.FeatureElr, Level: 1})
		fixMinInSync(d)
	}
}
