package node

import (
	"bytes"
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
)

// assignments tells the controller which directory this node keeps each replica in (KIP-858): those it chose itself, and
// those whose files were found elsewhere than the metadata says. Until the controller knows, a directory's loss is not
// reported: nobody could tell which replicas are lost with it.
type assignments struct {
	n *Node

	mu      sync.Mutex
	pending map[kafka.TopicIDPartition]whereabouts
	planned bool // to send soon
	sending bool
	added   int // how often something was
	asked   int // what added was when the request that is under way was made
	waits   []toldWait
}

// whereabouts is what the controller is to be told of a replica: where it is, and where it may still believe that it is.
type whereabouts struct {
	in, not kafka.DirectoryID
	order   int // among all that were added
}

// toldWait is somebody who waits until the controller knows what is in a directory.
type toldWait struct {
	dir  kafka.DirectoryID
	done func()
}

const (
	maxAssignments  = 2250 // in one request, Kafka's bound
	assignmentRetry = time.Second
)

// add has a replica's directory told.
func (a *assignments) add(id kafka.TopicIDPartition, dir kafka.DirectoryID) { a.move(id, dir, dir) }

// move has it told that a replica is in one directory, and not in another. What was told before, or is on its way, may have been forgotten.
func (a *assignments) move(id kafka.TopicIDPartition, in, not kafka.DirectoryID) {
	a.mu.Lock()
	a.added++
	a.pending[id] = whereabouts{in, not, a.added}
	plan := !a.planned
	a.planned = true
	a.mu.Unlock()
	if plan {
		a.n.o.World.Go(a.send) // soon: the image that is being applied brings more
	}
}

// drop forgets a replica that this node no longer has; nobody waits for it any more either.
func (a *assignments) drop(id kafka.TopicIDPartition) {
	a.mu.Lock()
	delete(a.pending, id)
	ready := a.ready()
	a.mu.Unlock()
	run(ready)
}

// knows reports whether nothing is left to be told of a replica.
func (a *assignments) knows(id kafka.TopicIDPartition) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, pending := a.pending[id]
	return !pending
}

// told calls done once the controller knows every replica that is pending for a directory now.
func (a *assignments) told(dir kafka.DirectoryID, done func()) {
	a.mu.Lock()
	a.waits = append(a.waits, toldWait{dir, done})
	ready := a.ready()
	a.mu.Unlock()
	run(ready)
}

// ready takes out the waits that are over. Called with the mutex held.
func (a *assignments) ready() []func() {
	busy := map[kafka.DirectoryID]bool{}
	for _, t := range a.pending {
		busy[t.in], busy[t.not] = true, true
	}
	var out []func()
	a.waits = slices.DeleteFunc(a.waits, func(w toldWait) bool {
		if !busy[w.dir] {
			out = append(out, w.done)
		}
		return !busy[w.dir]
	})
	return out
}

func run(calls []func()) {
	for _, f := range calls {
		f()
	}
}

// send tells what is pending, one request at a time. Before the node is registered it has no epoch to say it in.
func (a *assignments) send() {
	epoch := a.n.session.brokerEpoch()
	a.mu.Lock()
	a.planned = false
	if a.sending || len(a.pending) == 0 || epoch < 0 {
		a.mu.Unlock()
		return
	}
	a.sending, a.asked = true, a.added
	cmd := controller.AssignReplicas{Broker: a.n.settings.NodeID(), Epoch: epoch, Replicas: a.batch()}
	a.mu.Unlock()
	a.n.control.Submit(startTimeout, cmd, func(_ any, err error) { a.sent(cmd.Replicas, err) })
}

// sent goes on after an answer. What was refused of a request that was taken is a replica that is not this node's any more.
func (a *assignments) sent(batch []controller.ReplicaHome, err error) {
	a.mu.Lock()
	a.sending = false
	if err == nil {
		for _, r := range batch {
			if a.pending[r.ID].order <= a.asked {
				delete(a.pending, r.ID)
			}
		}
	}
	ready := a.ready()
	a.mu.Unlock()
	run(ready)
	if err == nil {
		a.send()
		return
	}
	a.n.o.World.After(assignmentRetry, func() {
		if !a.n.life.Over() {
			a.send()
		}
	})
}

// batch takes the first of what is pending. Called with the mutex held.
func (a *assignments) batch() []controller.ReplicaHome {
	out := make([]controller.ReplicaHome, 0, len(a.pending))
	for id, t := range a.pending {
		out = append(out, controller.ReplicaHome{ID: id, Directory: t.in})
	}
	slices.SortFunc(out, func(x, y controller.ReplicaHome) int {
		return cmp.Or(bytes.Compare(x.ID.TopicID[:], y.ID.TopicID[:]), cmp.Compare(x.ID.Partition, y.ID.Partition))
	})
	return out[:min(len(out), maxAssignments)]
}
