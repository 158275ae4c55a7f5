package quorum

import (
	"encoding/json"
	"path"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// stage is how far a voter is on the way to a quorum.
type stage string

const (
	stageEmpty    stage = "empty"    // there is nothing in its directory
	stagePrepared stage = "prepared" // it has the decision on stable storage, and has not voted
	stageBegun    stage = "begun"    // Raft runs, or did
)

// hello is what nodes tell each other before there is a quorum, as question and as answer: JSON, for it is rare, small, and
// read by people when a cluster does not form.
type hello struct {
	Version  int         `json:"version"`
	Stage    stage       `json:"stage"`
	Self     helloVoter  `json:"self"`
	Cluster  string      `json:"clusterId,omitempty"` // that somebody chose
	Seats    []int32     `json:"seats,omitempty"`     // controller.quorum.voters
	Decision *decision   `json:"decision,omitempty"`
	Voters   []helloSeat `json:"voters,omitempty"` // of one that has begun: who votes now
}

type helloSeat struct {
	ID        int32  `json:"id"`
	Directory string `json:"directoryId"`
}

type helloVoter struct {
	helloSeat
	Endpoints []record.Endpoint `json:"endpoints,omitempty"`
}

// decision is how a cluster begins: its id and its voters.
type decision struct {
	ID      string       `json:"decisionId"` // drawn anew for each
	Cluster string       `json:"clusterId"`
	WallMs  int64        `json:"timestampMs"`
	Voters  []helloVoter `json:"voters"`
}

const (
	helloVersion   = 1
	helloMax       = 64 << 10 // bytes
	decisionFile   = "quorum-forming"
	decisionVoters = 31 // more have no place in a quorum
)

func seatOf(k Key) helloSeat { return helloSeat{int32(k.NodeID), kafka.UUID(k.DirectoryID).String()} }

func (s helloSeat) key() (Key, error) {
	id, err := kafka.ParseUUID(s.Directory)
	if err != nil || s.ID < 0 {
		return Key{}, fault.Corruption("quorum.hello", "voter %d with directory %q", s.ID, s.Directory)
	}
	return Key{kafka.NodeID(s.ID), kafka.DirectoryID(id)}, nil
}

// voters is the decision's set.
func (d *decision) voters() ([]Voter, error) {
	var out []Voter
	for _, v := range d.Voters {
		k, err := v.key()
		if err != nil {
			return nil, err
		}
		out = append(out, Voter{ID: k.NodeID, Directory: k.DirectoryID, Endpoints: v.Endpoints, MinKRaft: kraftStatic, MaxKRaft: kraftDynamic})
	}
	if _, err := newVoterSet(out); err != nil || len(out) == 0 || len(out) > decisionVoters {
		return nil, fault.Corruption("quorum.hello", "a decision for %d voters: %v", len(out), err)
	}
	return out, nil
}

// names reports whether a list has the voter.
func names(list []helloSeat, k Key) bool {
	for _, s := range list {
		if got, err := s.key(); err == nil && got == k {
			return true
		}
	}
	return false
}

func (d *decision) seats() []helloSeat {
	var out []helloSeat
	for _, v := range d.Voters {
		out = append(out, v.helloSeat)
	}
	return out
}

// decodeHello parses what another node sent and checks all of it.
func decodeHello(b []byte) (hello, error) {
	const op = "quorum.hello"
	var h hello
	if len(b) > helloMax {
		return h, fault.Corruption(op, "%d bytes", len(b))
	}
	if err := json.Unmarshal(b, &h); err != nil {
		return h, fault.Corruption(op, "not a greeting: %v", err)
	}
	if h.Version != helloVersion {
		return h, fault.New(op, kafka.ErrUnsupportedVersion, "a greeting of version %d, this node speaks %d", h.Version, helloVersion)
	}
	if h.Stage != stageEmpty && h.Stage != stagePrepared && h.Stage != stageBegun || h.Stage == stagePrepared && h.Decision == nil {
		return h, fault.Corruption(op, "a greeting of stage %q", h.Stage)
	}
	if _, err := h.Self.key(); err != nil {
		return h, err
	}
	if h.Decision != nil {
		if _, err := h.Decision.voters(); err != nil {
			return h, err
		}
	}
	return h, nil
}

func (h hello) encode() []byte { return must.Get(json.Marshal(h)) } // plain fields always encode

// loadDecision reads what a directory has of a decision; nil when there is none.
func loadDecision(fsys disk.FS, dir string) (*decision, error) {
	b, err := checkpoint.Load(fsys, path.Join(dir, decisionFile), helloMax)
	if err != nil || b == nil {
		return nil, err
	}
	d := &decision{}
	if err := json.Unmarshal(b, d); err != nil {
		return nil, fault.Corruption("quorum.hello", "%s is not JSON: %v", decisionFile, err)
	}
	_, err = d.voters()
	return d, err
}

// save makes the decision durable.
func (d *decision) save(fsys disk.FS, dir string) error {
	if err := checkpoint.Replace(fsys, dir, decisionFile, must.Get(json.Marshal(d))); err != nil {
		return fault.Storage("quorum.form", err)
	}
	return nil
}
