// Package migrate opens the data directories of Apache Kafka in place and gives them back.
//
// There is no conversion: the metadata log, the partitions and the internal topics are continued by us as Kafka wrote
// them, and by Kafka as we wrote them. What is left to do stands here: Inspect looks at directories that are not open and
// says what they hold; Judge says what this version cannot carry on with, by name; Return takes back the little that is
// ours. node asks before it touches a directory in which Kafka ran last, and the command line has all three.
//
// It never takes a directory's lock (its callers hold it), Inspect never writes, and Judge is pure. Return is a plan of
// steps each of which may be done twice: after a crash on the way either program can start, or the command is repeated.
package migrate

import (
	"fmt"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
)

// metadataPartition is the metadata log's.
var metadataPartition = kafka.TopicPartition{Topic: "__cluster_metadata", Partition: 0}

// Found is what directories hold.
type Found struct {
	Node      kafka.NodeID
	Metas     []log.Meta // of each directory, in their order
	Clean     bool       // all were closed cleanly
	Milena    bool       // one of us ran last
	Begun     bool       // there is a metadata log; without one the directory is formatted at most
	Formatted bool       // kafka-storage formatted it
	Metadata  Metadata

	Groups        []Group  // of newer protocols, by name
	ClassicGroups int      // with members or offsets
	Transactions  []string // transactional ids whose transaction is open
	Unfinished    []Open   // partitions with open transactions
	OldFormats    []Old
	Moving        []string // directories of replicas that are being moved between log directories
	Partitions    int
	Bytes         int64
}

// Metadata is what the metadata log says.
type Metadata struct {
	Image        *image.Image
	End          kafka.Offset
	Epoch        kafka.LeaderEpoch
	KRaftVersion int16
	Voters       []kafka.NodeID // that KRAFT_VOTERS names; none at kraft.version 0
	Unknown      error          // a record that this version does not know
}

// Group is a group of a protocol that is not built.
type Group struct {
	Name string
	Kind string // consumer, share or streams
}

// Open is an open transaction in a partition.
type Open struct {
	Partition kafka.TopicPartition
	Producer  kafka.ProducerID
	First     kafka.Offset
}

// Old is a segment in a message format before Kafka 0.11.
type Old struct {
	File  string
	Magic int8
}

// Finding is one thing that stands in the way, or is to be known.
type Finding struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Try     string `json:"try,omitempty"`
}

func (f Finding) String() string { return fmt.Sprintf("%s: %s", f.Code, f.Message) }
