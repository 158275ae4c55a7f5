package alone

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// facts is what clients were told and saw; the node has to stay true to it whatever crashes.
type facts struct {
	created   bool
	sentTimes map[string]int
	ids       map[int64]bool
	acks      map[place]string // what was acknowledged, and where
	seen      map[place]string // what a reader saw, and where
	committed int64
	groupRead bool
	problems  []string
}

type place struct {
	partition int32
	offset    int64
}

func newFacts() facts {
	return facts{committed: -1, sentTimes: map[string]int{}, ids: map[int64]bool{}, acks: map[place]string{}, seen: map[place]string{}}
}

func (f *facts) sent(values []string) {
	for _, v := range values {
		f.sentTimes[v]++
	}
}

// producerID: no id is given twice, whatever crashed between.
func (f *facts) producerID(r *run, id int64) {
	if f.ids[id] {
		r.problem("producer id %d was given out twice", id)
	}
	f.ids[id] = true
}

// acked: an acknowledged record has one place for ever.
func (f *facts) acked(r *run, partition int32, base int64, values []string) {
	for i, v := range values {
		at := place{partition, base + int64(i)}
		if other, ok := f.acks[at]; ok && other != v {
			r.problem("%s and %s were both acknowledged at offset %d of partition %d", other, v, at.offset, partition)
		}
		if other, ok := f.seen[at]; ok && other != v {
			r.problem("%s was read at offset %d of partition %d, where %s was acknowledged", other, at.offset, partition, v)
		}
		f.acks[at] = v
		r.result.Acked++
	}
}

// fetched takes an answer in and returns where to go on.
func (f *facts) fetched(r *run, p *kmsg.FetchResponseTopicPartition, at int64) int64 {
	switch code := kafka.ErrorCode(p.ErrorCode); {
	case code == kafka.ErrNone:
	case code.Retriable():
		return at
	default:
		r.problem("fetch of partition %d at offset %d: error %v; what was read up to there was committed", p.Partition, at, code)
		return at
	}
	b := p.RecordBatches
	for len(b) > 0 {
		batch, rest, err := record.Next(b)
		if record.IsShort(err) {
			break
		}
		if err == nil {
			err = batch.CheckCRC()
		}
		if err == nil {
			err = batch.Each(record.Limits{}, func(rec *record.Record) error {
				if int64(rec.Offset) >= at {
					if int64(rec.Offset) != at {
						return fmt.Errorf("offset %d follows %d", rec.Offset, at-1)
					}
					f.saw(r, place{p.Partition, at}, string(rec.Value))
					at++
				}
				return nil
			})
		}
		if err != nil {
			r.problem("partition %d at offset %d: %v", p.Partition, at, err)
			return at
		}
		b = rest
	}
	if at > p.HighWatermark {
		r.problem("partition %d gave out offset %d at high watermark %d", p.Partition, at-1, p.HighWatermark)
	}
	return at
}

func (f *facts) saw(r *run, at place, value string) {
	if f.sentTimes[value] == 0 {
		r.problem("%q was read at offset %d of partition %d, and nobody sent it", value, at.offset, at.partition)
	}
	if other, ok := f.acks[at]; ok && other != value {
		r.problem("%s was read at offset %d of partition %d, where %s was acknowledged", value, at.offset, at.partition, other)
	}
	f.seen[at] = value
	r.result.Read++
}

// audit reads each partition once more from its start, after everything: every record that was acknowledged or read is
// where it was, none is there twice, and each producer's are in order.
func (f *facts) audit(r *run) {
	ends := map[int32]int64{}
	before := f.seen
	f.seen = map[place]string{}
	newConsumer(r)
	r.w.Run(20e9)
	for at := range f.seen {
		ends[at.partition] = max(ends[at.partition], at.offset+1)
	}
	for n := range r.o.Partitions {
		last := map[string]int{}
		for o := int64(0); o < ends[n]; o++ {
			v, ok := f.seen[place{n, o}]
			if !ok {
				r.problem("partition %d has nothing at offset %d of %d", n, o, ends[n])
				continue
			}
			producer, sequence := split(v)
			if prev, ok := last[producer]; ok && sequence <= prev {
				r.problem("partition %d at offset %d: producer %s has %d after %d", n, o, producer, sequence, prev)
			}
			last[producer] = sequence
		}
	}
	f.same(r, "acknowledged", f.acks)
	f.same(r, "read", before)
	if f.committed > 0 && !f.groupRead {
		r.problem("offsets of group %s were committed and never read back", group)
	}
}

func (f *facts) same(r *run, what string, then map[place]string) {
	lost := 0
	for at, v := range then {
		if f.seen[at] != v {
			lost++
		}
	}
	if lost > 0 {
		r.problem("%d records that were %s are not where they were", lost, what)
	}
}

func split(v string) (producer string, sequence int) {
	parts := strings.Split(v, "/")
	if len(parts) != 3 {
		return v, -1
	}
	sequence, err := strconv.Atoi(parts[2])
	if err != nil {
		return v, -1
	}
	return parts[0], sequence
}
