package inspect

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/milena-io/milena/internal/kafka"
)

// Entry is one line of a dump. Text is the line as Apache Kafka's kafka-dump-log prints it, where that tool knows the
// file; the JSON form has the same facts under our names.
type Entry interface{ Text() string }

// File begins what is said of a file.
type File struct {
	Kind  string `json:"kind"` // "file"
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
	note  string // a second line for people
}

// Text is the line for people.
func (f File) Text() string {
	if f.note == "" {
		return "Dumping " + f.Path
	}
	return "Dumping " + f.Path + "\n" + f.note
}

// Batch is the header of one record batch.
type Batch struct {
	Kind            string            `json:"kind"` // "batch"
	File            string            `json:"file"`
	Position        int64             `json:"position"`
	Size            int64             `json:"size_bytes"`
	BaseOffset      kafka.Offset      `json:"base_offset"`
	LastOffset      kafka.Offset      `json:"last_offset"`
	Count           int32             `json:"count"`
	LeaderEpoch     kafka.LeaderEpoch `json:"leader_epoch"`
	MaxTimestamp    int64             `json:"max_timestamp_ms"`
	Codec           string            `json:"codec"`
	CRC             uint32            `json:"crc"`
	Valid           bool              `json:"crc_valid"`
	Producer        BatchProducer     `json:"producer"`
	Attributes      BatchAttributes   `json:"attributes"`
	DeleteHorizonMs *int64            `json:"delete_horizon_ms"`
}

// BatchProducer is who wrote a batch.
type BatchProducer struct {
	ID           kafka.ProducerID    `json:"id"`
	Epoch        kafka.ProducerEpoch `json:"epoch"`
	BaseSequence int32               `json:"base_sequence"`
	LastSequence int32               `json:"last_sequence"`
}

// BatchAttributes are the attribute bits of a batch.
type BatchAttributes struct {
	Transactional bool `json:"transactional"`
	Control       bool `json:"control"`
	LogAppendTime bool `json:"log_append_time"`
}

// Text is the line for people.
func (b Batch) Text() string {
	return fmt.Sprintf("baseOffset: %d lastOffset: %d count: %d baseSequence: %d lastSequence: %d producerId: %d "+
		"producerEpoch: %d partitionLeaderEpoch: %d isTransactional: %t isControl: %t deleteHorizonMs: %s position: %d "+
		"%s: %d size: %d magic: 2 compresscodec: %s crc: %d isvalid: %t",
		b.BaseOffset, b.LastOffset, b.Count, b.Producer.BaseSequence, b.Producer.LastSequence, b.Producer.ID,
		b.Producer.Epoch, b.LeaderEpoch, b.Attributes.Transactional, b.Attributes.Control, optional(b.DeleteHorizonMs),
		b.Position, timeWord(b.Attributes.LogAppendTime), b.MaxTimestamp, b.Size, b.Codec, b.CRC, b.Valid)
}

func timeWord(logAppendTime bool) string {
	if logAppendTime {
		return "LogAppendTime"
	}
	return "CreateTime"
}

// optional prints as Java's OptionalLong does.
func optional(v *int64) string {
	if v == nil {
		return "OptionalLong.empty"
	}
	return "OptionalLong[" + strconv.FormatInt(*v, 10) + "]"
}

// Record is one record of a batch.
type Record struct {
	Kind      string       `json:"kind"` // "record"
	File      string       `json:"file"`
	Offset    kafka.Offset `json:"offset"`
	Timestamp int64        `json:"timestamp_ms"`
	Sequence  int32        `json:"sequence"`
	Key       Payload      `json:"key"`
	Value     Payload      `json:"value"`
	Headers   []Header     `json:"headers"`
	Decoded   *Decoded     `json:"decoded,omitempty"` // what a record of Kafka's own means

	logAppendTime bool
}

// Header is one header of a record.
type Header struct {
	Key   string  `json:"key"`
	Value Payload `json:"value"`
}

// Text is the line for people.
func (r Record) Text() string {
	keys := make([]string, len(r.Headers))
	for i, h := range r.Headers {
		keys[i] = h.Key
	}
	s := fmt.Sprintf("| offset: %d %s: %d keySize: %d valueSize: %d sequence: %d headerKeys: [%s]", r.Offset,
		timeWord(r.logAppendTime), r.Timestamp, sizeOf(r.Key), sizeOf(r.Value), r.Sequence, strings.Join(keys, ","))
	if r.Decoded != nil {
		return s + " " + r.Decoded.text
	}
	if r.Key != nil {
		s += " key: " + string(r.Key)
	}
	if r.Value != nil {
		s += " payload: " + string(r.Value)
	}
	return s
}

func sizeOf(p Payload) int {
	if p == nil {
		return -1
	}
	return len(p)
}

// IndexEntry is one entry of an offset index.
type IndexEntry struct {
	Kind     string       `json:"kind"` // "index"
	File     string       `json:"file"`
	Offset   kafka.Offset `json:"offset"`
	Position int32        `json:"position"`
}

// Text is the line for people.
func (e IndexEntry) Text() string {
	return fmt.Sprintf("offset: %d position: %d", e.Offset, e.Position)
}

// TimeEntry is one entry of a time index.
type TimeEntry struct {
	Kind      string       `json:"kind"` // "timeindex"
	File      string       `json:"file"`
	Timestamp int64        `json:"timestamp_ms"`
	Offset    kafka.Offset `json:"offset"`
}

// Text is the line for people.
func (e TimeEntry) Text() string {
	return fmt.Sprintf("timestamp: %d offset: %d", e.Timestamp, e.Offset)
}

// AbortedTxn is one entry of a transaction index.
type AbortedTxn struct {
	Kind       string           `json:"kind"` // "txnindex"
	File       string           `json:"file"`
	Producer   kafka.ProducerID `json:"producer_id"`
	First      kafka.Offset     `json:"first_offset"`
	Last       kafka.Offset     `json:"last_offset"`
	LastStable kafka.Offset     `json:"last_stable_offset"`
}

// Text is the line for people.
func (a AbortedTxn) Text() string {
	return fmt.Sprintf("version: 0 producerId: %d firstOffset: %d lastOffset: %d lastStableOffset: %d",
		a.Producer, a.First, a.Last, a.LastStable)
}
