package disk

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/world"
)

// BenchmarkGroupCommit has callers that each append 1 KiB and wait for it to be durable, on a real disk: ns/op is what a
// durable append costs, syncs/op how far they share.
func BenchmarkGroupCommit(b *testing.B) {
	for _, callers := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(callers, "-callers"), func(b *testing.B) {
			fsys := NewOS()
			f := must.Get(fsys.Open(b.TempDir()+"/f", Write|Create))
			defer func() { must.OK(f.Close()) }()
			flusher := NewFlusher(world.NewReal(), "dir")
			counted := &counted{File: f}
			data := make([]byte, 1024)
			var pos atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(callers)
			b.RunParallel(func(pb *testing.PB) {
				done := make(chan error, 1)
				for pb.Next() {
					must.Get(f.WriteAt(data, pos.Add(1024)-1024))
					flusher.Flush([]Syncer{counted}, func(err error) { done <- err })
					must.OK(<-done)
				}
			})
			b.ReportMetric(float64(counted.n.Load())/float64(b.N), "syncs/op")
		})
	}
}

type counted struct {
	File
	n atomic.Int64
}

func (c *counted) Sync() error {
	c.n.Add(1)
	return c.File.Sync()
}
