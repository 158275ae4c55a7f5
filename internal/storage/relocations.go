package storage

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
	of     *Storage
	ghosts ghosts

	mu     sync.Mutex                           // under it nobody waits, for a partition's mutex either: the feed takes it
	all    map[*partition.Partition]*relocation // not by name: of a topic made again the new one may move while the old one is called back
	asked  uint64                               // how many were begun
	wanted map[kafka.TopicPartition]*Volume     // where replicas that are not here yet are to be made
	found  map[*Volume][]log.PartitionDir       // copies of an earlier life, until they are gone on with
	wished []*partition.Partition               // of whom something else was wished before that: their copies are of no use
	left   []haunt                              // of the copies that were found those whose replica has left meanwhile
	stayed []remnant                            // copies that nobody goes on with now, in the order in which they were left
	spoilt map[*Volume]error                    // of a clean stop that could not close a copy
	free   time.Duration                        // monotonic time when the throttle lets somebody on
}

// relocation is one replica on its way.
type relocation struct {
	r     *relocations
	p     *partition.Partition
	id    kafka.TopicIDPartition
	name  kafka.TopicPartition
	from  *Volume
	to    *Volume
	wish  *Volume // where it is to be in the end: another one when somebody changed his mind
	copy  string  // the name of the copy's directory
	order uint64
	began time.Duration
	gone  bool    // its replica has left this node
	haunt []haunt // the names that are not free before it is over
	state struct {
		marking   bool            // the copy's directory is being made
		dropping  bool            // or deleted
		move      *partition.Move // nil while it waits for its turn
		announced bool            // the controller has been told
		said      bool            // why it waits
	}
}

// wantedMost bounds what is remembered of partitions that are not here.
const wantedMost = 10_000

func newRelocations(s *Storage) *relocations {
	return &relocations{
		of: s, all: map[*partition.Partition]*relocation{}, wanted: map[kafka.TopicPartition]*Volume{},
		found: map[*Volume][]log.PartitionDir{}, spoilt: map[*Volume]error{},
	}
}

// alter is Storage.AlterReplicaLogDir.
func (r *relocations) alter(name kafka.TopicPartition, path string) error {
	const op = "node.AlterReplicaLogDirs"
	if _, fits := log.FutureName(name, kafka.UUID{}); !fits {
		return fault.New(op, kafka.ErrInvalidTopicException, "The topic name is too long.")
	}
	v := r.of.withPath(path)
	switch {
	case v == nil:
		return fault.New(op, kafka.ErrLogDirNotFound, "Log dir %s is not found in the config.", path)
	case v.Offline() != nil:
		return fault.New(op, kafka.ErrKafkaStorageError, "Log directory %s is offline", path)
	case r.of.Cordoned(v.Path):
		return fault.New(op, kafka.ErrInvalidReplicaAssignment, "Log directory %s is cordoned", path)
	}
	p, err := r.of.o.Replicas.ByName(name)
	if err != nil {
		r.prefer(name, v)
		if fault.CodeOf(err) == kafka.ErrNotLeaderOrFollower { // as Apache Kafka says it here, for compatibility
			err = fault.New(op, kafka.ErrReplicaNotAvailable, "this node has no replica of %s", name)
		}
		return err
	}
	at := r.of.Of(p)
	if at.Offline() != nil {
		return fault.New(op, kafka.ErrKafkaStorageError, "Partition %s is offline", name)
	}
	if missing := r.of.missing(); at != v && len(missing) > 0 {
		// A copy might be in one of them already.
		return fault.New(op, kafka.ErrKafkaStorageError, "Can not create log for %s because log directories %s are offline", name, strings.Join(missing, ","))
	}
	t := r.of.o.Replicas.Image().TopicNamed(name.Topic)
	if t == nil {
		return fault.New(op, kafka.ErrUnknownTopicOrPartition, "%s is not known", name)
	}
	return r.wish(p, name, kafka.TopicIDPartition{TopicID: t.ID, Partition: name.Partition}, v)
}

// wish has a replica moved. One that is moving elsewhere is called back first. It returns once a restart would go on with it.
func (r *relocations) wish(p *partition.Partition, name kafka.TopicPartition, id kafka.TopicIDPartition, v *Volume) error {
	r.mu.Lock()
	if r.found != nil && !slices.Contains(r.wished, p) {
		r.wished = append(r.wished, p)
	}
	m := r.all[p]
	begun, there := false, false
	switch {
	case m != nil && m.gone: // it is called back for good
	case m != nil:
		m.wish = v
		if m.to != v {
			m.callBack()
		}
	case r.of.Of(p) != v:
		var copy string
		if copy, there = r.again(p, v); !there {
			copy, _ = log.FutureName(name, kafka.UUID(r.of.o.World.UUID()))
		}
		m, begun = r.add(p, name, id, v, copy), true
		m.state.marking = true
	}
	r.mu.Unlock()
	var err error
	if begun && !r.lives(m) {
		r.giveUp(m)
		err = fault.New("node.AlterReplicaLogDirs", kafka.ErrReplicaNotAvailable, "this node has no replica of %s any more", name)
	} else if begun {
		err = r.mark(m, there)
	}
	r.next()
	return err
}

