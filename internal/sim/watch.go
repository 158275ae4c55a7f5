package sim

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/history/replicas"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/record"
)

// watch looks at every replica again and again, and holds what it sees against the rules of replication.
type watch struct {
	r       *run
	dice    *rand.Rand   // its own: looking changes nothing
	newest  *image.Image // the furthest that any node has acted on
	watched map[kafka.TopicIDPartition]*watched
	quorum  quorum
	ambush  ambush
	late    *lates // nil where nobody is
}

// watched is one partition.
type watched struct {
	tp    kafka.TopicPartition
	watch *replicas.Watch
	seen  map[kafka.NodeID]*sight
	index int
	leads lead
	isr   int
	at    kafka.PartitionEpoch // that was looked at last
	min   int                  // in-sync replicas that a write took then
}

// sight is what was seen of a replica last: when its machine is down that is what is left of it.
type sight struct {
	replicas.Replica
	of     *partition.Partition // of a machine that was up
	log    []replicas.Batch
	told   int               // of log, which the rules have seen
	latest kafka.LeaderEpoch // of log
	inside replicas.Inside
}

// changed notes that so many batches of the log are what they were. A process may end, and the next run, between two looks: what changed
// with either is told with the next.
func (x *sight) changed(same int) {
	x.told = min(x.told, same)
	x.Batches, x.Changed = x.log[x.told:], x.Start
	switch {
	case x.told > 0:
		x.Changed = x.log[x.told-1].Last + 1
	case len(x.log) > 0:
		x.Changed = min(x.Start, x.log[0].Base) // a log may begin within a batch
	}
}

// begin looks at everything from now on, at moments that nobody expects.
func (w *watch) begin(r *run) {
	w.r, w.watched, w.quorum = r, map[kafka.TopicIDPartition]*watched{}, newQuorum(r)
	w.ambush = newAmbush(r)
	w.dice = rand.New(rand.NewPCG(r.plan.Swarm.Seed, 11))
	w.again()
}

func (w *watch) again() {
	w.r.w.After(time.Duration(1+w.dice.IntN(60))*time.Millisecond, func() {
		w.all()
		w.again()
	})
}

// learn finds the furthest image.
func (w *watch) learn() {
	for _, m := range w.r.machines {
		if m.node == nil {
			continue
		}
		if img := m.node.Probe().Image(); w.newest == nil || img.Offset() > w.newest.Offset() {
			w.newest = img
		}
	}
}

// all looks at every partition.
func (w *watch) all() {
	w.learn()
	if w.newest == nil {
		return
	}
	for t := range w.newest.Topics() {
		for n := range t.Partitions() {
			w.look(kafka.TopicIDPartition{TopicID: t.ID, Partition: n}, nil)
		}
	}
	w.forget()
}

// forget lets go of topics that were deleted.
func (w *watch) forget() {
	for id := range w.watched {
		if w.newest.Topic(id.TopicID) == nil {
			delete(w.watched, id)
		}
	}
}

// acked is an acknowledgement with acks=all that has just arrived.
func (w *watch) acked(tp kafka.TopicPartition, topic kafka.TopicID, leader kafka.NodeID, base kafka.Offset, records int32) {
	w.learn()
	t := w.newest.TopicNamed(tp.Topic)
	if !topic.IsZero() {
		t = w.newest.Topic(topic)
	}
	if t == nil {
		return
	}
	id := kafka.TopicIDPartition{TopicID: t.ID, Partition: tp.Partition}
	w.look(id, func(s *replicas.State) {
		a := replicas.Ack{Leader: leader, Epoch: kafka.NoLeaderEpoch, Base: base, Last: base + kafka.Offset(records) - 1}
		if x := w.watched[id].seen[leader]; x != nil {
			for _, b := range slices.Backward(x.log) {
				if b.Base == base {
					a.Epoch = b.Epoch
				}
			}
		}
		s.Acks = append(s.Acks, a)
	})
}

