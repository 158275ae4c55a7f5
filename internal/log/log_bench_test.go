package log

import (
	"bytes"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// benchBatch is a batch of 1 KiB records of about size bytes in all.
func benchBatch(size int) record.Batch {
	b := record.NewBuilder(record.Plain())
	value := bytes.Repeat([]byte("0123456789abcdef"), 64)
	for range max(size/1024, 1) {
		b.Append(1_790_000_000_000, nil, value)
	}
	return must.Get(b.Build())
}

func benchLog(b *testing.B, change func(*Config)) (*Log, Options) {
	b.Helper()
	o := Options{FS: disk.NewOS(), Path: b.TempDir() + "/t-0", Partition: tp, Config: DefaultConfig()}
	o.Now = kafka.Instant{WallMs: 1_790_000_000_000}
	o.Config.Keep.RetentionMs = -1
	if change != nil {
		change(&o.Config)
	}
	return must.Get(Open(o)), o
}

// BenchmarkAppendAsLeader appends batches of 16 KiB of 1 KiB records through the page cache, validated as configured.
// Old segments are let go, so that the disk doesn't fill.
func BenchmarkAppendAsLeader(b *testing.B) {
	for _, validate := range []string{"full", "header"} {
		b.Run("validate="+validate, func(b *testing.B) {
			l, o := benchLog(b, func(c *Config) {
				c.Accept.HeaderOnly = validate == "header"
				c.Roll.SegmentBytes, c.Keep.RetentionBytes = 64<<20, 128<<20
			})
			template := benchBatch(16 << 10)
			batch := bytes.Clone(template)
			b.SetBytes(int64(len(batch)))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				copy(batch, template)
				must.Get(l.AppendAsLeader(o.Now, batch, 0, Client))
				if i%10_000 == 9_999 {
					b.StopTimer()
					must.Get(l.Retain(o.Now, l.end))
					b.StartTimer()
				}
			}
			must.OK(l.Delete())
		})
	}
}

// BenchmarkRead reads 1 MiB at a time without copying the bytes: at the tail, and from sealed segments that this process
// wrote.
func BenchmarkRead(b *testing.B) {
	l, o := benchLog(b, func(c *Config) { c.Roll.SegmentBytes = 32 << 20 })
	template := benchBatch(16 << 10)
	batch := bytes.Clone(template)
	for l.Size() < 100<<20 {
		copy(batch, template)
		must.Get(l.AppendAsLeader(o.Now, batch, 0, Client))
	}
	end := l.end
	for name, from := range map[string]func(i int) kafka.Offset{
		"tail":   func(int) kafka.Offset { return end - 16 },
		"active": func(i int) kafka.Offset { return end - 1 - kafka.Offset(i%8000) },
		"sealed": func(i int) kafka.Offset { return kafka.Offset(i*997) % 60_000 },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s, err := l.Read(from(i), ReadOptions{MaxBytes: 1 << 20, MinOne: true, Upper: end})
				if err != nil || s.Len == 0 {
					b.Fatalf("%+v, %v", s, err)
				}
				s.Release()
			}
		})
	}
}

// BenchmarkRecovery opens a log of 1 GiB of 16 KiB batches, in one segment, after a crash: with everything unsure, with
// all of it durable, and after a clean close.
func BenchmarkRecovery(b *testing.B) {
	l, o := benchLog(b, nil)
	template := benchBatch(16 << 10)
	batch := bytes.Clone(template)
	for l.Size() < 1<<30-1<<20 {
		copy(batch, template)
		must.Get(l.AppendAsLeader(o.Now, batch, 0, Client))
	}
	must.OK(l.Close(o.Now))
	for _, c := range []struct {
		name  string
		clean bool
		point kafka.Offset
	}{{"clean", true, l.end}, {"unsure", false, 0}, {"durable", false, l.end}} { // the unclean ones take the snapshot away
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(l.Size())
			b.ReportAllocs()
			for b.Loop() {
				o := o
				o.Clean, o.RecoveryPoint = c.clean, c.point
				again := must.Get(Open(o))
				if again.end != l.end || again.Recovered.Clean != c.clean {
					b.Fatalf("%+v", again.Recovered)
				}
				again.closeActive()
			}
		})
	}
}

// BenchmarkRoll seals a segment of one batch and begins another: what each segment costs besides its records.
func BenchmarkRoll(b *testing.B) {
	l, o := benchLog(b, func(c *Config) { c.Keep.RetentionBytes = 64 << 10 })
	template := benchBatch(1 << 10)
	batch := bytes.Clone(template)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		copy(batch, template)
		must.Get(l.AppendAsLeader(o.Now, batch, 0, Client))
		must.OK(l.roll(o.Now, l.end))
		if i%100 == 99 {
			b.StopTimer()
			must.OK(l.settleAll())
			must.Get(l.Retain(o.Now, l.end))
			b.StartTimer()
		}
	}
	must.OK(l.Delete())
}
