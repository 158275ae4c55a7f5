package quorum

import (
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// Log is what the quorum needs of the log of __cluster_metadata-0. The quorum serialises all calls except Read, which
// feeds make beside it.
type Log interface {
	// Append writes a batch whose offset and epoch are set, to the page cache.
	Append(now kafka.Instant, b record.Batch) error
	// Read returns whole batches from the one that holds the offset on: at least one, and about maxBytes.
	Read(from kafka.Offset, maxBytes int) ([]byte, error)
	// Bounds returns the log start offset and the end offset.
	Bounds() (start, end kafka.Offset)
	// Dirty and Flushed tell what is to be synced, and that it was.
	Dirty() ([]disk.Syncer, kafka.Offset)
	Flushed(upTo kafka.Offset)
	// TruncateTo drops the offset and all above it.
	TruncateTo(offset kafka.Offset) error
	// Restart drops everything; the next batch has the offset.
	Restart(offset kafka.Offset) error
	// Trim makes the offset the log's start and removes the segments below it. Bytes are what is left.
	Trim(now kafka.Instant, start kafka.Offset) (bytes int64, err error)
}

// Flusher makes files durable; disk.Flusher is one.
type Flusher interface {
	Flush(targets []disk.Syncer, done func(error))
}
