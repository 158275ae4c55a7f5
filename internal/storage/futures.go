package storage

import (
	"errors"
	"fmt"
	"slices"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
)

// note remembers a copy that the start found in a directory.
func (r *relocations) note(v *Volume, d log.PartitionDir) { r.found[v] = append(r.found[v], d) }

// holds reports whether the start found a copy of a partition in a directory.
func (r *relocations) holds(v *Volume, name kafka.TopicPartition) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.found[v], func(d log.PartitionDir) bool { return d.Partition == name })
}

// resume goes on with the copies that the start found, as Apache Kafka does: the replica still is on its way. A copy where the
// replica already lives, or beside another copy, is of no use any more, and one of a topic that is not known is set aside.
func (r *relocations) resume() {
	for _, v := range r.of.Serving() {
		r.mu.Lock()
		found := r.found[v]
		r.mu.Unlock()
		for _, d := range found {
			if r.of.o.Life.Over() {
				return
			}
			if err := r.resumeOne(v, d); err != nil && !errors.Is(err, disk.ErrNotExist) {
				r.of.Blame(v, err)
				break
			}
		}
	}
	r.mu.Lock()
	left := r.left
	r.found, r.wished, r.left = nil, nil, nil
	r.mu.Unlock()
	r.ghosts.drop(left)
	r.next()
}

// Banish sets the copies aside that the start found and that are of no replica of this node by an image, before the first of its replicas
// opens a log: what their directory knows of them it would know of the next log of the name.
func Banish(s *Storage, img *image.Image) {
	r := s.moving
	for _, v := range s.Serving() {
		r.mu.Lock()
		found := r.found[v]
		r.mu.Unlock()
		var kept []log.PartitionDir
		for _, d := range found {
			topic, known, err := v.Dir.TopicID(d)
			ours := false
			if p, ok := img.Partition(kafka.TopicIDPartition{TopicID: topic, Partition: d.Partition.Partition}); ok && known {
				ours = slices.Contains(p.Replicas(), s.settings.self())
			}
			if err == nil && !ours {
				err = r.away(v, d, topic, known)
			} else {
				kept = append(kept, d)
			}
			if err != nil && !errors.Is(err, disk.ErrNotExist) {
				s.Blame(v, err)
				break
			}
		}
		r.mu.Lock()
		if r.found != nil { // what was found is gone on with once
			r.found[v] = kept
		}
		r.mu.Unlock()
	}
}

// away takes a copy away that is of no replica of this node: that of a move which ended before anything of it was on the disk is deleted.
func (r *relocations) away(v *Volume, d log.PartitionDir, topic kafka.TopicID, known bool) error {
	copy := v.Dir.Arrival(d.Partition, d.Name)
	switch {
	case !known && v.stands(d.Partition):
		return copy.Drop(topic, r.of.discard)
	case !known:
		return copy.Delete(topic, r.of.discard)
	}
	r.of.log("kafka.log").Warn("A copy belongs to no topic of this cluster; it is set aside and never read.", "directory", v.Path+"/"+d.Name)
	return v.Dir.SetAside(d, kafka.UUID(r.of.o.World.UUID()))
}

func (r *relocations) resumeOne(v *Volume, d log.PartitionDir) error {
	topic, known, err := v.Dir.TopicID(d)
	if err != nil {
		return err
	}
	id := kafka.TopicIDPartition{TopicID: topic, Partition: d.Partition.Partition}
	p, err := r.of.o.Replicas.ByID(id)
	if err != nil || !known {
		return r.away(v, d, topic, known)
	}
	at := r.of.Of(p)
	if at.Offline() != nil { // the copy may be all that is left of it
		r.mu.Lock()
		r.stayed = append(r.stayed, remnant{v: v, p: p, id: id, dir: d})
		r.mu.Unlock()
		if here, err := r.of.o.Replicas.ByID(id); err != nil || here != p {
			r.sweep(p, false) // it has left meanwhile
		}
		return nil
	}
	r.mu.Lock()
	moving := r.all[p]
	if moving == nil && at != v && !slices.Contains(r.wished, p) {
		m := r.add(p, d.Partition, id, v, d.Name)
		r.mu.Unlock()
		if !r.lives(m) {
			r.forget(p)
		}
		return nil
	}
	r.mu.Unlock()
	r.of.log("kafka.log").Info(fmt.Sprintf("The copy %s is of no use any more and is deleted", v.Path+"/"+d.Name))
	copy := v.Dir.Arrival(d.Partition, d.Name)
	if at == v || moving != nil && moving.to == v {
		return copy.Drop(topic, r.of.discard) // what the checkpoints say is the log's, or the other copy's
	}
	return copy.Delete(topic, r.of.discard)
}

// errHalfMoved is why a replica is offline that was about to move when the node stopped, and whose old log directory is gone.
// The copy may lack what was acknowledged last, so nobody is served from it unasked.
func errHalfMoved(name kafka.TopicPartition, v *Volume) error {
	e := fault.New("node", kafka.ErrKafkaStorageError, "%s was moving to %s, and the log directory that it moves from is not among log.dirs, or not mounted. "+
		"Bring that back; if it is lost for good, rename the copy in %s from %s.*-future to %s while the node is stopped: the newest records may be missing in it",
		name, v.Path, v.Path, name, name)
	e.Kind = fault.Disk
	return e
}
