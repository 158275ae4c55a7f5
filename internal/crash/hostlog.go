package crash

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/record"
)

// markerEpoch is the coordinator epoch of every transaction marker.
const markerEpoch = 1

// Log is a log of a Host, and its model.
type Log struct {
	host   *Host
	log    *log.Log
	tenant tenant
	epoch  kafka.LeaderEpoch
	flight func()
}

func (l *Log) model() *model { return &l.tenant.models[0] }

// becomes makes a call that turns one model into another; while it runs either may be found.
func (l *Log) becomes(next model, call func() error) error {
	l.tenant.models = []model{*l.model(), next}
	l.host.promise()
	if err := call(); err != nil {
		return err
	}
	l.tenant.models, l.tenant.sealed = []model{next}, nil // what was sealed is written anew, where it stays
	l.host.promise()
	return nil
}

// open opens the log as a start does; what it recovers is the truth from then on.
func (l *Log) open() error {
	h := l.host
	h.chapter("open %s", l.tenant.partition)
	o := h.dir.Options(l.tenant.partition, l.tenant.config, h.story.Now)
	o.TopicID = l.tenant.topicID
	o.Later = func(_ int64, f func()) { h.later = append(h.later, f) }
	var err error
	l.flight, l.tenant.sealed = nil, nil
	if l.log, err = log.Open(o); err != nil {
		return err
	}
	for i := range l.tenant.models {
		m := l.tenant.models[i]
		if err = m.check(l.log); err == nil {
			at := l.log.Offsets()
			m.durable, m.start, m.startMax = at.Durable, at.LogStart, at.LogStart
			l.tenant.cleaned = []kafka.Offset{h.dir.Checkpointed(l.tenant.partition).Cleaned}
			if len(m.batches) == 0 {
				m.begin = at.End
			}
			l.tenant.models = []model{m}
			break
		}
	}
	l.tenant.open = true
	h.promise()
	return err
}

// Append writes a batch of a sender as the leader.
func (l *Log) Append(from Sender, values ...string) error {
	all := make([]keyed, len(values))
	for i, v := range values {
		all[i] = keyed{"k", []byte(v)}
	}
	return l.Put(from, all...)
}

// keyed is a record to write; without a value it is a tombstone.
type keyed struct {
	key   string
	value []byte
}

// Put writes a batch of a sender as the leader.
func (l *Log) Put(from Sender, all ...keyed) error {
	h := l.host
	h.chapter("append")
	id := from.ID
	o := record.Plain()
	o.ProducerID, o.ProducerEpoch, o.BaseSequence, o.Transactional = id, from.Epoch, -1, from.Txn
	origin := log.Client
	if id >= 0 {
		o.BaseSequence = l.sequence(id)
	} else {
		o.ProducerEpoch = -1
	}
	if from.Txn {
		origin = log.Coordinator
	}
	b := record.NewBuilder(o)
	for i, r := range all {
		b.Append(h.story.Now.WallMs+int64(i), []byte(r.key), r.value)
	}
	batch, err := b.Build()
	if err != nil {
		return err
	}
	return l.lead(batch, origin)
}

// sequence is the next one that the log expects of a producer.
func (l *Log) sequence(id kafka.ProducerID) int32 {
	for _, p := range l.log.Producers() {
		if p.ID == id {
			return p.LastSequence() + 1
		}
	}
	return 0
}

// End writes a transaction marker.
func (l *Log) End(from Sender, commit bool) error {
	l.host.chapter("end transaction")
	b := record.NewEndTxn(from.ID, from.Epoch, commit, record.EndTxnMarker{CoordinatorEpoch: markerEpoch}, l.host.story.Now.WallMs)
	return l.lead(b, log.Coordinator)
}

// lead appends as the leader of the log's epoch.
func (l *Log) lead(b record.Batch, origin log.Origin) error {
	want := slices.Clone(b)
	want.SetBaseOffset(l.log.Offsets().End)
	want.SetLeaderEpoch(l.epoch)
	l.grows(want)
	if _, err := l.log.AppendAsLeader(l.host.story.Now, b, l.epoch, origin); err != nil {
		return err
	}
	if !bytes.Equal(b, want) {
		return fmt.Errorf("the log made another batch of it")
	}
	return nil
}

// grows promises nothing new, but the batch may be found from now on.
func (l *Log) grows(b record.Batch) {
	l.model().add(b)
	l.host.promise()
}

