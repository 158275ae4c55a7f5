// Package cluster serves what clients ask about the cluster and its nodes: ApiVersions, AlterReplicaLogDirs, DescribeCluster,
// DescribeLogDirs, DescribeQuorum, UpdateFeatures.
//
// listen calls its handlers through node's table. It answers from the image and from what node tells it; only
// UpdateFeatures changes anything, through the active controller, and AlterReplicaLogDirs, through node. It holds no state.
package cluster

import (
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// Controller takes commands, wherever the active one runs. done is called once: with the reply when the change is
// committed and this node's image shows it, or with REQUEST_TIMED_OUT, NOT_CONTROLLER or KAFKA_STORAGE_ERROR.
type Controller interface {
	Submit(timeout time.Duration, cmd controller.Command, done func(reply any, err error))
}

// QuorumState is what a voter knows of the metadata quorum.
type QuorumState struct {
	Self          kafka.NodeID // this node
	Leader        kafka.NodeID
	Epoch         kafka.LeaderEpoch
	HighWatermark kafka.Offset
	Leading       bool // only the leader knows how far the others are
	Voters        []QuorumReplica
	Observers     []QuorumReplica
}

// QuorumReplica is one voter or observer; times are wall clock in ms, -1 for never, and an unknown end is -1.
type QuorumReplica struct {
	ID             kafka.NodeID
	Directory      kafka.DirectoryID
	Endpoints      []staterecord.Endpoint
	End            kafka.Offset
	LastFetchMs    int64
	LastCaughtUpMs int64
}

// LogDir is one log directory of this node and what is in it.
type LogDir struct {
	Path       string
	ID         kafka.DirectoryID
	Err        error // the directory failed
	TotalBytes int64 // of its file system, -1 when that is not known
	FreeBytes  int64
	Cordoned   bool // it takes no new replicas (KIP-1066)
	Logs       []LogSize
}

// LogSize is one partition in a log directory.
type LogSize struct {
	Partition kafka.TopicPartition
	Bytes     int64
	Lag       int64 // how far the log end is behind the high watermark, 0 on a leader; of a copy, behind its log
	Future    bool  // a copy, of a replica that is moving here
}

// Node tells about this node.
type Node interface {
	ClusterID() string
	LogDirs() []LogDir // sizes are read from the disk's file system: may take its time
	// Followers tells what this node knows of the other replicas of a partition that it leads; nil of any other.
	Followers(tp kafka.TopicPartition) []wire.FollowerState
	// AlterReplicaLogDir has a replica of this node moved to the log directory with a path; it returns once that is under way.
	AlterReplicaLogDir(tp kafka.TopicPartition, dir string) error
	Features() []staterecord.FeatureRange
	// KRaftVersion is the finalized kraft.version.
	KRaftVersion() int16
	Table(listener string) *wire.Table
	OfControllers(listener string) bool // whether it is a listener of controllers, who list their internal APIs there
	Quorum() QuorumState
}

// Cluster is the area.
type Cluster struct {
	world      world.World
	image      func() *image.Image
	controller Controller
	node       Node
}

// New connects the area.
func New(w world.World, img func() *image.Image, c Controller, n Node) *Cluster {
	return &Cluster{world: w, image: img, controller: c, node: n}
}

const allClusterOperations = 1<<5 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12

func code(err error) int16 { return int16(fault.CodeOf(err)) }
