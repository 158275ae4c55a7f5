package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/internal/inspect"
)

// sourceFlags say where records come from and how they are cut.
type sourceFlags struct {
	key          string
	keySet       bool
	headers      []string
	keySeparator string
	delimiter    string
	lines        string
	files        []string
	input        string
	tombstone    bool
	emptyIsNull  bool
	flags        *pflag.FlagSet
}

func (f *sourceFlags) register(s *pflag.FlagSet) {
	f.flags = s
	s.StringVarP(&f.key, "key", "k", "", "`key` of every record")
	s.StringArrayVarP(&f.headers, "header", "H", nil, "`name=value` on every record; repeatable")
	s.StringVarP(&f.keySeparator, "key-separator", "K", "", "cut each line into key and value at the first `text`; without it a line has no key")
	s.StringVarP(&f.delimiter, "delimiter", "D", `\n`, "what ends a record; \\n, \\t, \\0 and \\xHH are understood")
	s.StringVarP(&f.lines, "lines", "l", "", "read the lines of this `file` and not of standard input")
	s.StringArrayVarP(&f.files, "file", "f", nil, "a whole `file` is the value of one record; repeatable")
	s.StringVar(&f.input, "input", "lines", "`form` of the input: lines, or json as consume -o json prints it")
	s.BoolVar(&f.tombstone, "tombstone", false, "write a null value for --key, which deletes the key in a compacted topic")
	s.BoolVarP(&f.emptyIsNull, "null", "Z", false, "an empty key or value is null")
}

// recordSource gives one record after another, and io.EOF at the end.
type recordSource interface {
	next() (*kgo.Record, error)
	close()
}

// openSource opens what the flags and arguments name: values, files, a tombstone, or a stream of lines or JSON.
func (a *app) openSource(f sourceFlags, topic string, values []string) (recordSource, error) {
	f.keySet = f.flags.Changed("key")
	shape, err := newShape(f)
	if err != nil {
		return nil, err
	}
	switch {
	case f.tombstone:
		if len(values)+len(f.files) > 0 || f.lines != "" || !f.keySet {
			return nil, usage("--tombstone needs --key and no value")
		}
		return &listSource{shape: shape, values: [][]byte{nil}}, nil
	case len(values) > 0 && (len(f.files) > 0 || f.lines != "" || f.input != "lines"):
		return nil, usage("values are arguments, files or lines: one of them at a time")
	case len(values) > 0:
		s := &listSource{shape: shape}
		for _, v := range values {
			s.values = append(s.values, []byte(v))
			if v == "null" {
				a.note("the value is the text \"null\"; --tombstone writes a null")
			}
		}
		return s, nil
	case len(f.files) > 0:
		return &fileSource{shape: shape, files: f.files}, nil
	}
	in, closer := a.In, func() {}
	if f.lines != "" {
		file, err := os.Open(f.lines)
		if err != nil {
			return nil, err
		}
		in, closer = file, func() { _ = file.Close() }
	}
	switch f.input {
	case "json":
		d := json.NewDecoder(in)
		return &jsonSource{shape: shape, d: d, done: closer}, nil
	case "lines":
		s := &lineSource{shape: shape, r: bufio.NewReaderSize(in, 64<<10), done: closer}
		if a.InTerminal && f.lines == "" && !a.flags.quiet {
			s.prompt = func() { fmt.Fprintf(a.Err, "%s> ", topic) }
			a.note("a record per line; Ctrl-D ends")
		}
		return s, nil
	}
	closer()
	return nil, usage("--input %q: lines or json", f.input)
}

// shape is what the flags put on every record.
type shape struct {
	key       []byte
	headers   []kgo.RecordHeader
	separator []byte
	delimiter []byte
	null      bool
}

