package node

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// deadDir is a log directory that failed in this session.
type deadDir struct {
	id       kafka.DirectoryID
	assigned bool // the controller knows what is in it, so that it may be told of
	reported bool // the controller knows
}

// lost has the controller told that a log directory failed, within log.dir.failure.timeout.ms: it is to find other leaders
// for what is in it (KIP-858). A broker that cannot tell stops, as Apache Kafka's does: others would wait for replicas that
// are not there.
func (s *session) lost(id kafka.DirectoryID) {
	if !s.n.settings.node.Roles.Broker {
		return // nobody leads anything in it
	}
	s.mu.Lock()
	s.dead = append(s.dead, deadDir{id: id})
	s.mu.Unlock()
	s.n.o.World.After(s.n.settings.static.Millis("log.dir.failure.timeout.ms"), func() {
		if !s.knows(id) {
			s.n.life.Fail(fault.New("node", kafka.ErrKafkaStorageError,
				"Shutting down because couldn't communicate offline log dir %s with controllers", id))
		}
	})
	s.n.replicas.moves.told(id, func() {
		s.mu.Lock()
		for i := range s.dead {
			s.dead[i].assigned = s.dead[i].assigned || s.dead[i].id == id
		}
		s.mu.Unlock()
		s.beat()
	})
}

// offlineDirs lists the directories that a heartbeat reports: all that failed, again and again, as Apache Kafka does.
// Called with the mutex held.
func (s *session) offlineDirs() []kafka.DirectoryID {
	var out []kafka.DirectoryID
	for _, d := range s.dead {
		if d.assigned {
			out = append(out, d.id)
		}
	}
	return out
}

// reported notes what a heartbeat has told.
func (s *session) reported(ids []kafka.DirectoryID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		for i := range s.dead {
			s.dead[i].reported = s.dead[i].reported || s.dead[i].id == id
		}
	}
}

// knows reports whether the controller was told of a directory, or need not be any more.
func (s *session) knows(id kafka.DirectoryID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.dead {
		if d.id == id && !d.reported {
			return s.ended
		}
	}
	return true
}

// cordonedDirs lists the ids of the log directories that take no new replicas, for the controller.
func (n *Node) cordonedDirs() []kafka.DirectoryID {
	out := []kafka.DirectoryID{}
	for _, v := range n.storage.Serving() {
		if n.storage.Cordoned(v.Path) {
			out = append(out, v.ID())
		}
	}
	return out
}

// homes is the controller as the log directories see it.
type homes struct{ n *Node }

// Assign has it told that a replica is in one directory, and not in another.
func (h homes) Assign(id kafka.TopicIDPartition, in, not kafka.DirectoryID) {
	h.n.replicas.moves.move(id, in, not)
}

// Knows reports whether nothing is left to be told of a replica.
func (h homes) Knows(id kafka.TopicIDPartition) bool { return h.n.replicas.moves.knows(id) }

// Lost has it told that a directory failed.
func (h homes) Lost(id kafka.DirectoryID) { h.n.session.lost(id) }
