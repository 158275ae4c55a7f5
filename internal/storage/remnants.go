package storage

import (
	"errors"
	"fmt"
	"slices"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/partition"
)

// A remnant is a copy that nobody goes on with before the next start or wish: the directory that its replica moves from has failed, is not here, or
// has a log that does not open. It may be all that is left of the replica, and goes only when that has left this node or lives elsewhere.
type remnant struct {
	v      *Volume
	p      *partition.Partition
	id     kafka.TopicIDPartition
	dir    log.PartitionDir
	closed bool // cleanly, and where it ends
	end    kafka.Offset
}

// remains is the copy that a relocation leaves behind, if it does: none when it has become the log or was deleted, and what is in a directory
// that has failed is the next start's.
func (m *relocation) remains(out partition.Moved) []remnant {
	if out.Done || m.to.Offline() != nil {
		return nil
	}
	if _, err := m.r.of.FS.Stat(m.to.Dir.Path() + "/" + m.copy); err != nil && !out.Kept {
		return nil
	}
	dir := log.PartitionDir{Name: m.copy, Partition: m.name, Kind: log.Future}
	return []remnant{{v: m.to, p: m.p, id: m.id, dir: dir, closed: out.Kept, end: out.End}}
}

// again takes a copy out that an earlier move of a replica left in a directory, for the next one to go on with. Called with the mutex held.
func (r *relocations) again(p *partition.Partition, v *Volume) (name string, there bool) {
	i := slices.IndexFunc(r.stayed, func(x remnant) bool { return x.p == p && x.v == v })
	if i < 0 {
		return "", false
	}
	name = r.stayed[i].dir.Name
	r.stayed = slices.Delete(r.stayed, i, i+1)
	return name, true
}

// sweep takes the copies away that have stayed of a replica that has left this node, or that has moved: whole says that its log is elsewhere,
// with all that they have. The next replica of its name waits meanwhile. Several may call it: each copy is taken by one of them.
func (r *relocations) sweep(p *partition.Partition, whole bool) {
	var taken []remnant
	var free []haunt
	r.mu.Lock()
	r.stayed = slices.DeleteFunc(r.stayed, func(x remnant) bool {
		if x.p != p {
			return false
		}
		h := haunt{x.v, x.dir.Partition}
		r.ghosts.add(h)
		taken, free = append(taken, x), append(free, h)
		return true
	})
	r.mu.Unlock()
	for _, x := range taken {
		if x.v.Offline() != nil {
			continue
		}
		err := r.clear(x, whole)
		switch {
		case err == nil || errors.Is(err, disk.ErrNotExist):
		case fault.IsKind(err, fault.Disk):
			x.v.Env.Failed(err)
		default:
			r.of.log("kafka.log").Warn(fmt.Sprintf("The copy %s is of no use any more and could not be taken away", x.v.Path+"/"+x.dir.Name), "error", err)
		}
	}
	r.ghosts.drop(free)
}

// clear takes one copy away: it is deleted with its topic, or when the log has all that it has, and else set aside.
func (r *relocations) clear(x remnant, whole bool) error {
	name, copy := x.v.Path+"/"+x.dir.Name, x.v.Dir.Arrival(x.dir.Partition, x.dir.Name)
	if !whole && r.of.o.Replicas.Image().Topic(x.id.TopicID) != nil {
		r.of.log("kafka.log").Warn("A copy belongs to no replica of this node any more; it is set aside and never read.", "directory", name)
		return x.v.Dir.SetAside(x.dir, kafka.UUID(r.of.o.World.UUID()))
	}
	r.of.log("kafka.log").Info(fmt.Sprintf("The copy %s is of no use any more and is deleted", name))
	if x.v.stands(x.dir.Partition) {
		return copy.Drop(x.id.TopicID, r.of.discard) // what the checkpoints say is the log's
	}
	return copy.Delete(x.id.TopicID, r.of.discard)
}

// closed tells a clean stop where the copies in a directory end that were closed, and why not all of them are.
func (r *relocations) closed(v *Volume) (checkpoint.Offsets, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ends := checkpoint.Offsets{}
	for _, x := range r.stayed {
		if x.v == v && x.closed {
			ends[x.dir.Partition] = x.end
		}
	}
	return ends, r.spoilt[v]
}