// lives reports whether a replica that was to be moved has not left this node before anybody could know that it moves.
func (r *relocations) lives(m *relocation) bool {
	here, err := r.of.o.Replicas.ByID(m.id)
	return err == nil && here == m.p
}

// giveUp forgets a relocation of which nothing was made yet, but for what an earlier one left.
func (r *relocations) giveUp(m *relocation) {
	left := m.remains(partition.Moved{})
	r.mu.Lock()
	delete(r.all, m.p)
	r.stayed = append(r.stayed, left...)
	free := m.haunt
	r.mu.Unlock()
	m.to.Count(-1)
	r.sweep(m.p, false)
	r.ghosts.drop(free)
}

// mark makes the directory of a copy unless it is there, as Apache Kafka does when it is asked for the move, however long that waits for
// its turn then. A move without it is given up.
func (r *relocations) mark(m *relocation, there bool) (err error) {
	if !there {
		err = m.arrival().Begin(m.id.TopicID)
	}
	r.mu.Lock()
	m.state.marking = false
	if err != nil && m.wish == m.to {
		m.wish = m.from
	}
	r.mu.Unlock()
	if fault.IsKind(err, fault.Disk) {
		m.to.Env.Failed(err)
	}
	return err
}

// add begins with a replica. Called with the mutex held.
func (r *relocations) add(p *partition.Partition, name kafka.TopicPartition, id kafka.TopicIDPartition, v *Volume, copy string) *relocation {
	r.asked++
	m := &relocation{
		r: r, p: p, id: id, name: name, from: r.of.Of(p), to: v, wish: v, copy: copy, order: r.asked, began: r.of.o.World.Now().Mono,
	}
	r.all[p] = m
	v.Count(1) // as in Apache Kafka a copy counts where the next replica goes
	r.of.log("kafka.server.ReplicaAlterLogDirsManager").Info(fmt.Sprintf("Moving %s from %s to %s", name, m.from.Path, v.Path))
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
	if r.of.o.Life.Over() {
		return
	}
	most := r.of.settings.moveThreads()
	r.mu.Lock()
	var start, drop []*relocation
	running := 0
	for _, m := range r.all {
		switch {
		case m.state.marking, m.state.dropping: // who does that comes here again
		case m.state.move != nil:
			running++
		case m.wish != m.to:
			m.state.dropping = true
			drop = append(drop, m)
		default:
			start = append(start, m)
		}
	}
	slices.SortFunc(start, func(a, b *relocation) int { return cmp.Compare(a.order, b.order) })
	slices.SortFunc(drop, func(a, b *relocation) int { return cmp.Compare(a.order, b.order) })
	for _, m := range start {
		if running >= most {
			break
		}
		if r.follows(m) {
			continue // what a directory knows of a log it knows by its name: the predecessor's copy has to be gone
		}
		running++
		m.state.move = partition.StartMove(m.p, m, func(out partition.Moved) { r.ended(m, out) })
	}
	r.mu.Unlock()
	for _, m := range drop {
		err := m.Discard()
		if fault.IsKind(err, fault.Disk) {
			m.to.Env.Failed(err)
		}
		r.ended(m, partition.Moved{})
	}
}

// follows reports whether a relocation is of a replica whose predecessor of the same name is still on its way. Called with the mutex held.
func (r *relocations) follows(m *relocation) bool {
	for _, other := range r.all {
		if other.name == m.name && other.order < m.order {
			return true
		}
	}
	return false
}

// ended takes note of a relocation that has come to its end, whichever that is.
func (r *relocations) ended(m *relocation, out partition.Moved) {
	at := r.of.Of(m.p)
	logger := r.of.log("kafka.server.ReplicaAlterLogDirsManager")
	switch {
	case out.Done:
		m.from.Count(-1)
		r.of.dormant.forget(m.p)
		logger.Info(fmt.Sprintf("Moved %s from %s to %s", m.name, m.from.Path, m.to.Path), "bytes", out.Bytes, "ms", (r.of.o.World.Now().Mono - m.began).Milliseconds())
		if err := m.to.Offline(); err != nil {
			m.to.Env.Lose(m.p, err) // it failed too late to find the replica there
		}
	case out.Err != nil:
		logger.Error(fmt.Sprintf("%s was not moved to %s", m.name, m.to.Path), "error", out.Err)
	}
	if !out.Done {
		m.to.Count(-1)
	}
	left := m.remains(out)
	r.mu.Lock()
	announced, gone, free := m.state.announced, m.gone, m.haunt
	delete(r.all, m.p)
	r.stayed = append(r.stayed, left...)
	if r.of.o.Life.Over() && !out.Done && !out.Kept && out.Err != nil {
		r.spoilt[m.to] = out.Err
	}
	r.mu.Unlock()
	gone = gone || !r.lives(m)
	if whole := out.Done && m.to.Offline() == nil; (gone || whole) && !r.of.o.Life.Over() { // else they are the next start's
		r.sweep(m.p, whole)
	}
	r.ghosts.drop(free)
	if gone {
		r.next()
		return
	}
	if announced && !out.Done && !r.of.o.Life.Over() && at.Dir != nil {
		r.of.o.Controller.Assign(m.id, at.ID(), m.to.ID())
	}
	if out.Err == nil && m.wish != at && !out.Kept && !r.of.o.Life.Over() && m.wish.Offline() == nil && at.Offline() == nil {
		if err := r.wish(m.p, m.name, m.id, m.wish); err != nil {
			logger.Error(fmt.Sprintf("%s was not moved to %s", m.name, m.wish.Path), "error", err)
		}
		return
	}
	r.next()
}

