package offline

import (
	"encoding/binary"
	"fmt"
)

// Record is one record as it stands in the log. A nil Key or Value is Kafka's null.
type Record struct {
	Offset    int64    `json:"offset"`
	Timestamp int64    `json:"timestamp"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   []Header `json:"headers,omitempty"`
}

// Header is one record header; a nil Value is null.
type Header struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

// Records unpacks the batch and returns its records; every byte must be accounted for.
func (b Batch) Records() ([]Record, error) {
	data, err := unpack(b.Codec, b.body)
	if err != nil {
		return nil, fmt.Errorf("batch at %d: %s: %w", b.BaseOffset, b.Codec, err)
	}
	r := reader{data: data}
	records := make([]Record, 0, b.Count)
	for range b.Count {
		size := r.varint()
		end := len(r.data) - int(size)
		r.skip(1) // attributes, unused
		rec := Record{Timestamp: b.BaseTimestamp + r.varint(), Offset: b.BaseOffset + r.varint()}
		if b.LogAppendTime {
			rec.Timestamp = b.MaxTimestamp
		}
		rec.Key, rec.Value = r.bytes(), r.bytes()
		for n := r.varint(); n > 0 && r.err == nil; n-- {
			rec.Headers = append(rec.Headers, Header{Key: string(r.bytes()), Value: r.bytes()})
		}
		if r.err == nil && len(r.data) != end {
			r.err = fmt.Errorf("record length %d is a lie", size)
		}
		if r.err != nil {
			return nil, fmt.Errorf("batch at %d: record %d: %w", b.BaseOffset, len(records), r.err)
		}
		records = append(records, rec)
	}
	if len(r.data) != 0 {
		return nil, fmt.Errorf("batch at %d: %d bytes after the last record", b.BaseOffset, len(r.data))
	}
	return records, nil
}

// reader walks a record; after the first error everything is zero.
type reader struct {
	data []byte
	err  error
}

func (r *reader) varint() int64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Varint(r.data)
	if n <= 0 {
		r.err = fmt.Errorf("bad varint")
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *reader) skip(n int) []byte {
	if r.err == nil && (n < 0 || n > len(r.data)) {
		r.err = fmt.Errorf("%d bytes wanted, %d left", n, len(r.data))
	}
	if r.err != nil {
		return nil
	}
	taken := r.data[:n:n]
	r.data = r.data[n:]
	return taken
}

func (r *reader) bytes() []byte {
	n := r.varint()
	if n == -1 || r.err != nil {
		return nil
	}
	taken := r.skip(int(n))
	if taken == nil && r.err == nil {
		taken = []byte{}
	}
	return taken
}
