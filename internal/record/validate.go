package record

import (
	"fmt"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Rules are what a topic demands of records (Kafka's LogValidator).
type Rules struct {
	NeedKeys  bool  // cleanup.policy has compact
	NowMs     int64 // wall clock
	BeforeMs  int64 // message.timestamp.before.max.ms
	AfterMs   int64 // message.timestamp.after.max.ms
	CheckTime bool  // message.timestamp.type is CreateTime
	Limits    Limits
}

// RecordError names a record that made its batch be refused (KIP-467).
type RecordError struct {
	Index   int32
	Message string
}

// Invalid is a refusal that names records. It unwraps to the *fault.Error with the code.
type Invalid struct {
	Cause   *fault.Error
	Records []RecordError
}

// Error prints the cause.
func (i *Invalid) Error() string { return i.Cause.Error() }

// Unwrap returns the cause.
func (i *Invalid) Unwrap() error { return i.Cause }

// noTimestamp is a record without a time; the rules about times leave it alone.
const noTimestamp = -1

// maxRecordErrors bounds how many records a refusal names.
const maxRecordErrors = 100

// CheckClientHeader holds a client's batch header against what clients may write: no control records, a sequence with a
// producer id, one offset for each record. Errors: INVALID_RECORD.
func (b Batch) CheckClientHeader() error {
	count, offsets := int64(b.Count()), int64(b.LastOffsetDelta())+1
	switch {
	case b.IsControl():
		return invalid("Clients are not allowed to write control records")
	case b.ProducerID() >= 0 && b.BaseSequence() < 0:
		return invalid("Invalid sequence number %d in record batch with producerId %d", b.BaseSequence(), b.ProducerID())
	case count <= 0:
		return invalid("Invalid reported count for record batch: %d", count)
	case offsets != count:
		return invalid("Inconsistent batch offset range [%d, %d] and count of records %d", b.BaseOffset(), b.LastOffset(), count)
	}
	return nil
}

func invalid(format string, args ...any) *fault.Error {
	return fault.New("record.Validate", kafka.ErrInvalidRecord, format, args...)
}

// Validate iterates all records as Kafka does on a leader and returns the largest timestamp it found. Errors:
// INVALID_RECORD for records that are not what the header says or have no key where one is needed, INVALID_TIMESTAMP
// for times out of bounds; both name the records.
func (b Batch) Validate(r Rules) (maxMs int64, err error) {
	maxMs = noTimestamp
	var bad []RecordError
	code := kafka.ErrNone
	refuse := func(i int32, c kafka.ErrorCode, format string, args ...any) {
		if code == kafka.ErrNone {
			code = c
		}
		if len(bad) < maxRecordErrors {
			bad = append(bad, RecordError{Index: i, Message: fmt.Sprintf(format, args...)})
		}
	}
	err = b.Scan(r.Limits.orRatio(len(b)), func(rec Outline) error {
		maxMs = max(maxMs, rec.TimestampMs)
		if want := b.BaseOffset() + kafka.Offset(rec.Index); rec.Offset != want {
			refuse(rec.Index, kafka.ErrInvalidRecord, "record %d has offset delta %d", rec.Index, rec.Offset-b.BaseOffset())
		}
		if r.NeedKeys && !rec.Keyed {
			refuse(rec.Index, kafka.ErrInvalidRecord, "Compacted topic cannot accept message without key.")
		}
		if r.CheckTime && rec.TimestampMs != noTimestamp && !r.inTime(rec.TimestampMs) {
			refuse(rec.Index, kafka.ErrInvalidTimestamp,
				"Timestamp %d of message with offset %d is out of range. The timestamp should be within [%d, %d]",
				rec.TimestampMs, rec.Index, r.NowMs-r.BeforeMs, r.NowMs+r.AfterMs)
		}
		return nil
	})
	if err != nil {
		if fault.IsKind(err, fault.Corrupt) { // the CRC was right, so the client meant it: not retriable
			err = &fault.Error{Op: "record.Validate", Code: kafka.ErrInvalidRecord, Message: err.Error()}
		}
		return maxMs, err
	}
	if len(bad) > 0 {
		msg := "One or more records have been rejected due to invalid timestamp"
		if code == kafka.ErrInvalidRecord {
			msg = fmt.Sprintf("One or more records have been rejected due to %d record errors in total, and only showing the first three errors at most: %s", len(bad), bad[0].Message)
		}
		return maxMs, &Invalid{Cause: fault.New("record.Validate", code, "%s", msg), Records: bad}
	}
	return maxMs, nil
}

func (r *Rules) inTime(ms int64) bool {
	return (ms >= r.NowMs || r.NowMs-ms <= r.BeforeMs) && (ms <= r.NowMs || ms-r.NowMs <= r.AfterMs)
}
