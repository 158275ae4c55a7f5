// Package image is the picture of the whole cluster at one offset of the metadata log: topics, partitions, brokers,
// controllers, configs, features and the rest, immutable, and what changed between two such pictures.
//
// machine/controller makes images by applying its own records; feed makes them on every broker from the committed log;
// node, broker and partition only read them. The package is pure: it never does IO, never locks and reads no clock.
//
// Invariants: an image never changes once built, so it is read without a lock for as long as anybody likes; a change
// copies chunks, never a whole topic or table (architecture D15); every iteration is in a fixed order, topics by name;
// Records restates an image so that applying them to Empty gives an equal one. What this node does not act on (ACLs,
// quotas, SCRAM, tokens) is kept as records, so that a snapshot loses nothing.
package image

import (
	"bytes"
	"cmp"
	"iter"
	"strings"

	"github.com/milena-io/milena/internal/image/cow"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// Position says up to where in the metadata log an image has been applied.
type Position struct {
	Offset      kafka.Offset      // of the last record applied; -1 before the first
	Epoch       kafka.LeaderEpoch // of the batch it was in
	TimestampMs int64
}

// Image is the cluster at a Position.
type Image struct {
	tables
	at    Position
	begun *Image               // what everybody sees while a metadata transaction is open; nil outside of one
	open  []staterecord.Record // the records of the open transaction, its beginning included
}

// tables is everything an image holds.
type tables struct {
	topics      cow.Map[kafka.TopicID, *Topic]
	names       cow.Map[string, kafka.TopicID]
	brokers     cow.Map[kafka.NodeID, *Broker]
	controllers cow.Map[kafka.NodeID, *Controller]
	configs     cow.Map[Resource, Configs]
	features    cow.Map[string, int16]
	producers   staterecord.ProducerIDs
	zkMigration int8
	access      access
	derived     derived
}

// derived is what can be computed from the topics, kept because it is asked for often.
type derived struct {
	load     cow.Map[kafka.NodeID, Load]
	offline  cow.Map[kafka.TopicIDPartition, struct{}] // partitions without a leader
	unevenly cow.Map[kafka.TopicIDPartition, struct{}] // partitions led by another than the preferred replica
}

// Load is how much one broker carries.
type Load struct {
	Replicas int // partitions assigned to it
	InSync   int // partitions whose ISR it is in
	Leads    int // partitions it leads
}

// Empty returns the image before the first record.
func Empty() *Image {
	return &Image{
		at: Position{Offset: kafka.NoOffset, Epoch: kafka.NoLeaderEpoch},
		tables: tables{
			topics:      cow.New[kafka.TopicID, *Topic](compareIDs),
			names:       cow.New[string, kafka.TopicID](strings.Compare),
			brokers:     cow.New[kafka.NodeID, *Broker](cmp.Compare[kafka.NodeID]),
			controllers: cow.New[kafka.NodeID, *Controller](cmp.Compare[kafka.NodeID]),
			configs:     cow.New[Resource, Configs](compareResources),
			features:    cow.New[string, int16](strings.Compare),
			producers:   staterecord.ProducerIDs{BrokerID: kafka.NoNode, BrokerEpoch: -1},
			access:      emptyAccess(),
			derived: derived{
				load:     cow.New[kafka.NodeID, Load](cmp.Compare[kafka.NodeID]),
				offline:  cow.New[kafka.TopicIDPartition, struct{}](comparePartitions),
				unevenly: cow.New[kafka.TopicIDPartition, struct{}](comparePartitions),
			},
		},
	}
}

func compareIDs(a, b kafka.TopicID) int { return bytes.Compare(a[:], b[:]) }

func comparePartitions(a, b kafka.TopicIDPartition) int {
	if c := compareIDs(a.TopicID, b.TopicID); c != 0 {
		return c
	}
	return cmp.Compare(a.Partition, b.Partition)
}

// Position returns up to where the metadata log has been applied.
func (img *Image) Position() Position { return img.at }

// Offset returns the offset of the last record applied, -1 before the first.
func (img *Image) Offset() kafka.Offset { return img.at.Offset }

// Visible returns what is to be acted on: the image itself, or while a metadata transaction (KIP-868) is open the one
// before it.
func (img *Image) Visible() *Image {
	if img.begun != nil {
		return img.begun
	}
	return img
}

// InTransaction reports whether a metadata transaction is open.
func (img *Image) InTransaction() bool { return img.begun != nil }

// Topic finds a topic by id; nil when there is none.
func (img *Image) Topic(id kafka.TopicID) *Topic {
	t, _ := img.topics.Get(id)
	return t
}

// TopicNamed finds a topic by name; nil when there is none.
func (img *Image) TopicNamed(name string) *Topic {
	id, ok := img.names.Get(name)
	if !ok {
		return nil
	}
	return img.Topic(id)
}

// Topics walks the topics by name.
func (img *Image) Topics() iter.Seq[*Topic] {
	return img.TopicsFrom("")
}

// TopicsFrom walks the topics whose names are not before the given one, by name.
func (img *Image) TopicsFrom(name string) iter.Seq[*Topic] {
	return func(yield func(*Topic) bool) {
		for _, id := range img.names.From(name) {
			if !yield(img.Topic(id)) {
				return
			}
		}
	}
}

// TopicCount returns the number of topics.
func (img *Image) TopicCount() int { return img.topics.Len() }

// Partition finds a partition by topic id; false when there is none.
func (img *Image) Partition(id kafka.TopicIDPartition) (*Partition, bool) {
	t := img.Topic(id.TopicID)
	if t == nil {
		return nil, false
	}
	return t.Partition(id.Partition)
}

// Load returns what a broker carries.
func (img *Image) Load(id kafka.NodeID) Load {
	l, _ := img.derived.load.Get(id)
	return l
}

// Leaderless walks the partitions that have no leader, by topic id.
func (img *Image) Leaderless() iter.Seq[kafka.TopicIDPartition] { return keys(img.derived.offline) }

// LeaderlessCount returns the number of partitions without a leader.
func (img *Image) LeaderlessCount() int { return img.derived.offline.Len() }

// NotPreferred walks the partitions that are led by another than their first replica, by topic id.
func (img *Image) NotPreferred() iter.Seq[kafka.TopicIDPartition] { return keys(img.derived.unevenly) }

// NotPreferredCount returns their number.
func (img *Image) NotPreferredCount() int { return img.derived.unevenly.Len() }

// Feature returns the finalized level of a feature, 0 when it is off.
func (img *Image) Feature(name string) int16 {
	level, _ := img.features.Get(name)
	return level
}

// Features walks the finalized features by name; none is at level 0.
func (img *Image) Features() iter.Seq2[string, int16] { return img.features.All() }

// MetadataVersion returns the finalized metadata.version, 0 before the log names one.
func (img *Image) MetadataVersion() staterecord.MetadataVersion {
	return staterecord.MetadataVersion(img.Feature(staterecord.FeatureMetadataVersion))
}

// NextProducerID returns the first producer id that no broker has been given.
func (img *Image) NextProducerID() kafka.ProducerID { return img.producers.NextProducerID }

func keys[K, V any](m cow.Map[K, V]) iter.Seq[K] {
	return func(yield func(K) bool) {
		for k := range m.All() {
			if !yield(k) {
				return
			}
		}
	}
}