func newShape(f sourceFlags) (shape, error) {
	s := shape{null: f.emptyIsNull, separator: []byte(unescape(f.keySeparator)), delimiter: []byte(unescape(f.delimiter))}
	if f.keySet {
		s.key = []byte(f.key)
		if len(s.separator) > 0 {
			return s, usage("--key and --key-separator exclude each other")
		}
	}
	if len(s.delimiter) == 0 {
		return s, usage("--delimiter is empty")
	}
	for _, h := range f.headers {
		k, v, err := keyValue("--header", h)
		if err != nil {
			return s, err
		}
		s.headers = append(s.headers, kgo.RecordHeader{Key: k, Value: []byte(v)})
	}
	return s, nil
}

// unescape reads \n, \t, \0, \\ and \xHH in a flag.
func unescape(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		var b byte
		switch s[i] {
		case 'n':
			b = '\n'
		case 't':
			b = '\t'
		case 'r':
			b = '\r'
		case '0':
			b = 0
		case 'x':
			if i+2 < len(s) {
				if _, err := fmt.Sscanf(s[i+1:i+3], "%02x", &b); err == nil {
					i += 2
					break
				}
			}
			b = 'x'
		default:
			b = s[i]
		}
		out = append(out, b)
	}
	return string(out)
}

func (s shape) record(value []byte) *kgo.Record {
	r := &kgo.Record{Key: s.key, Value: value, Headers: s.headers}
	if len(s.separator) > 0 {
		if key, rest, found := bytes.Cut(value, s.separator); found {
			r.Key, r.Value = key, rest
		}
	}
	if s.null && len(r.Key) == 0 {
		r.Key = nil
	}
	if s.null && len(r.Value) == 0 {
		r.Value = nil
	}
	return r
}

type listSource struct {
	shape
	values [][]byte
}

func (s *listSource) close() {}

func (s *listSource) next() (*kgo.Record, error) {
	if len(s.values) == 0 {
		return nil, io.EOF
	}
	v := s.values[0]
	s.values = s.values[1:]
	return s.record(v), nil
}

type fileSource struct {
	shape
	files []string
}

func (s *fileSource) close() {}

func (s *fileSource) next() (*kgo.Record, error) {
	if len(s.files) == 0 {
		return nil, io.EOF
	}
	data, err := os.ReadFile(s.files[0])
	if err != nil {
		return nil, err
	}
	s.files = s.files[1:]
	return s.record(data), nil
}

// lineSource cuts a stream at a delimiter. What stands before the end without one is a record, too.
type lineSource struct {
	shape
	r      *bufio.Reader
	prompt func()
	done   func()
}

func (s *lineSource) close() { s.done() }

func (s *lineSource) next() (*kgo.Record, error) {
	if s.prompt != nil {
		s.prompt()
	}
	line := []byte{} // never nil: an empty line is an empty value and no tombstone
	last := s.delimiter[len(s.delimiter)-1]
	for {
		part, err := s.r.ReadSlice(last)
		line = append(line, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return s.record(line), nil
		case err != nil:
			return nil, err
		case bytes.HasSuffix(line, s.delimiter):
			return s.record(line[:len(line)-len(s.delimiter)]), nil
		}
	}
}

// jsonSource reads records as consume -o json prints them.
type jsonSource struct {
	shape
	d    *json.Decoder
	n    int
	done func()
}

func (s *jsonSource) close() { s.done() }

// jsonRecord is what is read of a line; the other fields say where the record was.
type jsonRecord struct {
	Partition   int32           `json:"partition"`
	TimestampMs *int64          `json:"timestamp_ms"`
	Key         inspect.Payload `json:"key"`
	Value       inspect.Payload `json:"value"`
	Headers     []recordHeader  `json:"headers"`
}

func (s *jsonSource) next() (*kgo.Record, error) {
	var j jsonRecord
	if err := s.d.Decode(&j); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("JSON record %d: %w", s.n+1, err)
	}
	s.n++
	r := &kgo.Record{Key: j.Key, Value: j.Value, Partition: j.Partition}
	if s.key != nil {
		r.Key = s.key
	}
	if j.TimestampMs != nil {
		r.Timestamp = time.UnixMilli(*j.TimestampMs)
	}
	for _, h := range j.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	r.Headers = append(r.Headers, s.headers...)
	return r, nil
}
