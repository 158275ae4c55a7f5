package node

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/partition"
)

// relocations are the replicas that move between the log directories of this node (KIP-113), as many at a time as
// num.replica.alter.log.dirs.threads says, together no faster than replica.alter.log.dirs.io.max.bytes.per.second.
type relocations struct {
	n *Node

	mu     sync.Mutex
	all    map[kafka.TopicPartition]*relocation
	asked  uint64                           // how many were begun
	wanted map[kafka.TopicPartition]*volume // where replicas that are not here yet are to be made
	found  map[*volume][]log.PartitionDir   // copies of an earlier life, until they are gone on with
	kept   map[*volume]checkpoint.Offsets   // where copies end that a clean stop has closed
	spoilt map[*volume]error                // of a clean stop that could not close a copy
	free   time.Duration                    // monotonic time when the throttle lets somebody on
}

// relocation is one replica on its way.
type relocation struct {
	r     *relocations
	p     *partition.Partition
	id    kafka.TopicIDPartition
	name  kafka.TopicPartition
	from  *volume
	to    *volume
	wish  *volume // where it is to be in the end: another one when somebody changed his mind
	copy  string  // the name of the copy's directory
	order uint64
	began time.Duration
	state struct {
		marking   bool            // the copy's directory is being made
		move      *partition.Move // nil while it waits for its turn
		announced bool            // the controller has been told
		said      bool            // why it waits
	}
}

// wantedMost bounds what is remembered of partitions that are not here.
const wantedMost = 10_000

func newRelocations(n *Node) *relocations {
	return &relocations{
		n: n, all: map[kafka.TopicPartition]*relocation{}, wanted: map[kafka.TopicPartition]*volume{},
		found: map[*volume][]log.PartitionDir{}, kept: map[*volume]checkpoint.Offsets{}, spoilt: map[*volume]error{},
	}
}

// AlterReplicaLogDir has a replica of this node moved to the log directory with a path. It returns once that is under way.
// Errors, in Apache Kafka's order: INVALID_TOPIC_EXCEPTION for a name too long for a copy, LOG_DIR_NOT_FOUND,
// KAFKA_STORAGE_ERROR for a directory or replica that is offline, INVALID_REPLICA_ASSIGNMENT for a cordoned directory
// (KIP-1066), UNKNOWN_TOPIC_OR_PARTITION, and REPLICA_NOT_AVAILABLE for a partition that is not here: it will be made in that
// directory.
func (r *relocations) AlterReplicaLogDir(name kafka.TopicPartition, path string) error {
	const op = "node.AlterReplicaLogDirs"
	s := &r.n.storage
	if _, fits := log.FutureName(name, kafka.UUID{}); !fits {
		return fault.New(op, kafka.ErrInvalidTopicException, "The topic name is too long.")
	}
	v := s.withPath(path)
	switch {
	case v == nil:
		return fault.New(op, kafka.ErrLogDirNotFound, "Log dir %s is not found in the config.", path)
	case v.offline() != nil:
		return fault.New(op, kafka.ErrKafkaStorageError, "Log directory %s is offline", path)
	case r.n.settings.cordoned(r.n.feed.Image(), v.path):
		return fault.New(op, kafka.ErrInvalidReplicaAssignment, "Log directory %s is cordoned", path)
	}
	p, err := r.n.replicas.ByName(name)
	if err != nil {
		r.prefer(name, v)
		if fault.CodeOf(err) == kafka.ErrNotLeaderOrFollower { // as Apache Kafka says it here, for compatibility
			err = fault.New(op, kafka.ErrReplicaNotAvailable, "this node has no replica of %s", name)
		}
		return err
	}
	at := s.of(p)
	if at.offline() != nil {
		return fault.New(op, kafka.ErrKafkaStorageError, "Partition %s is offline", name)
	}
	if missing := s.missing(); at != v && len(missing) > 0 {
		// A copy might be in one of them already.
		return fault.New(op, kafka.ErrKafkaStorageError, "Can not create log for %s because log directories %s are offline", name, strings.Join(missing, ","))
	}
	t := r.n.replicas.image().TopicNamed(name.Topic)
	if t == nil {
		return fault.New(op, kafka.ErrUnknownTopicOrPartition, "%s is not known", name)
	}
	return r.wish(p, name, kafka.TopicIDPartition{TopicID: t.ID, Partition: name.Partition}, v)
}

