package image

import (
	"iter"

	"github.com/milena-io/milena/internal/staterecord"
)

// Records restates the image as the records of a snapshot, in Kafka's order: metadata.version and the other features,
// brokers, controllers, topics with their partitions, configs, quotas, producer ids, ACLs, SCRAM, tokens. The walk may
// go on while newer images are made. Inside a metadata transaction the image before it is restated and the transaction's
// own records follow, so that whoever applies them stands where this image does. Kafka takes no snapshot there.
func (img *Image) Records() iter.Seq[staterecord.Record] {
	return func(yield func(staterecord.Record) bool) {
		if img.begun != nil {
			for r := range img.begun.Records() {
				if !yield(r) {
					return
				}
			}
			for _, r := range img.open {
				if !yield(r) {
					return
				}
			}
			return
		}
		_ = img.featureRecords(yield) && img.nodeRecords(yield) && img.topicRecords(yield) && img.configRecords(yield) &&
			img.accessRecords(yield)
	}
}

func (img *Image) featureRecords(yield func(staterecord.Record) bool) bool {
	const first = staterecord.FeatureMetadataVersion
	if level, ok := img.features.Get(first); ok && !yield(&staterecord.FeatureLevel{Name: first, Level: level}) {
		return false
	}
	for name, level := range img.features.All() {
		if name != first && !yield(&staterecord.FeatureLevel{Name: name, Level: level}) {
			return false
		}
	}
	return img.zkMigration == 0 || yield(&staterecord.ZkMigrationState{State: img.zkMigration})
}

func (img *Image) nodeRecords(yield func(staterecord.Record) bool) bool {
	for _, b := range img.brokers.All() {
		if !yield(b.Record()) {
			return false
		}
	}
	for _, c := range img.controllers.All() {
		if !yield(c.Record()) {
			return false
		}
	}
	return true
}

func (img *Image) topicRecords(yield func(staterecord.Record) bool) bool {
	for t := range img.Topics() {
		if !yield(&staterecord.Topic{Name: t.Name, TopicID: t.ID}) {
			return false
		}
		for id, p := range t.Partitions() {
			if !yield(p.Record(t.ID, id)) {
				return false
			}
		}
	}
	return true
}

func (img *Image) configRecords(yield func(staterecord.Record) bool) bool {
	for res, configs := range img.configs.All() {
		for _, c := range configs {
			rec := &staterecord.Config{ResourceType: res.Type, ResourceName: res.Name, Name: c.Name, Value: &c.Value}
			if !yield(rec) {
				return false
			}
		}
	}
	return true
}

func (img *Image) accessRecords(yield func(staterecord.Record) bool) bool {
	for _, q := range img.access.quotas.All() {
		if !yield(q) {
			return false
		}
	}
	if img.producers.NextProducerID != 0 {
		ids := img.producers
		if !yield(&ids) {
			return false
		}
	}
	for _, a := range img.access.acls.All() {
		if !yield(a) {
			return false
		}
	}
	for _, s := range img.access.scram.All() {
		if !yield(s) {
			return false
		}
	}
	for _, t := range img.access.tokens.All() {
		if !yield(t) {
			return false
		}
	}
	return true
}
