package metrics

import (
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// Source is what a page asks of a node. It is called on the goroutine of a scrape, beside everything else that the node
// does, so it holds no lock for longer than a single partition's figures take.
type Source interface {
	// Standing tells of the node as a whole.
	Standing() Standing
	// Topics tells of the topics that this node has replicas of, by name.
	Topics() []Topic
	// Partitions tells of the partitions that this node leads, by name and number.
	Partitions() []Partition
	// Followed tells of the partitions that this node follows, by name and number.
	Followed() []Followed
	// Groups tells of the groups that this node coordinates, by name. done is called once, perhaps before Groups returns,
	// with an error while their state is being loaded.
	Groups(done func([]Group, error))
}

// Standing is a node as a whole.
type Standing struct {
	Node        kafka.NodeID
	State       BrokerState
	Memory      Memory
	Dirs        []Dir
	Cleaner     Cleaner
	Scrub       Scrub
	Brokers     []Broker // that are registered, by id
	Replicas    Replicas
	Damages     int64 // stretches of logs that were found not to check since the start
	Repair      Repair
	Traffic     Traffic // of all topics since the start, deleted ones included
	Replication Replication
	Controller  Controller
	Quorum      Quorum
}

// Repair is how what is damaged, or differs, is repaired from other replicas (R15).
type Repair struct {
	Mended    int64 // stretches since the start
	Unmended  int   // partitions with damage that is being repaired, or is to be tried again
	Compared  int64 // bytes of logs that were compared with other replicas' since the start
	Differing int64 // stretches in which a replica here was found to differ from the others
}

// BrokerState is the state of a broker as Kafka numbers it.
type BrokerState int

// The states.
const (
	Starting BrokerState = 1
	Recovery BrokerState = 2
	Running  BrokerState = 3
	Stopping BrokerState = 6
	Failed   BrokerState = 7 // Kafka's SHUTTING_DOWN: it gives up
)

// Memory is what requests and answers hold and may hold, in bytes.
type Memory struct{ Used, Limit int64 }

// Dir is a log directory and the volume that it is on; the bytes are -1 where they are not known.
type Dir struct {
	Path                    string
	Offline                 bool
	TotalBytes, UsableBytes int64
	Full                    bool          // clients' records are refused until there is room
	ReserveBytes            int64         // what is left of its reserve
	Unrecovered             int64         // logs that are still to be recovered after an unclean stop
	FlushAge                time.Duration // of the flush that is under way; zero while none is
	Uncleanable             int           // partitions that do not compact
	UncleanableBytes        int64
}

// Cleaner is how compaction goes. Ratios are from 0 to 1, and the greatest of all threads' last logs where it says Max.
type Cleaner struct {
	MaxClean, MaxDelay, SinceLastRun time.Duration
	MaxBuffer, MaxDirty, Recopied    float64
}

// Scrub is how the background check of sealed segments goes.
type Scrub struct {
	Running      bool
	Left         int   // logs that the round under way has still to read
	Bytes        int64 // read since the start
	Rounds       int64 // finished since the start
	LastFinished int64 // wall time in ms; 0 for never
	Damages      int   // stretches that did not check in what the last finished round read
}

// Broker is a registered broker.
type Broker struct {
	ID      kafka.NodeID
	Address string // of its first listener, host:port
	Fenced  bool
}

// Replicas counts this node's replicas.
type Replicas struct {
	All, Led, UnderReplicated, UnderMinISR, AtMinISR, Offline, Reassigning int
}

// Replication counts since the start what this node did as leader and as follower.
type Replication struct {
	ISRShrinks, ISRExpands, FailedISRUpdates uint64
	MaxLag                                   int64 // of what it follows, in records
	FailedPartitions                         int   // that it follows and cannot fetch at the moment
}

// Followed is a partition that this node follows.
type Followed struct {
	kafka.TopicPartition
	Leader  kafka.NodeID
	Fetcher int
	Lag     int64 // records below the leader's high watermark that are not here
}

// Controller is the cluster as the controller sees it.
type Controller struct {
	Active                                  bool
	Topics, Partitions                      int
	OfflinePartitions, NotPreferred         int
	UncleanElections                        uint64 // that this node has seen
	EligibleElections                       uint64 // likewise, of leaders from the eligible replicas (KIP-966)
	LastAppliedOffset, LastAppliedTimestamp int64  // of the metadata log, on this node
	Failovers                               Failovers
}

// Failovers are the brokers whose leaderships this controller has moved because their processes had ended, and how long that took
// from the first suspicion until it was decided.
type Failovers struct {
	Count     uint64
	Last, Max time.Duration
}

// Quorum is how the metadata quorum stands.
type Quorum struct {
	Leader        kafka.NodeID
	Epoch         kafka.LeaderEpoch
	Leading       bool
	HighWatermark kafka.Offset
	LogEnd        kafka.Offset
	Voters        int
	Observers     int
	Vote          kafka.NodeID // whom this node voted for in the epoch, NoNode for nobody
	Election      Latency      // of this node's campaigns
	Commit        Latency      // of entries of this node's leaderships
}

// Latency sums up how long something took, since the start.
type Latency struct {
	Count    uint64
	Sum, Max time.Duration
}

// Topic is a topic that this node has replicas of.
type Topic struct {
	Name       string
	Partitions int // of the whole topic
	Traffic    Traffic
}

// Traffic counts what clients did with topics.
type Traffic struct {
	Produces, FailedProduces, BytesIn, Records uint64
	Fetches, FailedFetches, BytesOut           uint64
	ReplicationIn, ReplicationOut              uint64 // bytes
}

// Partition is a partition that this node leads.
type Partition struct {
	kafka.TopicPartition
	Bytes              int64
	LogStart, High     kafka.Offset
	LogEnd             kafka.Offset
	Leader             kafka.NodeID
	Preferred          bool
	Replicas, InSync   int
	MinISR             int
	UnderReplicated    bool
	UnderMinISR, AtMin bool
	Followers          []Follower // by node
}

// Follower is another replica of a partition, as its leader sees it.
type Follower struct {
	Node       kafka.NodeID
	InSync     bool
	Known      bool          // Lag and NotDurable are known: it has fetched
	Lag        int64         // records that the leader has and it has not
	NotDurable int64         // records that the leader has and its disk has not
	Behind     time.Duration // since when what counts of it is less than what the leader has; negative when it was never level
	SinceFetch time.Duration // negative when it has not fetched
	Waits      string        // what for
}

// Group is a consumer group that this node coordinates.
type Group struct {
	Name    string
	State   string
	Members int
	Offsets []Committed // by topic and partition
}

// Committed is a committed offset and how far behind its partition it is.
type Committed struct {
	kafka.TopicPartition
	Offset kafka.Offset
	Lag    int64
	Known  bool // Lag is known: this node leads the partition
}
