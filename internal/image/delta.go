package image

import (
	"iter"
	"slices"

	"github.com/milena-io/milena/internal/image/cow"
	"github.com/milena-io/milena/internal/kafka"
)

// Delta is what changed between two images of one cluster. Each of its walks costs what changed there, not what exists:
// chunks that both images share are skipped unseen.
type Delta struct{ From, To *Image }

// DeltaOf compares two images.
func DeltaOf(from, to *Image) Delta { return Delta{From: from, To: to} }

// TopicChange is a topic that was created (Old nil), deleted (New nil) or had partitions changed.
type TopicChange struct{ Old, New *Topic }

// PartitionChange is a partition that was created (Old nil), removed (New nil) or changed. Topic is the topic as it is
// now, or as it last was.
type PartitionChange struct {
	Topic    *Topic
	ID       int32
	Old, New *Partition
}

// BrokerChange is a broker that was registered (Old nil), unregistered (New nil) or changed.
type BrokerChange struct{ Old, New *Broker }

// ConfigChange is a resource whose configs changed; an empty side had none.
type ConfigChange struct {
	Resource Resource
	Old, New Configs
}

// FeatureChange is a feature whose finalized level changed; 0 is off.
type FeatureChange struct {
	Name     string
	Old, New int16
}

// Topics walks the topics that changed, by id. A topic recreated under its name is one deleted and one created.
func (d Delta) Topics() iter.Seq[TopicChange] {
	return func(yield func(TopicChange) bool) {
		for c := range cow.Changes(d.From.topics, d.To.topics) {
			t := TopicChange{Old: deref(c.Old), New: deref(c.New)}
			if t.Old != t.New && !yield(t) {
				return
			}
		}
	}
}

// Partitions walks the partitions that changed, by topic id and number, those of created and deleted topics included.
func (d Delta) Partitions() iter.Seq[PartitionChange] {
	return func(yield func(PartitionChange) bool) {
		for t := range d.Topics() {
			for p := range t.Partitions() {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// Topic returns the topic as it is, or as it was when it is gone.
func (t TopicChange) Topic() *Topic {
	if t.New != nil {
		return t.New
	}
	return t.Old
}

// Partitions walks the partitions of the topic that changed, by number.
func (t TopicChange) Partitions() iter.Seq[PartitionChange] {
	none := newTopic(kafka.TopicID{}, "")
	old, now := t.Old, t.New
	about := now
	if now == nil {
		now, about = none, old
	}
	if old == nil {
		old = none
	}
	return func(yield func(PartitionChange) bool) {
		for c := range cow.Changes(old.parts, now.parts) {
			if c.Old != nil && c.New != nil && c.Old.equal(c.New) {
				continue
			}
			if !yield(PartitionChange{Topic: about, ID: c.Key, Old: c.Old, New: c.New}) {
				return
			}
		}
	}
}

// equal reports whether nothing differs.
func (p *Partition) equal(o *Partition) bool {
	return p.Leader == o.Leader && p.LeaderEpoch == o.LeaderEpoch && p.PartitionEpoch == o.PartitionEpoch &&
		p.Recovery == o.Recovery && p.Settling == o.Settling && p.ends == o.ends && slices.Equal(p.nodes, o.nodes) &&
		slices.Equal(p.directories, o.directories)
}

// Brokers walks the brokers that changed, by id.
func (d Delta) Brokers() iter.Seq[BrokerChange] {
	return func(yield func(BrokerChange) bool) {
		for c := range cow.Changes(d.From.brokers, d.To.brokers) {
			b := BrokerChange{Old: deref(c.Old), New: deref(c.New)}
			if b.Old != b.New && !yield(b) {
				return
			}
		}
	}
}

// Configs walks the resources whose configs changed, by type and name.
func (d Delta) Configs() iter.Seq[ConfigChange] {
	return func(yield func(ConfigChange) bool) {
		for c := range cow.Changes(d.From.configs, d.To.configs) {
			v := ConfigChange{Resource: c.Key, Old: deref(c.Old), New: deref(c.New)}
			if !slices.Equal(v.Old, v.New) && !yield(v) {
				return
			}
		}
	}
}

// Features walks the features whose finalized level changed, by name.
func (d Delta) Features() iter.Seq[FeatureChange] {
	return func(yield func(FeatureChange) bool) {
		for c := range cow.Changes(d.From.features, d.To.features) {
			v := FeatureChange{Name: c.Key, Old: deref(c.Old), New: deref(c.New)}
			if v.Old != v.New && !yield(v) {
				return
			}
		}
	}
}

func deref[T any](p *T) T {
	if p == nil {
		var none T
		return none
	}
	return *p
}
