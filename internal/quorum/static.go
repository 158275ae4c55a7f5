package quorum

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// A log of kraft.version 0 is one that Apache Kafka began with controller.quorum.voters (the voters' list is in the
// configuration, and the log names nobody). It is continued as it is, and so goes back as it was: no KRAFT_VOTERS,
// version 0 of quorum-state, no voters in snapshots. Such a quorum has one voter here, this node.

// staticVoters is the membership of a log that names none: this node.
func (q *Quorum) staticVoters() (voterSet, error) {
	return newVoterSet([]Voter{{ID: q.o.Self.NodeID, Directory: q.o.Self.DirectoryID, MinKRaft: kraftStatic, MaxKRaft: kraftDynamic}})
}

// beginning stands for the snapshot that a log has not which was begun at kraft.version 0: nothing, before offset 0.
func (q *Quorum) beginning() (snapshotRef, error) {
	start, end := q.o.Log.Bounds()
	if start != 0 || end == 0 {
		return snapshotRef{}, fault.Corruption("quorum.open", "%s holds no snapshot and a log from offset %d to %d: the directory is not formatted, or its snapshots are lost",
			q.o.Dir, start, end)
	}
	return snapshotRef{index: bootstrapIndex}, nil
}

// noteKRaftVersion follows the log's own word on kraft.version: Kafka's upgrade of a static quorum stands there.
func (s *storage) noteKRaftVersion(b record.Batch) error {
	if !b.IsControl() {
		return nil
	}
	level, found, err := kraftVersionIn(b)
	if found {
		s.kraft = max(s.kraft, level)
	}
	return err
}

// place numbers the snapshots anew whose end is in the log. One that Kafka wrote between two of ours names no Raft
// index, and so moves those of all the log.
func (s *snapshots) place(pos *positions) {
	for i := range s.refs {
		if next, ok := pos.indexOf(s.refs[i].offset); ok && next > 0 {
			s.refs[i].index = next - 1
		}
	}
}

// selfIfStatic is the directory of a vote in a file that names none: this node's own, when the vote was for it.
func (e election) selfIfStatic(self Key) election {
	if e.voted == self.NodeID && e.votedDirectory == (kafka.DirectoryID{}) {
		e.votedDirectory = self.DirectoryID
	}
	return e
}
