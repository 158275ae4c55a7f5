package nodes

import (
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// Follower is who pulls the metadata log: a broker, or a controller without a vote.
type Follower struct {
	Node      kafka.NodeID
	Directory kafka.DirectoryID
}

// Pull is what a follower asks of the leader. Epoch is that in which it believes the leader to lead, -1 when it knows of none;
// LastEpoch that of the batch before From, -1 when it has nothing.
type Pull struct {
	From      Follower
	Epoch     kafka.LeaderEpoch
	Offset    kafka.Offset
	LastEpoch kafka.LeaderEpoch
	MaxBytes  int
	MaxWait   time.Duration // how long an empty answer is held back
}

// Standing is who leads, as far as this node knows; it comes with errors, too.
type Standing struct {
	Leader    kafka.NodeID // NoNode for nobody
	Epoch     kafka.LeaderEpoch
	Endpoints []record.Endpoint
}

// Pulled is the answer to a Pull: batches, or one of the two reasons why there are none.
type Pulled struct {
	Standing
	HighWatermark kafka.Offset
	LogStart      kafka.Offset
	Batches       []record.Batch // whole, adjacent, committed
	Diverging     *EpochEnd
	Snapshot      *SnapshotID
}

// EpochEnd is where an epoch ends in the leader's log.
type EpochEnd struct {
	Epoch kafka.LeaderEpoch
	End   kafka.Offset
}

// SnapshotID names a snapshot of the metadata log.
type SnapshotID struct {
	End   kafka.Offset
	Epoch kafka.LeaderEpoch
}

// PullChunk asks for a piece of a snapshot.
type PullChunk struct {
	From     Follower
	Epoch    kafka.LeaderEpoch
	Snapshot SnapshotID
	Position int64
	MaxBytes int
}

// Chunk is the piece; Size is that of the whole snapshot.
type Chunk struct {
	Standing
	Size  int64
	Bytes []byte
}

// endpoint chooses where the leader is told to be: on the controllers' listener, or else the first.
func (n *Nodes) endpoint(all []record.Endpoint) (e record.Endpoint, ok bool) {
	for _, e := range all {
		if e.Name == n.o.Listener {
			return e, true
		}
	}
	if len(all) == 0 {
		return record.Endpoint{}, false
	}
	return all[0], true
}
