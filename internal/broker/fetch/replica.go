package fetch

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/fetchsession"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/wire"
)

// A replica's Fetch names where its broker's replicas stand, and how far each is durable in a tag of our own. It gets what is
// in the log, committed or not. It waits like a consumer's, for the log end, and is answered, too, when the high watermark is
// past what the follower knows (KIP-1166). Of the same session a second one with max_bytes=0 may come while it waits: a report,
// which takes note of the partitions that it names, is answered at once, and tells nothing but errors. What it moves, the Fetch
// that waits tells. With min_bytes=0 it ends that one's wait: it names what that one does not know of, so that a partition which
// has just come to follow is not kept waiting.

// replicates learns who replicates. Heard is only the process that is registered (KIP-903); one that is registered already where
// our metadata has not come to yet is heard, too, and may join no ISR until it has.
func (w *pending) replicates(in *wire.FetchRequest) {
	w.from.replica, w.from.epoch = kafka.NodeID(in.ReplicaID), in.ReplicaEpoch
	w.ask.committed, w.ask.report = false, in.MaxBytes == 0
	epoch, _ := w.area.partitions.Member(w.from.replica)
	switch {
	case epoch < 0:
		w.from.refused = fault.New("fetch", kafka.ErrNotLeaderOrFollower, "no broker %d is registered", in.ReplicaID)
	case in.ReplicaEpoch >= 0 && in.ReplicaEpoch < epoch:
		w.from.refused = fault.New("fetch", kafka.ErrNotLeaderOrFollower, "broker %d is registered with epoch %d, and asks with %d", in.ReplicaID, epoch, in.ReplicaEpoch)
	}
}

// replicate reads for a replica. What a Fetch says of where the replica stands counts once, when it comes: while it waits, a
// report may have said more.
func (w *pending) replicate(p *partition.Partition, at *fetchsession.Partition, maxBytes int, minOne bool) (partition.Records, error) {
	return partition.AsLeader(p).Read(partition.ReplicaRead{
		Node: w.from.replica, BrokerEpoch: w.from.epoch, CurrentEpoch: at.CurrentEpoch, LastEpoch: at.LastFetchedEpoch,
		From: at.FetchOffset, LogStart: at.LogStartOffset, Durable: at.Durable, Again: w.from.noted,
		MaxBytes: maxBytes, MinOne: minOne && !w.ask.report,
	})
}

// behind reports whether a follower is to be told of a high watermark. One that never said what it knows is told with records,
// or when its wait is over, as before KIP-1166.
func (w *pending) behind(i int) bool {
	if w.from.replica == kafka.NoNode || w.ask.report || w.results[i].err != nil {
		return false
	}
	told := w.partitions[i].Told()
	return told >= 0 && w.results[i].records.High > told
}

// waits notes that a replica's Fetch waits in its session, or does no longer.
func (w *pending) waits(begins bool) {
	f := w.area
	if w.from.replica == kafka.NoNode || w.sessionID == fetchsession.NoSession {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if begins {
		f.parked[w.sessionID] = w
	} else if f.parked[w.sessionID] == w {
		delete(f.parked, w.sessionID)
	}
}

// hurry has the Fetch that waits in a session answered with what there is.
func (f *Fetches) hurry(session int32) {
	f.mu.Lock()
	w := f.parked[session]
	f.mu.Unlock()
	if w != nil && f.deadlines.Cancel(&w.state.deadline) {
		f.world.Go(w.calls.expired)
	}
}
