package node

import (
	"slices"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/storage"
)

// Probe is what a simulation sees of a node from outside: nothing that a node does asks it.
type Probe struct{ n *Node }

// Probe looks into the node.
func (n *Node) Probe() Probe { return Probe{n} }

// Image is what the node acts on.
func (p Probe) Image() *image.Image { return p.n.replicas.Image() }

// Quorum is how the metadata quorum stands by this node's word.
func (p Probe) Quorum() quorum.Description { return p.n.control.Describe() }

// Incarnation is that of the process.
func (p Probe) Incarnation() kafka.IncarnationID { return p.n.session.incarnation }

// Bereft reports whether a log directory has failed since the start.
func (p Probe) Bereft() bool {
	return slices.ContainsFunc(p.n.storage.All(), func(v *storage.Volume) bool { return v.Offline() != nil })
}

// Replica finds a replica of this node, nil where it has none.
func (p Probe) Replica(id kafka.TopicIDPartition) *partition.Partition {
	r := p.n.replicas
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.byID[id]
}
