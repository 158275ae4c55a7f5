package controller

import (
	"slices"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
)

// leaders tells who may lead: a broker that is active and whose log directory of the partition works. leaves is never
// acceptable and joins always is, because while their fencing is decided the image still shows the opposite.
type leaders struct {
	img           *image.Image
	leaves, joins kafka.NodeID
}

// now are the leaders as the image shows them.
func (d *decision) leaders() leaders {
	return leaders{img: d.img, leaves: kafka.NoNode, joins: kafka.NoNode}
}

func (l leaders) of(p *image.Partition) func(kafka.NodeID) bool {
	return func(id kafka.NodeID) bool {
		b := l.img.Broker(id)
		return b != nil && id != l.leaves && (id == l.joins || b.Active()) && b.HasDirectory(p.Directory(id))
	}
}

// maxLeaving is how many partitions a broker leaves in one batch: what those records take stays below the 8 MiB that Apache
// Kafka allows a batch of the metadata log. Who is in sync with more leaves them in several, and is fenced with the last.
const maxLeaving = 100_000

// departure is a broker that leaves.
type departure struct {
	broker kafka.NodeID
	from   func(*image.Partition) bool        // the partitions it leaves; nil for all
	loses  func(rules, *image.Partition) bool // whether it may lack there what it acknowledged; nil for nowhere
	most   int                                // how many it leaves now; 0 for all
}

// leave takes a broker out of the ISR and leadership of partitions, all in one batch. It reports whether that was all.
func leave(d *decision, who departure) bool {
	begun := len(d.records)
	left := d.img.Load(who.broker).InSync
	may := leaders{img: d.img, leaves: who.broker, joins: kafka.NoNode}
	configs := topicConfigs{d: d}
	for t := range d.img.Topics() {
		if left == 0 && who.loses == nil {
			return true
		}
		for id, p := range t.Partitions() {
			inSync := slices.Contains(p.ISR(), who.broker)
			if inSync {
				left--
			} else if who.loses == nil || !slices.Contains(p.ELR(), who.broker) {
				continue
			}
			if who.from != nil && !who.from(p) {
				continue
			}
			c := newChange(t.ID, id, p, configs.rules(t.Name), may.of(p))
			c.isr = without(p.ISR(), who.broker)
			if who.loses != nil && who.loses(c.rules, p) {
				c.lost = who.broker
			}
			if who.most > 0 && len(d.records)-begun == who.most {
				return false
			}
			d.change(c)
		}
	}
	return true
}

// join gives leaderless partitions a leader where the broker that comes back makes that possible.
func join(d *decision, broker kafka.NodeID) {
	who := leaders{img: d.img, leaves: kafka.NoNode, joins: broker}
	configs := topicConfigs{d: d}
	for at := range d.img.Leaderless() {
		t := d.img.Topic(at.TopicID)
		p, _ := t.Partition(at.Partition)
		d.change(newChange(at.TopicID, at.Partition, p, configs.rules(t.Name), who.of(p)))
	}
}

// change adds a change's record, and reports whether there was anything to change.
func (d *decision) change(c *change) bool {
	r := c.record()
	if r != nil {
		d.add(r)
	}
	return r != nil
}