// wish has a replica moved. One that is moving elsewhere is called back first. It returns once a restart would go on with it.
func (r *relocations) wish(p *partition.Partition, name kafka.TopicPartition, id kafka.TopicIDPartition, v *volume) error {
	r.mu.Lock()
	m := r.all[name]
	begun := false
	switch {
	case m != nil:
		m.wish = v
		if m.to != v {
			m.callBack()
		}
	case r.n.storage.of(p) != v:
		copy, _ := log.FutureName(name, kafka.UUID(r.n.o.World.UUID()))
		m, begun = r.add(p, name, id, v, copy), true
		m.state.marking = true
	}
	r.mu.Unlock()
	var err error
	if begun {
		err = r.mark(m)
	}
	r.next()
	return err
}

// mark makes the directory of a copy, as Apache Kafka does when it is asked for the move, however long that waits for its turn
// then. A move without it is given up.
func (r *relocations) mark(m *relocation) error {
	err := m.arrival().Begin(m.id.TopicID)
	r.mu.Lock()
	m.state.marking = false
	if err != nil {
		m.wish = m.from
	}
	r.mu.Unlock()
	if fault.IsKind(err, fault.Disk) {
		m.to.env.Failed(err)
	}
	return err
}

// add begins with a replica. Called with the mutex held.
func (r *relocations) add(p *partition.Partition, name kafka.TopicPartition, id kafka.TopicIDPartition, v *volume, copy string) *relocation {
	r.asked++
	m := &relocation{
		r: r, p: p, id: id, name: name, from: r.n.storage.of(p), to: v, wish: v, copy: copy, order: r.asked, began: r.n.o.World.Now().Mono,
	}
	r.all[name] = m
	v.count(1) // as in Apache Kafka a copy counts where the next replica goes
	r.n.log("kafka.server.ReplicaAlterLogDirsManager").Info(fmt.Sprintf("Moving %s from %s to %s", name, m.from.path, v.path))
	return m
}

// callBack cancels a relocation. Called with the registry's mutex held.
func (m *relocation) callBack() {
	if m.state.move != nil {
		m.state.move.Cancel()
	}
}

// next lets those go on that have waited longest.
func (r *relocations) next() {
	if r.n.over() {
		return
	}
	most := r.n.settings.moveThreads()
	r.mu.Lock()
	var start, drop []*relocation
	running := 0
	for _, m := range r.all {
		switch {
		case m.state.marking: // who does that comes here again
		case m.state.move != nil:
			running++
		case m.wish != m.to:
			drop = append(drop, m)
		default:
			start = append(start, m)
		}
	}
	slices.SortFunc(start, func(a, b *relocation) int { return cmp.Compare(a.order, b.order) })
	slices.SortFunc(drop, func(a, b *relocation) int { return cmp.Compare(a.order, b.order) })
	for _, m := range start[:min(len(start), max(most-running, 0))] {
		m.state.move = partition.StartMove(m.p, m, func(out partition.Moved) { r.ended(m, out) })
	}
	r.mu.Unlock()
	for _, m := range drop {
		err := m.Discard()
		if fault.IsKind(err, fault.Disk) {
			m.to.env.Failed(err)
		}
		r.ended(m, partition.Moved{})
	}
}

