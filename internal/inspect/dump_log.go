package inspect

import (
	"errors"
	"io"
	"strconv"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/record"
)

func decimal(o kafka.Offset) string { return strconv.FormatInt(int64(o), 10) }

// log prints the batches of a log or of a snapshot of the metadata log.
func (d *dumper) log(name string) error {
	f, err := d.fs.Open(name, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	size, err := f.Size()
	if err != nil {
		return err
	}
	w := segment.NewWalker(f, 0, size, make([]byte, window))
	for ; d.left > 0; d.left-- {
		pos := w.Pos()
		b, err := w.Whole()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && damage(err) {
			if zeros, zerr := segment.OnlyZeros(f, pos, size, make([]byte, window)); zeros && zerr == nil {
				return nil // allocated and not written yet (preallocate)
			}
			return d.problem(Problem{File: name, Position: pos, Offset: -1, Message: describe(err)})
		}
		if err != nil {
			return err
		}
		if err := d.batch(name, pos, b); err != nil {
			return err
		}
	}
	return nil
}

func (d *dumper) batch(name string, pos int64, b record.Batch) error {
	e := Batch{
		Kind: "batch", File: name, Position: pos, Size: int64(len(b)), BaseOffset: b.BaseOffset(), LastOffset: b.LastOffset(),
		Count: b.Count(), LeaderEpoch: b.LeaderEpoch(), MaxTimestamp: b.MaxTimestamp(), Codec: b.Codec().String(),
		CRC: b.CRC(), Valid: b.CheckCRC() == nil,
		Producer:   BatchProducer{b.ProducerID(), b.ProducerEpoch(), b.BaseSequence(), b.LastSequence()},
		Attributes: BatchAttributes{b.IsTransactional(), b.IsControl(), b.IsLogAppendTime()},
	}
	if b.Attributes()&record.AttrDeleteHorizon != 0 {
		horizon := b.BaseTimestamp()
		e.DeleteHorizonMs = &horizon
	}
	if err := d.emit(e); err != nil {
		return err
	}
	if !d.o.Records {
		return nil
	}
	var failed error // of emit, which ends the dump
	err := b.Each(record.Limits{}, func(r *record.Record) error {
		failed = d.record(name, b, r)
		return failed
	})
	if err == nil || failed != nil {
		return failed
	}
	return d.problem(Problem{File: name, Position: pos, Offset: b.BaseOffset(), Message: describe(err)})
}

func (d *dumper) record(name string, b record.Batch, r *record.Record) error {
	e := Record{
		Kind: "record", File: name, Offset: r.Offset, Timestamp: r.TimestampMs, Sequence: sequence(b, r.Offset),
		Key: clone(r.Key), Value: clone(r.Value), Headers: []Header{}, logAppendTime: b.IsLogAppendTime(),
	}
	r.Headers(func(h record.Header) bool {
		e.Headers = append(e.Headers, Header{string(h.Key), clone(h.Value)})
		return true
	})
	decoded, err := decodeRecord(name, b, r)
	if err != nil {
		p := Problem{File: name, Position: -1, Offset: r.Offset, Message: describe(err)}
		if err := d.problem(p); err != nil {
			return err
		}
	}
	e.Decoded = decoded
	return d.emit(e)
}

// decodeRecord tells what a record of Kafka's own means; nil for a user's.
func decodeRecord(name string, b record.Batch, r *record.Record) (*Decoded, error) {
	switch {
	case b.IsControl():
		return control(r.Key, r.Value)
	case isMetadata(name):
		return metadata(r.Value)
	case topicOf(name) == offsetsTopic:
		return groupRecord(r.Key, r.Value)
	}
	return nil, nil
}

// sequence is a record's sequence number; sequences wrap from 2147483647 to 0.
func sequence(b record.Batch, o kafka.Offset) int32 {
	first := b.BaseSequence()
	if first < 0 {
		return first
	}
	return int32((int64(first) + int64(o-b.BaseOffset())) & 0x7fffffff)
}

func clone(b []byte) Payload {
	if b == nil {
		return nil
	}
	return append(Payload{}, b...)
}
