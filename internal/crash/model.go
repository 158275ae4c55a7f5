package crash

import (
	"cmp"
	"slices"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/epoch"
	"github.com/milena-io/milena/internal/log/producer"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// model is what a log has promised, kept beside it: every batch ever appended and not truncated, and how much of that is
// durable. It is a value: a promise holds a copy, and what is appended later does not change it.
type model struct {
	batches  []record.Batch
	lived    []record.Batch // of a log that was compacted: every batch that ever was, up to its end; otherwise nil
	durable  kafka.Offset
	start    kafka.Offset
	startMax kafka.Offset // an advance of the start that is under way may have happened
	begin    kafka.Offset // of a log without batches
	emptied  bool         // its last segments go, and with them what compaction saw when it took older batches of a producer
}

func (m *model) end() kafka.Offset {
	if len(m.batches) == 0 {
		return m.begin
	}
	return m.batches[len(m.batches)-1].NextOffset()
}

// add takes a batch that was appended.
func (m *model) add(b record.Batch) {
	m.batches = append(m.batches[:len(m.batches):len(m.batches)], b)
	if m.lived != nil {
		m.lived = append(m.lived[:len(m.lived):len(m.lived)], b)
	}
}

// cut forgets the batch that holds an offset and all after it.
func (m *model) cut(o kafka.Offset) {
	m.batches = m.batches[:m.upTo(o)]
	m.lived = m.lived[:upTo(m.lived, o)]
}

// upTo counts the batches that end below an offset.
func (m *model) upTo(o kafka.Offset) int { return upTo(m.batches, o) }

func upTo(batches []record.Batch, o kafka.Offset) int {
	n, _ := slices.BinarySearchFunc(batches, o, func(b record.Batch, o kafka.Offset) int { return cmp.Compare(b.LastOffset(), o) })
	return n
}

// boundary is where a cut would end the log.
func (m *model) boundary(o kafka.Offset) kafka.Offset {
	if n := m.upTo(o); n > 0 {
		return m.batches[n-1].NextOffset()
	}
	return m.begin
}

// from is the bytes of the batches that hold offset o or come after it.
func (m *model) from(o kafka.Offset) (out []byte) {
	for _, b := range m.batches[m.upTo(o):] {
		out = append(out, b...)
	}
	return out
}

// known is a producer as the batches have it.
type known struct {
	epoch       kafka.ProducerEpoch
	coordinator int32
	open        kafka.Offset
	batches     []producer.Batch
}

// facts are what a linear scan of the batches says.
type facts struct {
	producers map[kafka.ProducerID]*known
	aborted   []log.AbortedTxn
	epochs    []epoch.Entry
}

// scan works producers, aborted transactions and epochs out of the batches.
func (m *model) scan() facts { return scan(m.batches) }

func scan(batches []record.Batch) facts {
	f := facts{producers: map[kafka.ProducerID]*known{}}
	for _, b := range batches {
		if n := len(f.epochs); n == 0 || f.epochs[n-1].Epoch < b.LeaderEpoch() {
			f.epochs = append(f.epochs, epoch.Entry{Epoch: b.LeaderEpoch(), Start: b.BaseOffset()})
		}
		if b.ProducerID() >= 0 {
			f.produced(b)
		}
	}
	return f
}

func (f *facts) produced(b record.Batch) {
	id := b.ProducerID()
	p := f.producers[id]
	if p == nil {
		p = &known{epoch: -1, coordinator: -1, open: kafka.NoOffset}
		f.producers[id] = p
	}
	if p.epoch != b.ProducerEpoch() {
		p.epoch, p.batches = b.ProducerEpoch(), nil
	}
	if b.IsControl() {
		kind, _, err := b.Control()
		must.OK(err)
		if kind == record.ControlAbort && p.open >= 0 {
			stable := b.NextOffset()
			for other, q := range f.producers {
				if other != id && q.open >= 0 {
					stable = min(stable, q.open)
				}
			}
			f.aborted = append(f.aborted, log.AbortedTxn{Producer: id, First: p.open, Last: b.LastOffset(), LastStable: stable})
		}
		p.open, p.coordinator = kafka.NoOffset, markerEpoch
		return
	}
	if b.IsTransactional() && p.open < 0 {
		p.open = b.BaseOffset()
	}
	p.batches = append(p.batches, producer.Batch{
		LastOffset: b.LastOffset(), Timestamp: b.MaxTimestamp(), LastSequence: b.LastSequence(), OffsetDelta: b.LastOffsetDelta(),
	})
	if len(p.batches) > producer.Remembered {
		p.batches = p.batches[1:]
	}
}

// epochsAt moves starts that lie in a gap to the batch after it, and leaves epochs out that have no batch.
func (m *model) epochsAt(entries []epoch.Entry) []epoch.Entry {
	var out []epoch.Entry
	for _, e := range entries {
		n := m.upTo(e.Start)
		if n < len(m.batches) {
			e.Start = max(e.Start, m.batches[n].BaseOffset())
		}
		if k := len(out); k > 0 && out[k-1].Start == e.Start {
			out = out[:k-1]
		}
		out = append(out, e)
	}
	return out
}
