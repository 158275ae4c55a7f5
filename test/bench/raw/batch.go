package raw

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Batch encodes n records of a value of size bytes each as one batch, uncompressed and not idempotent.
func Batch(n, size int) []byte {
	value := make([]byte, size)
	dice := rand.NewChaCha8([32]byte{1})
	_, _ = dice.Read(value)
	var records []byte
	for i := range n {
		r := kmsg.NewRecord()
		r.OffsetDelta, r.Value = int32(i), value
		r.Length = int32(len(r.AppendTo(nil)) - 1) // Length itself takes one byte while it is zero
		records = r.AppendTo(records)
	}
	now := time.Now().UnixMilli()
	b := kmsg.NewRecordBatch()
	b.Length = int32(49 + len(records))
	b.PartitionLeaderEpoch, b.Magic = -1, 2
	b.LastOffsetDelta = int32(n - 1)
	b.FirstTimestamp, b.MaxTimestamp = now, now
	b.ProducerID, b.ProducerEpoch, b.FirstSequence = -1, -1, -1
	b.NumRecords, b.Records = int32(n), records
	out := b.AppendTo(nil)
	binary.BigEndian.PutUint32(out[17:], crc32.Checksum(out[21:], crc32.MakeTable(crc32.Castagnoli)))
	return out
}
