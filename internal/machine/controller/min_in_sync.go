package controller

import (
	"strconv"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// Who is eligible follows from min.insync.replicas, so while eligible leader replicas are kept every broker and every
// controller must read the same one: it is set for the cluster, and for no single broker (KIP-966, as Kafka 4.1 has it).

// fixMinInSync sets min.insync.replicas for the cluster as it is here, and for no broker any more.
func fixMinInSync(d *decision) {
	if _, ok := d.img.Configs(image.ClusterDefaults).Get(minInSync); !ok {
		configs := topicConfigs{d: d}
		value := configs.inherit(minInSync)
		d.add(&staterecord.Config{ResourceType: staterecord.ResourceBroker, Name: minInSync, Value: &value})
	}
	for b := range d.img.Brokers() {
		own := strconv.Itoa(int(b.ID))
		if _, ok := d.img.Configs(image.Resource{Type: staterecord.ResourceBroker, Name: own}).Get(minInSync); ok {
			d.add(&staterecord.Config{ResourceType: staterecord.ResourceBroker, ResourceName: own, Name: minInSync})
		}
	}
}

// holdMinInSync refuses changes that would have brokers read different ones.
func holdMinInSync(d *decision, records []staterecord.Record) error {
	if d.img.Feature(staterecord.FeatureElr) == 0 {
		return nil
	}
	for _, r := range records {
		c := r.(*staterecord.Config)
		switch {
		case c.ResourceType != staterecord.ResourceBroker || c.Name != minInSync:
		case c.ResourceName != "":
			return fault.New(op, kafka.ErrInvalidConfig, "Broker-level min.insync.replicas cannot be altered while ELR is enabled.")
		case c.Value == nil:
			return fault.New(op, kafka.ErrInvalidConfig, "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.")
		}
	}
	return nil
}
