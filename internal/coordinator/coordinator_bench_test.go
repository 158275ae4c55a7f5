package coordinator

import (
	"fmt"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
	rec "github.com/milena-io/milena/internal/staterecord/group"
)

// BenchmarkCommit is one commit of ten partitions from Submit to its answer, log in memory; a hundred are on their way
// at a time.
func BenchmarkCommit(b *testing.B) {
	r := newRig(b).loaded()
	r.tape.slow = 1
	c := commit(1)
	for p := range int32(9) {
		o := c.Offsets[0]
		o.Partition.Partition = p + 1
		c.Offsets = append(c.Offsets, o)
	}
	answered, sent := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		r.c.Submit("g", c, func(any, error) { answered++ })
		if sent++; sent-answered >= 100 {
			r.w.RunUntil(1e9, func() bool { return sent == answered })
			r.tape.batches, r.tape.appends = nil, nil
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

// BenchmarkReplay loads a million offset records of a thousand groups, with and without later ones for the same keys.
func BenchmarkReplay(b *testing.B) {
	const records = 1_000_000
	for name, keys := range map[string]int{"10kKeys": 10_000, "1MKeys": records} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b)
			fill(r.tape, records, keys)
			b.SetBytes(int64(size(r.tape.batches)))
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				s := newShard(r.c.env, 0, r.tape.epoch, tapeLog{r.tape, r.proc.Alive})
				s.env.LoadBytes = 5 << 20
				s.load()
				if !r.w.RunUntil(60e9, func() bool { return s.phase == active }) {
					b.Fatal("it is not loaded")
				}
			}
			b.ReportMetric(float64(b.N)*records/b.Elapsed().Seconds(), "records/s")
		})
	}
}

func size(batches []record.Batch) (n int) {
	for _, b := range batches {
		n += len(b)
	}
	return n
}

// fill writes offset commits in batches of a hundred.
func fill(p *tape, records, keys int) {
	for i := 0; i < records; {
		builder := record.NewBuilder(record.Plain())
		for range 100 {
			k := i % keys
			key, value := rec.Encode(&rec.OffsetCommit{
				Key:   rec.OffsetKey{Group: fmt.Sprintf("group-%d", k%1000), Topic: "a-topic-of-theirs", Partition: int32(k / 1000)},
				Value: &rec.OffsetValue{Offset: kafka.Offset(i), CommitMs: 1, ExpireMs: -1, TopicID: kafka.TopicID{1}}})
			builder.Append(0, key, value)
			i++
		}
		b, err := builder.Build()
		if err != nil {
			p.t.Fatal(err)
		}
		b.SetBaseOffset(p.end)
		p.batches = append(p.batches, b)
		p.end = b.NextOffset()
	}
	p.durable = p.end
}
