// Package offline reads Kafka's log files without a broker and without any of milena's code: it is the independent
// judge of what is on disk. It reads record batches of format v2 straight from .log files, checks every length and CRC,
// and unpacks all codecs.
//
// The kill9 suite and the golden data use it, on directories no broker has open.
package offline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// ErrTorn marks bytes at the end of a segment that are no whole batch. After a kill -9 and before the next start that
// is allowed at the very end of the last segment, and nowhere else.
var ErrTorn = errors.New("torn batch")

const (
	headerSize  = 61
	logOverhead = 12
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Batch is the header of one record batch, and where it stands.
type Batch struct {
	File     string `json:"file"`
	Position int64  `json:"position"`
	Size     int    `json:"size"`

	BaseOffset    int64  `json:"base_offset"`
	LastOffset    int64  `json:"last_offset"`
	LeaderEpoch   int32  `json:"leader_epoch"`
	CRC           uint32 `json:"crc"`
	Codec         string `json:"codec"`
	LogAppendTime bool   `json:"log_append_time,omitempty"`
	Transactional bool   `json:"transactional,omitempty"`
	Control       bool   `json:"control,omitempty"`
	DeleteHorizon bool   `json:"delete_horizon,omitempty"`
	BaseTimestamp int64  `json:"base_timestamp"`
	MaxTimestamp  int64  `json:"max_timestamp"`
	ProducerID    int64  `json:"producer_id"`
	ProducerEpoch int16  `json:"producer_epoch"`
	BaseSequence  int32  `json:"base_sequence"`
	Count         int32  `json:"count"`

	body []byte // the records, still packed
}

var codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// parse reads the batch at the start of data. It returns ErrTorn when data ends before the batch does or when the
// batch is not what its CRC says.
func parse(data []byte) (Batch, error) {
	if len(data) < headerSize {
		return Batch{}, fmt.Errorf("%w: %d bytes are no header", ErrTorn, len(data))
	}
	be := binary.BigEndian
	length := int(int32(be.Uint32(data[8:])))
	if length < headerSize-logOverhead || length > len(data)-logOverhead {
		return Batch{}, fmt.Errorf("%w: length %d with %d bytes left", ErrTorn, length, len(data)-logOverhead)
	}
	data = data[:logOverhead+length]
	if data[16] != 2 {
		return Batch{}, fmt.Errorf("magic %d", data[16])
	}
	crc := be.Uint32(data[17:])
	if got := crc32.Checksum(data[21:], castagnoli); got != crc {
		return Batch{}, fmt.Errorf("%w: CRC is %08x, header says %08x", ErrTorn, got, crc)
	}
	attributes := be.Uint16(data[21:])
	if int(attributes&7) >= len(codecs) {
		return Batch{}, fmt.Errorf("codec %d", attributes&7)
	}
	base := int64(be.Uint64(data))
	return Batch{
		Size:          len(data),
		BaseOffset:    base,
		LastOffset:    base + int64(int32(be.Uint32(data[23:]))),
		LeaderEpoch:   int32(be.Uint32(data[12:])),
		CRC:           crc,
		Codec:         codecs[attributes&7],
		LogAppendTime: attributes&0x08 != 0,
		Transactional: attributes&0x10 != 0,
		Control:       attributes&0x20 != 0,
		DeleteHorizon: attributes&0x40 != 0,
		BaseTimestamp: int64(be.Uint64(data[27:])),
		MaxTimestamp:  int64(be.Uint64(data[35:])),
		ProducerID:    int64(be.Uint64(data[43:])),
		ProducerEpoch: int16(be.Uint16(data[51:])),
		BaseSequence:  int32(be.Uint32(data[53:])),
		Count:         int32(be.Uint32(data[57:])),
		body:          data[headerSize:],
	}, nil
}