// Bound is where the controller is to believe that a replica of the directory lives, and where it may still believe so: where it moves to once that was
// announced and as long as it is not called back, and else where it is.
func (v *Volume) Bound(p *partition.Partition) (in, not kafka.DirectoryID) {
	r := v.s.moving
	r.mu.Lock()
	defer r.mu.Unlock()
	switch m := r.all[p]; {
	case m == nil || !m.state.announced:
		return v.ID(), v.ID()
	case m.wish == m.to && !m.Over() || m.state.move.Turned():
		return m.to.ID(), m.from.ID()
	default:
		return m.from.ID(), m.to.ID()
	}
}

// lost hears that a log directory failed, before the controller does: what was about to leave it has not left, and what was
// about to come has not come.
func (r *relocations) lost(v *Volume) {
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
		r.of.o.Controller.Assign(m.id, m.from.ID(), m.to.ID())
	}
}

// forget calls a replica back that leaves this node, drops what waits for its turn, and takes copies away that have stayed. Until that is
// over, and as long as a copy of it that the start has found is there, the next replica of its name waits.
func (r *relocations) forget(p *partition.Partition) {
	r.mu.Lock()
	m := r.all[p]
	if m == nil {
		for v, found := range r.found {
			for _, d := range found {
				if h := (haunt{v, d.Partition}); d.Partition == p.Name() && !slices.Contains(r.left, h) {
					r.left = append(r.left, h)
					r.ghosts.add(h)
				}
			}
		}
		r.mu.Unlock()
		r.sweep(p, false)
		return
	}
	m.wish = m.from
	m.callBack()
	if !m.gone {
		m.gone, m.haunt = true, []haunt{{m.to, m.name}}
		if m.state.move != nil && m.state.move.Turned() { // and will delete the log that it leaves
			m.haunt = append(m.haunt, haunt{m.from, m.name})
		}
		for _, h := range m.haunt {
			r.ghosts.add(h)
		}
	}
	r.mu.Unlock()
	r.sweep(p, false)
	r.next()
}

// prefer remembers where a replica is to be made that is not here.
func (r *relocations) prefer(name kafka.TopicPartition, v *Volume) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.wanted[name]; known || len(r.wanted) < wantedMost {
		r.wanted[name] = v
	}
}

// preferred takes out where a replica is to be made; nil when nobody said, or the directory has failed since.
func (r *relocations) preferred(name kafka.TopicPartition) *Volume {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.wanted[name]
	delete(r.wanted, name)
	if v == nil || v.Offline() != nil {
		return nil
	}
	return v
}

// Recoveries is where the recovery points of the copies on their way to the directory may stand. It waits for none of the directories that
// they come from.
func (v *Volume) Recoveries() checkpoint.Offsets {
	r := v.s.moving
	moves, out := map[kafka.TopicPartition]*partition.Move{}, checkpoint.Offsets{}
	r.mu.Lock()
	for _, m := range r.all {
		if m.to == v && m.wish != m.from && m.state.move != nil {
			moves[m.name] = m.state.move
		}
	}
	r.mu.Unlock()
	for name, m := range moves {
		if at := m.Recovery(); at > 0 {
			out[name] = at
		}
	}
	return out
}

// Copying is a copy and how far it has come.
type Copying struct {
	Name kafka.TopicPartition
	partition.Copied
}

// copies lists what is on its way to a directory, and not called back, by name.
func (r *relocations) copies(v *Volume) []Copying {
	type pair struct {
		m    *relocation
		move *partition.Move
	}
	r.mu.Lock()
	var all []pair
	for _, m := range r.all {
		if m.to == v && m.wish != m.from {
			all = append(all, pair{m, m.state.move})
		}
	}
	r.mu.Unlock()
	slices.SortFunc(all, func(a, b pair) int { return cmp.Compare(a.m.name.String(), b.m.name.String()) })
	var out []Copying
	for _, one := range all {
		c := Copying{Name: one.m.name}
		if one.move != nil {
			c.Copied = one.move.Copied()
		} else {
			c.Lag = int64(one.m.p.Standing().End) // it waits for its turn
		}
		out = append(out, c)
	}
	return out
}
