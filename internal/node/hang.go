package node

import (
	"slices"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/partition"
)

// hangs hears that a flush of a log directory hangs, or that one which did is over: the controller is told at once. Of one that is over
// before upkeep has looked it hears nothing, and a heartbeat may have told of it all the same. A controller that can't make its own
// decisions durable is none: another voter controls.
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
// sync. Where that flush is still under way writers are sent to them, until it is over and no longer.
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