// look looks at one partition, with what has just happened to it.
func (w *watch) look(id kafka.TopicIDPartition, happened func(*replicas.State)) {
	t := w.newest.Topic(id.TopicID)
	reg, ok := w.newest.Partition(id)
	if !ok {
		return
	}
	of := w.watched[id]
	if of == nil {
		of = &watched{tp: kafka.TopicPartition{Topic: t.Name, Partition: id.Partition}, watch: replicas.NewWatch(4), seen: map[kafka.NodeID]*sight{}}
		w.watched[id] = of
	}
	s := replicas.State{
		Index: of.index, MinISR: w.r.minISR(w.newest, t.Name), Cached: w.r.cached(w.newest, t.Name, reg), Compacted: t.Name == kafka.OffsetsTopic,
		Deleted: w.r.trimmed(of.tp).done,
		Registered: replicas.Registration{
			Leader: reg.Leader, LeaderEpoch: reg.LeaderEpoch, PartitionEpoch: reg.PartitionEpoch, Replicas: reg.Replicas(), Adding: reg.Adding(),
			ISR: reg.ISR(), ELR: reg.ELR(), LastKnown: reg.LastKnownELR(),
		},
	}
	for b := range w.newest.Brokers() {
		s.Brokers = append(s.Brokers, replicas.Broker{Node: b.ID, Epoch: b.Epoch, Incarnation: b.Incarnation, Fenced: b.Fenced})
	}
	of.index++
	of.at, of.min = reg.PartitionEpoch, s.MinISR
	s.Inside = map[kafka.NodeID]replicas.Inside{}
	for _, m := range w.r.brokers {
		x := of.seen[m.id]
		if x == nil {
			x = &sight{Replica: replicas.Replica{Node: m.id}}
			of.seen[m.id] = x
		}
		there := w.see(m, id, x)
		if b := w.newest.Broker(m.id); x.Replaced && x.Up && b != nil && b.Incarnation == x.Incarnation {
			x.Replaced = false
		}
		if there || slices.Contains(reg.Replicas(), m.id) {
			s.Replicas = append(s.Replicas, x.Replica)
			if x.Up {
				s.Inside[m.id] = w.inside(m, id, x, len(reg.ISR()) > of.isr)
			}
			x.Changed, x.Batches, x.inside.Epochs, x.told = x.End, nil, nil, len(x.log)
		}
	}
	w.count(of, reg)
	if happened != nil {
		happened(&s)
	}
	for _, f := range of.watch.Check(s) {
		f.Text = of.tp.String() + ": " + f.Text
		w.r.findings = append(w.r.findings, f)
	}
	if len(w.r.findings) > 0 {
		panic(enough{})
	}
}

// see looks at one replica and reports whether the machine has it.
func (w *watch) see(m *machine, id kafka.TopicIDPartition, x *sight) bool {
	var p *partition.Partition
	if m.node != nil {
		p = m.node.Probe().Replica(id)
	}
	if p == nil {
		x.Up, x.Leads = false, false
		return false
	}
	if x.Up && x.of != p && x.Incarnation == m.node.Probe().Incarnation() {
		w.watched[id].watch.Forget(m.id)
		*x = sight{Replica: replicas.Replica{Node: m.id}}
	}
	x.of = p
	now := partition.Probe(p)
	if !now.Open {
		w.bury(x, id, w.worst(m.fs)) // it may have been open since it was looked at last, and have taken records
		return true
	}
	x.Up, x.Incarnation, x.Leads, x.Epoch, x.EpochStart = true, m.node.Probe().Incarnation(), now.Leads, now.Registration.LeaderEpoch, now.EpochStart
	x.ISR, x.Durable, x.High, x.Start = now.Registration.ISR, now.Durable, now.High, now.LogStart
	if reg, ok := w.newest.Partition(id); !ok || now.Registration.PartitionEpoch != reg.PartitionEpoch || m.node.Probe().Image().Offset() < w.newest.Offset() {
		x.ISR = nil
	}
	x.Visible = kafka.NoOffset
	if now.Leads && now.High >= now.EpochStart {
		x.Visible = now.High
	}
	if now.End != x.End || now.Latest != x.latest {
		w.reread(p, x, now.End)
		x.inside.Epochs = x.inside.Epochs[:0]
		for _, e := range partition.EpochsOf(p) {
			x.inside.Epochs = append(x.inside.Epochs, replicas.EpochStart(e))
		}
	}
	x.End, x.latest = now.End, now.Latest
	return true
}

// inside is what else is to be seen of a replica that runs; of a leader whose ISR has grown also whom it has heard.
func (w *watch) inside(m *machine, id kafka.TopicIDPartition, x *sight, grown bool) replicas.Inside {
	out := x.inside
	if p := m.node.Probe().Replica(id); grown && x.Leads && p != nil {
		out.Heard = partition.HeardOf(p)
	}
	return out
}

