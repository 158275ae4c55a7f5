package cli

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/internal/inspect"
)

// recordDoc is one line of `consume -o json`; produce --input json reads it.
type recordDoc struct {
	Topic         string          `json:"topic"`
	Partition     int32           `json:"partition"`
	Offset        int64           `json:"offset"`
	OffsetStr     string          `json:"offset_str"` // jq before 1.7 rounds large numbers
	Timestamp     string          `json:"timestamp"`
	TimestampMs   int64           `json:"timestamp_ms"`
	TimestampType string          `json:"timestamp_type"` // create or append
	Key           inspect.Payload `json:"key"`
	Value         inspect.Payload `json:"value"`
	Headers       []recordHeader  `json:"headers"`
	LeaderEpoch   int32           `json:"leader_epoch"`
}

type recordHeader struct {
	Key   string          `json:"key"`
	Value inspect.Payload `json:"value"`
}

// printer writes one record to standard output.
type printer func(a *app, r *kgo.Record) error

// printerOf chooses how records are printed: by --format, as JSON, readable on a terminal, raw into a pipe.
func (a *app) printerOf(f consumeFlags) (printer, error) {
	delimiter, separator := unescape(f.delimiter), unescape(f.keySeparator)
	switch {
	case f.format != "":
		if a.asJSON() {
			return nil, usage("--format and -o json exclude each other")
		}
		layout, err := newLayout(f.format)
		if err != nil {
			return nil, usage("--format: %v", err).try("milena consume --help lists what a layout may hold")
		}
		var buf []byte
		return func(a *app, r *kgo.Record) error {
			buf = layout(buf[:0], r)
			_, err := a.out.Write(buf)
			return err
		}, nil
	case a.asJSON():
		return func(a *app, r *kgo.Record) error { return a.json(recordOf(r)) }, nil
	case a.OutTerminal && f.keySeparator == "":
		return func(a *app, r *kgo.Record) error { return a.line("%s", readable(r, time.Now())) }, nil
	}
	return func(a *app, r *kgo.Record) error {
		if separator != "" {
			if _, err := a.out.Write(append(append([]byte{}, r.Key...), separator...)); err != nil {
				return err
			}
		}
		if _, err := a.out.Write(r.Value); err != nil {
			return err
		}
		_, err := a.out.Write([]byte(delimiter))
		return err
	}, nil
}

func recordOf(r *kgo.Record) recordDoc {
	d := recordDoc{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, OffsetStr: fmt.Sprint(r.Offset), Timestamp: timestamp(r.Timestamp.UnixMilli()),
		TimestampMs: r.Timestamp.UnixMilli(), TimestampType: "create", Key: r.Key, Value: r.Value, Headers: []recordHeader{}, LeaderEpoch: r.LeaderEpoch,
	}
	if r.Attrs.TimestampType() == 1 {
		d.TimestampType = "append"
	}
	for _, h := range r.Headers {
		d.Headers = append(d.Headers, recordHeader{h.Key, h.Value})
	}
	return d
}

// readable is a record as one line for people.
func readable(r *kgo.Record, now time.Time) string {
	layout := "15:04:05.000"
	if y, m, d := r.Timestamp.Local().Date(); y != now.Year() || m != now.Month() || d != now.Day() {
		layout = "2006-01-02 15:04:05.000"
	}
	s := fmt.Sprintf("%s %s[%d]@%d ", r.Timestamp.Local().Format(layout), r.Topic, r.Partition, r.Offset)
	if r.Key != nil {
		s += visible(r.Key)
	}
	s += "  "
	if r.Value == nil {
		s += "(null)"
	} else {
		s += visible(r.Value)
	}
	for _, h := range r.Headers {
		s += "  " + visible([]byte(h.Key)) + "=" + visible(h.Value)
	}
	return s
}

// visible shows bytes on a terminal without letting them do anything to it.
func visible(b []byte) string {
	var out strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\t':
			out.WriteString(`\t`)
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&out, `\x%02x`, b[0])
		case unicode.IsPrint(r):
			out.WriteRune(r)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
		b = b[n:]
	}
	return out.String()
}
