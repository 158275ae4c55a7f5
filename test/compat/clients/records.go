package clients

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/milena-io/milena/test/compat/driver"
)

// odd makes n records for a partition with every shape a record can have: null, empty and binary keys and values,
// headers with null and repeated keys, values worth compressing, timestamps of their own.
func (st *stage) odd(p int32, n int) []driver.Record {
	chance := rand.New(rand.NewPCG(11, uint64(p)))
	now := time.Now().UnixMilli()
	records := make([]driver.Record, n)
	for i := range records {
		r := driver.Record{Partition: p, Timestamp: now - int64(chance.IntN(3_600_000))}
		r.Key = []byte(fmt.Sprintf("key-%d-%d", p, i))
		r.Value = []byte(fmt.Sprintf("value-%d-%d", p, i))
		switch i % 6 {
		case 1:
			r.Key = nil
		case 2:
			r.Value = nil
		case 3:
			r.Value = []byte(strings.Repeat("a line worth compressing; ", 400))
		case 4:
			if !st.drive.TextOnly {
				r.Key, r.Value = []byte{}, []byte{}
			}
		case 5:
			if !st.drive.TextOnly {
				r.Value = make([]byte, 300)
				for j := range r.Value {
					r.Value[j] = byte(chance.Uint32())
				}
			}
		}
		// Runs of equal headers: kcat has headers for a whole process only.
		switch i * 3 / n {
		case 1:
			r.Headers = []driver.Header{{Key: "plain", Value: []byte("text")}}
		case 2:
			r.Headers = []driver.Header{{Key: "twice", Value: []byte("1")}, {Key: "twice", Value: []byte("2")}}
			if !st.drive.NoNullHeaders {
				r.Headers = append(r.Headers, driver.Header{Key: "null"})
			}
			if !st.drive.TextOnly {
				r.Headers = append(r.Headers, driver.Header{Key: "empty", Value: []byte{}},
					driver.Header{Key: "binary", Value: []byte{0, 255, 10}})
			}
		}
		records[i] = r
	}
	return records
}

// plain makes numbered records over partitions.
func plain(partitions, n int) []driver.Record {
	records := make([]driver.Record, n)
	for i := range records {
		// All of one partition after the other: kcat has one partition for a whole process.
		p := int32(i * partitions / n)
		records[i] = driver.Record{Partition: p, Timestamp: time.Now().UnixMilli(), Value: []byte(fmt.Sprintf("record %d", i))}
	}
	return records
}

// same says how got differs from the acknowledged want, "" when it does not. stamped is false for clients that stamp
// with their own clock; then the timestamp only has to be of these minutes.
func same(want, got driver.Record, stamped bool) string {
	switch {
	case got.Partition != want.Partition || got.Offset != want.Offset:
		return fmt.Sprintf("is at %d@%d, was acknowledged at %d@%d", got.Partition, got.Offset, want.Partition, want.Offset)
	case stamped && got.Timestamp != want.Timestamp:
		return fmt.Sprintf("timestamp %d, want %d", got.Timestamp, want.Timestamp)
	case !stamped && time.Since(time.UnixMilli(got.Timestamp)).Abs() > time.Hour:
		return fmt.Sprintf("timestamp %d is not of now", got.Timestamp)
	case !equal(got.Key, want.Key):
		return fmt.Sprintf("key %s, want %s", show(got.Key), show(want.Key))
	case !equal(got.Value, want.Value):
		return fmt.Sprintf("value %s, want %s", show(got.Value), show(want.Value))
	case len(got.Headers) != len(want.Headers):
		return fmt.Sprintf("%d headers, want %d", len(got.Headers), len(want.Headers))
	}
	for i, h := range want.Headers {
		if got.Headers[i].Key != h.Key || !equal(got.Headers[i].Value, h.Value) {
			return fmt.Sprintf("header %d is %q=%s, want %q=%s", i, got.Headers[i].Key, show(got.Headers[i].Value), h.Key, show(h.Value))
		}
	}
	return ""
}

// equal tells null from empty.
func equal(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func show(b []byte) string {
	if b == nil {
		return "null"
	}
	if len(b) > 40 {
		return fmt.Sprintf("%q… (%d bytes)", b[:40], len(b))
	}
	return fmt.Sprintf("%q", b)
}

// compare wants exactly want in got, partition by partition in order.
func compare(want, got []driver.Record, stamped bool) error {
	for p := int32(0); p < 16; p++ {
		w, g := partition(want, p), partition(got, p)
		if len(w) != len(g) {
			return fmt.Errorf("partition %d: %d records, want %d", p, len(g), len(w))
		}
		for i := range w {
			if difference := same(w[i], g[i], stamped); difference != "" {
				return fmt.Errorf("partition %d, record %d: %s", p, i, difference)
			}
		}
	}
	return nil
}
