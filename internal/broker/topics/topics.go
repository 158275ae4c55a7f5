// Package topics serves what clients ask and change about topics: Metadata, DescribeTopicPartitions, creating, growing
// and deleting topics, DeleteRecords.
//
// listen calls its handlers through node's table. Questions are answered from the image of this node, changes are
// commands to the active controller, whose answers come after this node's image shows them. It holds no state.
package topics

import (
	"time"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/world"
)

// Controller takes commands, wherever the active one runs. done is called once: with the reply when the change is
// committed and this node's image shows it, or with REQUEST_TIMED_OUT, NOT_CONTROLLER or KAFKA_STORAGE_ERROR.
type Controller interface {
	Submit(timeout time.Duration, cmd controller.Command, done func(reply any, err error))
}

// Partitions finds this node's replicas by name; UNKNOWN_TOPIC_OR_PARTITION or NOT_LEADER_OR_FOLLOWER otherwise.
type Partitions interface {
	ByName(kafka.TopicPartition) (*partition.Partition, error)
}

// Settings are the broker's own keys that matter here, as they are now: some change while it runs.
type Settings interface {
	AutoCreate() bool            // auto.create.topics.enable
	DeleteEnabled() bool         // delete.topic.enable
	MaxDescribedPartitions() int // max.request.partition.size.limit
	TopicLayers() config.Layers  // for the effective configs of a topic
	ClusterID() string
}

// Topics is the area.
type Topics struct {
	world      world.World
	image      func() *image.Image
	controller Controller
	partitions Partitions
	settings   Settings
}

// New connects the area.
func New(w world.World, img func() *image.Image, c Controller, p Partitions, s Settings) *Topics {
	return &Topics{world: w, image: img, controller: c, partitions: p, settings: s}
}

// Bits of the operations that exist on a topic and on the cluster, for clients that ask what they may do; without an
// authorizer everybody may do everything (KIP-430).
const (
	allTopicOperations   = 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<10 | 1<<11
	allClusterOperations = 1<<5 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12
	notAsked             = -1 << 31
)

// timeout is a request's timeout.ms.
func timeout(ms int32) time.Duration { return time.Duration(max(ms, 0)) * time.Millisecond }

func nodes(ids []kafka.NodeID) []int32 {
	out := make([]int32, len(ids))
	for i, id := range ids {
		out[i] = int32(id)
	}
	return out
}
