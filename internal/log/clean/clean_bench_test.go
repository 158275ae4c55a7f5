package clean

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// BenchmarkCleaning compacts 32 MiB of 1 KiB records in batches of 16 on the real disk, half of whose keys are written
// again later; bytes count the sources once.
func BenchmarkCleaning(b *testing.B) {
	for _, codec := range []record.Codec{record.None, record.LZ4, record.Zstd} {
		b.Run(codec.String(), func(b *testing.B) {
			fsys, dir := disk.NewOS(), b.TempDir()
			value := bytes.Repeat([]byte("0123456789abcdef"), 64)
			var data []byte
			next := kafka.Offset(0)
			for next < 32<<10 {
				o := record.Plain()
				o.Codec, o.BaseOffset = codec, next
				builder := record.NewBuilder(o)
				for i := range 16 {
					key := int(next) + i
					if i%2 == 0 {
						key %= 8 << 10
					}
					builder.Append(1_790_000_000_000, fmt.Appendf(nil, "customer-%08d", key), value)
				}
				batch := must.Get(builder.Build())
				data, next = append(data, batch...), batch.NextOffset()
			}
			name := dir + "/" + segment.Name(0, segment.LogSuffix)
			put(fsys, name, data)
			f := must.Get(fsys.Open(name, 0))
			policy := DefaultPolicy()
			job := Job{
				FS: fsys, Dir: dir, Dirt: Dirt{Until: next, CleanableBytes: int64(len(data))}, Policy: policy,
				Sources:       []Source{{Segment: Segment{Bytes: int64(len(data)), FirstMs: -1, LargestMs: -1}, File: f}},
				IndexInterval: 4096, Buffers: DefaultBuffers(),
			}
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				c := New(job)
				for done := false; !done; {
					done, _, _ = c.Step(1 << 20)
				}
				if c.Stats.RecordsLeft != 16<<10+4<<10 {
					b.Fatalf("%d records are left", c.Stats.RecordsLeft)
				}
			}
			must.OK(f.Close())
		})
	}
}
