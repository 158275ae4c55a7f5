package quorum

import (
	"sort"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// positions maps Raft's indexes to the log's offsets and back. Raft counts entries, Kafka counts records, and one
// entry is one batch, so the map is a list of runs: consecutive entries of one term whose batches hold the same number
// of records. An idle controller's no-op batches are one run however many there are.
//
// Invariants: runs are adjacent in index and in offset, and terms never fall along them.
type positions struct {
	first    uint64       // index of the first entry held, or of the next one when none is
	start    kafka.Offset // base offset of that entry
	prevTerm uint64       // term of the entry before first
	runs     []run
	changes  []uint64 // indexes of the membership changes held, ascending
}

type run struct {
	index  uint64
	offset kafka.Offset
	term   uint64
	each   int64  // records in each batch
	count  uint64 // entries
}

func (r run) endIndex() uint64        { return r.index + r.count }
func (r run) endOffset() kafka.Offset { return r.offset + kafka.Offset(int64(r.count)*r.each) }

// resetPositions is an empty map whose next entry has the index and the offset.
func resetPositions(next uint64, offset kafka.Offset, prevTerm uint64) positions {
	return positions{first: next, start: offset, prevTerm: prevTerm}
}

// next is the index that the next entry gets.
func (p *positions) next() uint64 {
	if n := len(p.runs); n > 0 {
		return p.runs[n-1].endIndex()
	}
	return p.first
}

// end is the offset that the next batch gets.
func (p *positions) end() kafka.Offset {
	if n := len(p.runs); n > 0 {
		return p.runs[n-1].endOffset()
	}
	return p.start
}

// lastTerm is the term of the newest entry.
func (p *positions) lastTerm() uint64 {
	if n := len(p.runs); n > 0 {
		return p.runs[n-1].term
	}
	return p.prevTerm
}

// add notes one more entry of so many records.
func (p *positions) add(term uint64, records int64, change bool) {
	must.Hold(records > 0, "an entry of %d records", records)
	must.Hold(term >= p.lastTerm(), "term %d after term %d", term, p.lastTerm())
	if change {
		p.changes = append(p.changes, p.next())
	}
	if n := len(p.runs); n > 0 && p.runs[n-1].term == term && p.runs[n-1].each == records {
		p.runs[n-1].count++
		return
	}
	p.runs = append(p.runs, run{p.next(), p.end(), term, records, 1})
}

// find returns the run that holds the index.
func (p *positions) find(index uint64) (run, bool) {
	i := sort.Search(len(p.runs), func(i int) bool { return p.runs[i].endIndex() > index })
	if i == len(p.runs) || index < p.runs[i].index {
		return run{}, false
	}
	return p.runs[i], true
}

// offsetOf returns the base offset of the entry, and for the index after the last one the end offset.
func (p *positions) offsetOf(index uint64) (kafka.Offset, bool) {
	if index == p.next() {
		return p.end(), true
	}
	r, ok := p.find(index)
	return r.offset + kafka.Offset(int64(index-r.index)*r.each), ok
}

// termOf returns the term of the entry, also of the one before the first.
func (p *positions) termOf(index uint64) (uint64, bool) {
	if index+1 == p.first {
		return p.prevTerm, true
	}
	r, ok := p.find(index)
	return r.term, ok
}

// endOf returns the newest term that is not above the given one, and the offset where it ends. Not ok when all that is held
// is newer: then only what came before could tell.
func (p *positions) endOf(term uint64) (epoch uint64, end kafka.Offset, ok bool) {
	if term < p.prevTerm {
		return 0, 0, false
	}
	i := sort.Search(len(p.runs), func(i int) bool { return p.runs[i].term > term })
	if i == 0 {
		return p.prevTerm, p.start, true
	}
	return p.runs[i-1].term, p.runs[i-1].endOffset(), true
}

// indexOf returns the entry whose batch holds the offset; the end offset belongs to the next index.
func (p *positions) indexOf(offset kafka.Offset) (uint64, bool) {
	if offset == p.end() {
		return p.next(), true
	}
	i := sort.Search(len(p.runs), func(i int) bool { return p.runs[i].endOffset() > offset })
	if i == len(p.runs) || offset < p.runs[i].offset {
		return 0, false
	}
	r := p.runs[i]
	return r.index + uint64(int64(offset-r.offset)/r.each), true
}

// isChange reports whether the entry is a membership change.
func (p *positions) isChange(index uint64) bool {
	i := sort.Search(len(p.changes), func(i int) bool { return p.changes[i] >= index })
	return i < len(p.changes) && p.changes[i] == index
}

// truncate forgets the entry and all after it.
func (p *positions) truncate(index uint64) {
	must.Hold(index >= p.first && index <= p.next(), "truncate to %d outside [%d,%d]", index, p.first, p.next())
	for n := len(p.runs); n > 0 && p.runs[n-1].endIndex() > index; n-- {
		if r := &p.runs[n-1]; r.index < index {
			r.count = index - r.index
			break
		}
		p.runs = p.runs[:n-1]
	}
	for n := len(p.changes); n > 0 && p.changes[n-1] >= index; n-- {
		p.changes = p.changes[:n-1]
	}
}

// forget drops the entries before the index: the log below is covered by a snapshot.
func (p *positions) forget(index uint64) {
	must.Hold(index >= p.first && index <= p.next(), "forget up to %d outside [%d,%d]", index, p.first, p.next())
	if index == p.first {
		return
	}
	offset, _ := p.offsetOf(index)
	term, _ := p.termOf(index - 1)
	kept := make([]run, 0, len(p.runs))
	for _, r := range p.runs {
		if r.endIndex() <= index {
			continue
		}
		if r.index < index {
			r.count -= index - r.index
			r.offset += kafka.Offset(int64(index-r.index) * r.each)
			r.index = index
		}
		kept = append(kept, r)
	}
	i := sort.Search(len(p.changes), func(i int) bool { return p.changes[i] >= index })
	*p = positions{first: index, start: offset, prevTerm: term, runs: kept, changes: append([]uint64(nil), p.changes[i:]...)}
}

// renumber moves all indexes: a log is walked before it is known which entry its first batch is.
func (p *positions) renumber(by int64) {
	p.first = uint64(int64(p.first) + by)
	for i := range p.runs {
		p.runs[i].index = uint64(int64(p.runs[i].index) + by)
	}
	for i := range p.changes {
		p.changes[i] = uint64(int64(p.changes[i]) + by)
	}
}
