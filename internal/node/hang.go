package node

import (
	"slices"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/partition"
)

// hangs hears that the flush of a log directory begins to hang, or that one has ended: the controller is told at once. One that can't
// make its own decisions durable is none: another voter controls.
func (s *session) hangs() {
	stalled := s.n.upkeep.Stalled()
	if c := s.n.control; slices.Contains(stalled, s.n.storage.Metadata.ID()) && c.Active() && !c.sole() {
		c.own().StepAside(func(err error) {
			if err != nil {
				s.n.log("kafka.raft").Warn("The disk of the metadata log hangs, and no other voter leads the quorum.", "reason", err)
			}
		})
	}
	s.beat()
}

// handedOver hears that the controller knows of directories that hang: it has others lead what this node led from there, if any are in
// sync, and writers are sent to them.
func (s *session) handedOver(dirs []kafka.DirectoryID) {
	dirs = slices.DeleteFunc(s.n.upkeep.Stalled(), func(id kafka.DirectoryID) bool { return !slices.Contains(dirs, id) })
	for _, v := range s.n.storage.Serving() {
		if !slices.Contains(dirs, v.ID()) {
			continue
		}
		v.Env.Hang()
		for _, p := range s.n.replicas.All() {
			if v.Env.Holds(p) {
				partition.AsLeader(p).GiveWay()
			}
		}
	}
}
