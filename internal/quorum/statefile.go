package quorum

import (
	"encoding/json"
	"path"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/must"
)

const (
	stateFileName = "quorum-state"
	stateFileMax  = 64 << 10 // bytes; a real one has about a hundred
)

// election is what quorum-state remembers: the epoch, who led it, and whom this voter voted for.
type election struct {
	leader         kafka.NodeID
	epoch          kafka.LeaderEpoch
	voted          kafka.NodeID
	votedDirectory kafka.DirectoryID
}

var noElection = election{leader: kafka.NoNode, voted: kafka.NoNode}

// stateJSON is Kafka's QuorumStateData in its JSON form, version 1.
type stateJSON struct {
	LeaderID         int32  `json:"leaderId"`
	LeaderEpoch      int32  `json:"leaderEpoch"`
	VotedID          int32  `json:"votedId"`
	VotedDirectoryID string `json:"votedDirectoryId"`
	DataVersion      int16  `json:"data_version"`
}

// staticStateJSON is version 0, that of kraft.version 0: no voted directory, but the voters. Its cluster id and its
// applied offset were never set by anybody.
type staticStateJSON struct {
	ClusterID     string        `json:"clusterId"`
	LeaderID      int32         `json:"leaderId"`
	LeaderEpoch   int32         `json:"leaderEpoch"`
	VotedID       int32         `json:"votedId"`
	AppliedOffset int64         `json:"appliedOffset"`
	CurrentVoters []staticVoter `json:"currentVoters"`
	DataVersion   int16         `json:"data_version"`
}

type staticVoter struct {
	VoterID int32 `json:"voterId"`
}

// encode writes the version of the file that Kafka expects at a kraft.version.
func (e election) encode(kraft int16, voters voterSet) []byte {
	if kraft < kraftDynamic {
		s := staticStateJSON{LeaderID: int32(e.leader), LeaderEpoch: int32(e.epoch), VotedID: int32(e.voted), CurrentVoters: []staticVoter{}}
		for _, v := range voters {
			s.CurrentVoters = append(s.CurrentVoters, staticVoter{int32(v.ID)})
		}
		return must.Get(json.Marshal(s)) // plain fields always encode
	}
	return must.Get(json.Marshal(stateJSON{
		LeaderID: int32(e.leader), LeaderEpoch: int32(e.epoch), VotedID: int32(e.voted),
		VotedDirectoryID: kafka.UUID(e.votedDirectory).String(), DataVersion: 1,
	}))
}

// decodeElection reads version 0 and 1. A file that does not parse is an error and never "no vote": a voter that
// forgets its vote could vote twice in one epoch.
func decodeElection(b []byte) (election, error) {
	const op = "quorum.state"
	s := stateJSON{VotedID: -1, LeaderID: -1, LeaderEpoch: -1, DataVersion: -1}
	if err := json.Unmarshal(b, &s); err != nil {
		return noElection, fault.Corruption(op, "%s is not JSON: %v", stateFileName, err)
	}
	if s.DataVersion != 0 && s.DataVersion != 1 {
		return noElection, fault.Corruption(op, "%s has data_version %d, this node reads 0 and 1", stateFileName, s.DataVersion)
	}
	if s.LeaderEpoch < 0 || s.LeaderID < -1 || s.VotedID < -1 {
		return noElection, fault.Corruption(op, "%s: leaderEpoch %d, leaderId %d, votedId %d", stateFileName, s.LeaderEpoch, s.LeaderID, s.VotedID)
	}
	e := election{leader: kafka.NodeID(s.LeaderID), epoch: kafka.LeaderEpoch(s.LeaderEpoch), voted: kafka.NodeID(s.VotedID)}
	if s.VotedDirectoryID != "" {
		id, err := kafka.ParseUUID(s.VotedDirectoryID)
		if err != nil {
			return noElection, fault.Corruption(op, "%s: votedDirectoryId: %v", stateFileName, err)
		}
		e.votedDirectory = kafka.DirectoryID(id)
	}
	return e, nil
}

// loadElection reads the file of a partition directory; none means nothing was ever voted.
func loadElection(fsys disk.FS, dir string) (election, error) {
	b, err := checkpoint.Load(fsys, path.Join(dir, stateFileName), stateFileMax)
	if err != nil || b == nil {
		return noElection, err
	}
	return decodeElection(b)
}

// stateReplacement is a new quorum-state: its Sync puts it in place, so that as a disk.Syncer it travels with the log
// in one flush.
type stateReplacement struct {
	fs   disk.FS
	dir  string
	text string // comparable: the flusher tells targets apart
}

// Sync replaces the file.
func (r stateReplacement) Sync() error {
	return checkpoint.Replace(r.fs, r.dir, stateFileName, []byte(r.text))
}
