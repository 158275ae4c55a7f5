package crash

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/epoch"
	"github.com/milena-io/milena/internal/record"
)

// checker is one invariant of a log that was just recovered, held against its model.
type checker struct {
	name  string
	check func(m *model, l *log.Log) error
}

// checkers are run in this order; each may take for granted what the ones before it have found good.
func checkers() []checker {
	return []checker{
		{"S1 what was durable is there", checkEnds},
		{"S1 what is there was appended, byte for byte", checkBytes},
		{"S2 producers are those of a linear scan", checkProducers},
		{"S2 aborted transactions are those of a linear scan", checkAborted},
		{"S2 epochs are those of a linear scan", checkEpochs},
		{"S2 times are those of a linear scan", checkTimes},
		{"S3 nothing is taken for damaged that is not", checkSound},
	}
}

// check holds a recovered log against the model, which is cut to what was recovered.
func (m *model) check(l *log.Log) error {
	for _, c := range checkers() {
		if err := c.check(m, l); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

func checkEnds(m *model, l *log.Log) error {
	o := l.Offsets()
	if o.End < m.durable {
		return fmt.Errorf("the log ends at %d, %d was durable", o.End, m.durable)
	}
	if o.LogStart < m.start || o.LogStart > m.startMax {
		return fmt.Errorf("the log starts at %d, not in %d..%d", o.LogStart, m.start, m.startMax)
	}
	m.cut(o.End)
	if m.end() != o.End && o.End != o.LogStart || o.Durable != o.End {
		return fmt.Errorf("the log ends at %d, durable %d, with batches up to %d", o.End, o.Durable, m.end())
	}
	return nil
}

func checkBytes(m *model, l *log.Log) error {
	start := l.Offsets().LogStart
	got, err := readAll(l, start)
	if err != nil {
		return err
	}
	if want := m.from(start); !bytes.Equal(got, want) {
		return fmt.Errorf("%d bytes from %d on that differ from the %d appended", len(got), start, len(want))
	}
	return nil
}

// readAll reads a whole log.
func readAll(l *log.Log, from kafka.Offset) ([]byte, error) {
	var out []byte
	for end := l.Offsets().End; from < end; {
		s, err := l.Read(from, log.ReadOptions{MaxBytes: 1 << 20, MinOne: true, Upper: end})
		if err != nil {
			return nil, err
		}
		if s.Next <= from {
			return nil, fmt.Errorf("reading from %d leads to %d", from, s.Next)
		}
		out, err = s.AppendTo(out)
		from = s.Next
		s.Release()
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func checkProducers(m *model, l *log.Log) error {
	if m.lived != nil {
		return checkCompactedProducers(m, l)
	}
	f := m.scan()
	entries := l.Producers()
	if len(entries) != len(f.producers) {
		return fmt.Errorf("%d producers, want %d", len(entries), len(f.producers))
	}
	o := l.Offsets()
	unstable := o.End
	for _, e := range entries {
		p := f.producers[e.ID]
		if p == nil || e.Epoch != p.epoch || e.CoordinatorEpoch != p.coordinator || e.TxnFirst != p.open || !slices.Equal(e.Batches(), p.batches) {
			return fmt.Errorf("producer %+v, want %+v", e, p)
		}
		if p.open >= 0 {
			unstable = min(unstable, p.open)
		}
	}
	if o.FirstUnstable != unstable {
		return fmt.Errorf("first unstable offset %d, want %d", o.FirstUnstable, unstable)
	}
	return nil
}

func checkAborted(m *model, l *log.Log) error {
	if m.lived != nil {
		return checkCommitted(m, l)
	}
	o := l.Offsets()
	want := slices.DeleteFunc(m.scan().aborted, func(a log.AbortedTxn) bool { return a.Last < o.LogStart })
	slices.SortFunc(want, func(a, b log.AbortedTxn) int { return cmp.Compare(a.First, b.First) })
	have, err := l.AbortedTransactions(o.LogStart, o.End+1)
	if err == nil && !slices.Equal(have, want) {
		err = fmt.Errorf("%+v, want %+v", have, want)
	}
	return err
}

func checkEpochs(m *model, l *log.Log) error {
	o := l.Offsets()
	if entries := l.Epochs().Entries(); len(m.batches) == 0 && len(entries) > 0 {
		return fmt.Errorf("%v of a log that never had a record", entries)
	}
	c := epoch.Cache{}
	for _, e := range m.scan().epochs {
		c.Assign(e.Epoch, e.Start)
	}
	c.TruncateFromStart(o.LogStart)
	if have, want := m.epochsAt(l.Epochs().Entries()), m.epochsAt(c.Entries()); o.LogStart < o.End && !slices.Equal(have, want) {
		return fmt.Errorf("%v, want %v", l.Epochs().Entries(), c.Entries())
	}
	return nil
}

// checkTimes asks for the first record at or after every batch's time, and for the newest.
func checkTimes(m *model, l *log.Log) error {
	start := l.Offsets().LogStart
	var stamps []log.TimestampOffset
	for _, b := range m.batches[m.upTo(start):] {
		err := b.Each(record.Limits{}, func(r *record.Record) error {
			if r.Offset >= start && r.TimestampMs >= 0 {
				stamps = append(stamps, log.TimestampOffset{Offset: r.Offset, TimestampMs: r.TimestampMs})
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	newest := log.TimestampOffset{TimestampMs: -1, Offset: kafka.NoOffset}
	for i, s := range stamps {
		if s.TimestampMs > newest.TimestampMs {
			newest = s
		}
		if i%5 > 0 && i < len(stamps)-1 { // each fifth, and the last
			continue
		}
		first := slices.IndexFunc(stamps, func(o log.TimestampOffset) bool { return o.TimestampMs >= s.TimestampMs })
		found, ok, err := l.OffsetForTimestamp(s.TimestampMs)
		if err != nil || !ok || found.Offset != stamps[first].Offset {
			return fmt.Errorf("time %d is found at %+v, %v, %v, not at %d", s.TimestampMs, found, ok, err, stamps[first].Offset)
		}
	}
	found, ok, err := l.MaxTimestamp()
	if err != nil || ok != (newest.TimestampMs >= 0) || ok && (found.TimestampMs != newest.TimestampMs || found.Offset != newest.Offset) {
		return fmt.Errorf("the newest record is %+v, %v, %v, not %+v", found, ok, err, newest)
	}
	return nil
}

func checkSound(_ *model, l *log.Log) error {
	if all := l.Damages(); len(all) > 0 {
		return fmt.Errorf("%+v", all)
	}
	return l.Recovered.Doubt
}

// describe is what a log is, on one line.
func describe(l *log.Log) (string, error) {
	o := l.Offsets()
	data, err := readAll(l, o.LogStart)
	if err != nil {
		return "", err
	}
	h := fnv.New64a()
	_, _ = h.Write(data)
	aborted, err := l.AbortedTransactions(o.LogStart, o.End+1)
	if err != nil {
		return "", err
	}
	producers := l.Producers()
	for i := range producers {
		producers[i].SeenMs = 0 // when this process saw it
	}
	return fmt.Sprintf("%+v %x epochs %v aborted %v producers %v", o, h.Sum64(), l.Epochs().Entries(), aborted, producers), nil
}
