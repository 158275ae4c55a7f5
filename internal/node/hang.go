package node

import (
	"slices"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/partition"
)

// asideAgain is how long a controller whose disk hangs waits before it tries again to have another voter control.
const asideAgain = time.Second

// hangs hears that a flush of a log directory hangs, or that one which did is over: the controller is told at once. Of one that is over
// before upkeep has looked it hears nothing, and a heartbeat may have told of it all the same.
func (s *session) hangs() {
	s.stepAside()
	s.beat()
}

// stepAside has another voter lead the quorum while the disk of the metadata log hangs: a controller that can't make its own decisions
// durable is none, and one that was just elected doesn't even begin. Where nobody takes over it is tried again for as long as that lasts.
func (s *session) stepAside() {
	c := s.n.control
	if leader, _ := c.leader(); leader != s.n.settings.NodeID() || !s.n.upkeep.Hangs(s.n.storage.Metadata) || c.sole() || s.n.life.Over() {
		return
	}
	q := c.own()
	if q == nil {
		return
	}
	q.StepAside(func(err error) {
		if err != nil {
			s.n.log("kafka.raft").Warn("The disk of the metadata log hangs, and no other voter leads the quorum.", "reason", err)
			s.n.o.World.After(asideAgain, s.stepAside)
		}
	})
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
