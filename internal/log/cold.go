package log

import (
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/log/segment"
)

// Shared is what the readers of all logs of a node have together. Its zero value bounds and keeps nothing.
type Shared struct {
	// Settled says that whatever the last process wrote in the directory has been made durable since (SyncVolume).
	Settled bool
	Handles *segment.Handles // files that stay open
	Cold    *Cold
	Tails   *segment.Tails // the newest bytes of logs that are followed
}

// Cold is the way of reads that have to wait for the disk. So many go at a time, and the others wait without a thread: many
// readers that are far behind neither take hundreds of threads nor the disk from everybody else. Who reads what is in
// memory doesn't come here.
type Cold struct{ slots chan struct{} }

// NewCold lets so many reads wait for the disk at a time.
func NewCold(most int) *Cold { return &Cold{slots: make(chan struct{}, most)} }

// coldAhead is how much beyond what is asked for is brought into memory with it: the next question of a reader that is far
// behind is about that.
const coldAhead = 2 << 20

// read runs a read of a range that is not in memory. It may wait.
func (c *Cold) read(f disk.File, r *segment.Range, read func() error) error {
	if c == nil {
		return read()
	}
	c.slots <- struct{}{}
	defer func() { <-c.slots }()
	if cache, ok := f.(disk.Cache); ok {
		cache.Ahead(r.Pos, r.End-r.Pos+coldAhead)
	}
	return read()
}