// ended takes note of a relocation that has come to its end, whichever that is.
func (r *relocations) ended(m *relocation, out partition.Moved) {
	at := r.n.storage.of(m.p)
	logger := r.n.log("kafka.server.ReplicaAlterLogDirsManager")
	switch {
	case out.Done:
		m.from.count(-1)
		r.n.replicas.dormant.forget(m.p)
		logger.Info(fmt.Sprintf("Moved %s from %s to %s", m.name, m.from.path, m.to.path), "bytes", out.Bytes, "ms", (r.n.o.World.Now().Mono - m.began).Milliseconds())
		if err := m.to.offline(); err != nil {
			m.to.env.Lose(m.p, err) // it failed too late to find the replica there
		}
	case out.Err != nil:
		logger.Error(fmt.Sprintf("%s was not moved to %s", m.name, m.to.path), "error", out.Err)
	}
	if !out.Done {
		m.to.count(-1)
	}
	r.mu.Lock()
	announced := m.state.announced
	if r.all[m.name] == m {
		delete(r.all, m.name)
	}
	if out.Kept {
		if r.kept[m.to] == nil {
			r.kept[m.to] = checkpoint.Offsets{}
		}
		r.kept[m.to][m.name] = out.End
	} else if r.n.over() && !out.Done && out.Err != nil {
		r.spoilt[m.to] = out.Err
	}
	r.mu.Unlock()
	here, err := r.n.replicas.ByID(m.id)
	if err != nil || here != m.p {
		r.next()
		return // it was deleted
	}
	if announced && !out.Done && !r.n.over() && at.dir != nil {
		r.n.replicas.moves.move(m.id, whereabouts{in: at.id(), not: m.to.id()})
	}
	if out.Err == nil && m.wish != at && !out.Kept && m.wish.offline() == nil && at.offline() == nil {
		if err := r.wish(m.p, m.name, m.id, m.wish); err != nil {
			logger.Error(fmt.Sprintf("%s was not moved to %s", m.name, m.wish.path), "error", err)
		}
		return
	}
	r.next()
}

// lost hears that a log directory failed, before the controller does: what was about to leave it has not left, and what was
// about to come has not come.
func (r *relocations) lost(v *volume) {
	r.mu.Lock()
	var back []*relocation
	for _, m := range r.all {
		if m.state.announced && (m.from == v || m.to == v) && !m.state.move.Turned() {
			back = append(back, m)
		}
	}
	r.mu.Unlock()
	slices.SortFunc(back, func(a, b *relocation) int { return cmp.Compare(a.order, b.order) })
	for _, m := range back {
		r.n.replicas.moves.move(m.id, whereabouts{in: m.from.id(), not: m.to.id()})
	}
}

// forget calls a replica back that leaves this node, and drops what waits for its turn.
func (r *relocations) forget(name kafka.TopicPartition, p *partition.Partition) {
	r.mu.Lock()
	m := r.all[name]
	if m == nil || m.p != p {
		r.mu.Unlock()
		return
	}
	m.wish = m.from
	m.callBack()
	r.mu.Unlock()
	r.next()
}

// prefer remembers where a replica is to be made that is not here.
func (r *relocations) prefer(name kafka.TopicPartition, v *volume) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.wanted[name]; known || len(r.wanted) < wantedMost {
		r.wanted[name] = v
	}
}

// preferred takes out where a replica is to be made; nil when nobody said, or the directory has failed since.
func (r *relocations) preferred(name kafka.TopicPartition) *volume {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.wanted[name]
	delete(r.wanted, name)
	if v == nil || v.offline() != nil {
		return nil
	}
	return v
}

// copying is a copy and how far it has come.
type copying struct {
	name kafka.TopicPartition
	partition.Copied
}

// copies lists what is on its way to a directory, by name.
func (r *relocations) copies(v *volume) []copying {
	type pair struct {
		m    *relocation
		move *partition.Move
	}
	r.mu.Lock()
	var all []pair
	for _, m := range r.all {
		if m.to == v {
			all = append(all, pair{m, m.state.move})
		}
	}
	r.mu.Unlock()
	slices.SortFunc(all, func(a, b pair) int { return cmp.Compare(a.m.name.String(), b.m.name.String()) })
	var out []copying
	for _, one := range all {
		c := copying{name: one.m.name}
		if one.move != nil {
			c.Copied = one.move.Copied()
		} else {
			c.Lag = int64(one.m.p.Standing().End) // it waits for its turn
		}
		out = append(out, c)
	}
	return out
}

// closed tells a clean stop where the copies in a directory end, and why not all of them are closed.
func (r *relocations) closed(v *volume) (checkpoint.Offsets, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kept[v], r.spoilt[v]
}