// buried looks at what the disk of a machine whose process has just ended holds.
func (w *watch) buried(m *machine) {
	left := w.worst(m.fs)
	for _, id := range w.ids() {
		if x := w.watched[id].seen[m.id]; x != nil {
			_, end := logOn(left, w.watched[id].tp, id.TopicID)
			w.promised(x, w.watched[id].tp, end)
			w.bury(x, id, left)
		}
	}
	w.quorum.buried(m, left)
}

// replaced looks at what is on the disk that a machine has been given. Nobody knows of it before the next process registers.
func (w *watch) replaced(m *machine) {
	for _, id := range w.ids() {
		if x := w.watched[id].seen[m.id]; x != nil {
			x.Replaced, x.Start = true, 0
			w.bury(x, id, m.fs)
		}
	}
}

// worst is a disk after the worst that may still happen to it: what was durable, or where page caches are trusted what was
// written.
func (w *watch) worst(fs *disk.Mem) *disk.Mem {
	if w.r.plan.Swarm.Cached {
		return fs
	}
	return fs.PowerCut()
}

// bury notes what a disk holds of a replica that nobody runs any more.
func (w *watch) bury(x *sight, id kafka.TopicIDPartition, left *disk.Mem) {
	x.Up, x.Leads, x.inside.Epochs = false, false, nil
	log, _ := logOn(left, w.watched[id].tp, id.TopicID)
	same := 0
	for same < len(log) && same < len(x.log) && log[same] == x.log[same] {
		same++
	}
	x.End = x.Start
	if n := len(log); n > 0 {
		x.End = log[n-1].Last + 1
	}
	x.log, x.Durable, x.latest = log, x.End, kafka.NoLeaderEpoch
	x.changed(same)
}

// ids are the partitions in a fixed order.
func (w *watch) ids() []kafka.TopicIDPartition {
	out := slices.Collect(maps.Keys(w.watched))
	slices.SortFunc(out, func(a, b kafka.TopicIDPartition) int {
		return cmp.Or(bytes.Compare(a.TopicID[:], b.TopicID[:]), cmp.Compare(a.Partition, b.Partition))
	})
	return out
}

// upTo returns how many batches lie below an offset.
func upTo(log []replicas.Batch, o kafka.Offset) int {
	n, _ := slices.BinarySearchFunc(log, o, func(b replicas.Batch, o kafka.Offset) int { return cmp.Compare(b.Base, o) })
	return n
}

// reread brings what is known of a log up to date: from the last batch that is still the same, which is nearly always the last.
func (w *watch) reread(p *partition.Partition, x *sight, end kafka.Offset) {
	keep := upTo(x.log, end)
	for back := 1; ; back *= 8 {
		from := max(0, keep-back)
		start := x.Start
		if from > 0 {
			start = x.log[from].Base
		}
		var read []replicas.Batch
		if err := partition.EachBatch(p, start, func(b record.Batch) {
			read = append(read, replicas.Batch{Base: b.BaseOffset(), Last: b.LastOffset(), Epoch: b.LeaderEpoch(), CRC: b.CRC()})
		}); err != nil {
			return // its disk failed
		}
		if from > 0 && (len(read) == 0 || read[0] != x.log[from]) {
			continue // it goes on otherwise from further back
		}
		same := 0
		for same < len(read) && from+same < len(x.log) && read[same] == x.log[from+same] {
			same++
		}
		x.log = append(x.log[:from+same], read[same:]...)
		x.changed(from + same)
		return
	}
}

// standing tells where each replica of a partition stands.
func (w *watch) standing(id kafka.TopicIDPartition) (out string) {
	of := w.watched[id]
	for _, m := range w.r.brokers {
		if of != nil && of.seen[m.id] != nil {
			x := of.seen[m.id]
			out += fmt.Sprintf(", on %d %d..%d, durable to %d, high watermark %d", m.id, x.Start, x.End, x.Durable, x.High)
		}
	}
	return out
}

// count counts what the run reached.
func (w *watch) count(of *watched, reg *image.Partition) {
	reached := &w.r.reached
	if of.index > 1 {
		if reg.LeaderEpoch != of.leads.epoch {
			reached.add(Elections)
		}
		switch n := len(reg.ISR()); {
		case n < of.isr:
			reached.add(Shrinks)
		case n > of.isr:
			reached.add(Expansions)
		}
	}
	of.leads, of.isr = lead{reg.Leader, reg.LeaderEpoch}, len(reg.ISR())
}