// flushed lets the log know of a flush, and promises what it calls durable then.
func (l *Log) flushed(upTo kafka.Offset) {
	l.log.Flushed(upTo)
	l.model().durable = max(l.model().durable, l.log.Offsets().Durable)
	l.host.promise()
}

// Flush syncs what is dirty; then it is promised.
func (l *Log) Flush() error {
	l.host.chapter("flush")
	if l.flight != nil {
		l.Land()
	}
	if err := l.Fly(); err != nil {
		return err
	}
	l.Land()
	return nil
}

// Fly syncs what is dirty without the log's knowing; Land lets it know. Appends may come in between.
func (l *Log) Fly() error {
	targets, upTo := l.log.Dirty()
	for _, y := range targets {
		if err := y.Sync(); err != nil {
			return err
		}
	}
	l.flight = func() { l.flushed(upTo) }
	return nil
}

// Land ends a flight.
func (l *Log) Land() {
	if l.flight == nil {
		return
	}
	l.flight()
	l.flight = nil
}

// Truncate cuts the log at an offset.
func (l *Log) Truncate(o kafka.Offset) error {
	l.host.chapter("truncate")
	m := l.model()
	m.durable = min(m.durable, m.boundary(o))
	l.tenant.pointedAt = 0
	l.tenant.lowerCleaned(m.boundary(o))
	next := *m
	next.cut(o)
	next.durable = next.end()
	next.start, next.startMax = min(m.start, next.end()), min(m.startMax, next.end())
	return l.becomes(next, func() error {
		err := l.log.TruncateTo(o)
		l.tenant.settleCleaned()
		return err
	})
}

// Restart empties the log and begins it at an offset.
func (l *Log) Restart(o kafka.Offset) error {
	l.host.chapter("truncate fully")
	next := l.mayRestart(o)
	if err := l.log.TruncateFullyAndStartAt(o); err != nil {
		return err
	}
	l.tenant.settleCleaned()
	l.tenant.models, l.tenant.sealed = []model{next}, nil // what was sealed is written anew, where it stays
	l.host.promise()
	return nil
}

// mayRestart allows what may be found while the log is emptied, and returns what it is after that.
func (l *Log) mayRestart(o kafka.Offset) (next model) {
	m := *l.model()
	m.durable, m.emptied = m.start, true // its last segments go first
	l.tenant.pointedAt = 0
	l.tenant.lowerCleaned(0)
	next = model{begin: o, start: o, startMax: o, durable: o}
	// The log start is saved last: until then a log without records begins where the old one did.
	old := model{begin: m.start, start: m.start, startMax: m.start, durable: m.start}
	later := model{begin: max(o, m.start), start: min(o, m.start), startMax: max(o, m.start), durable: max(o, m.start)}
	l.tenant.models = []model{m, next, old, later}
	l.host.promise()
	return next
}

// DeleteRecords advances the log start.
func (l *Log) DeleteRecords(o kafka.Offset) error {
	l.host.chapter("delete records")
	l.model().startMax = max(l.model().start, o)
	l.host.promise()
	if err := l.log.AdvanceStart(o); err != nil {
		return err
	}
	l.model().start = l.model().startMax
	l.host.promise()
	return nil
}

// Retain lets retention run with everything durable committed.
func (l *Log) Retain() error {
	l.host.chapter("retention")
	m := l.model()
	m.startMax = max(m.startMax, m.durable)
	l.host.promise()
	if _, err := l.log.Retain(l.host.story.Now, m.durable); err != nil {
		return err
	}
	m.start = l.log.Offsets().LogStart
	m.startMax = m.start
	l.host.promise()
	return nil
}

// Delete deletes the log.
func (l *Log) Delete() error {
	l.host.chapter("delete")
	l.tenant.there = either
	l.host.promise()
	if err := l.log.Delete(); err != nil {
		return err
	}
	l.tenant.there = no
	l.host.promise()
	return nil
}

// Sender is a producer; a negative id is none.
type Sender struct {
	ID    kafka.ProducerID
	Epoch kafka.ProducerEpoch
	Txn   bool
}

// Open returns whether the producer has a transaction open.
func (l *Log) Open(from Sender) bool {
	return slices.ContainsFunc(l.log.Producers(), func(p log.ProducerState) bool { return p.ID == from.ID && p.TxnFirst >= 0 })
}
