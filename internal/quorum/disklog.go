package quorum

import (
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/record"
)

// DiskLog shows the log of __cluster_metadata-0 as a quorum wants to see it.
func DiskLog(l *log.Log) Log { return diskLog{l} }

type diskLog struct{ l *log.Log }

func (m diskLog) Append(now kafka.Instant, b record.Batch) error {
	_, err := m.l.AppendAsFollower(now, b)
	return err
}

func (m diskLog) Read(from kafka.Offset, maxBytes int) ([]byte, error) {
	s, err := m.l.Read(from, log.ReadOptions{MaxBytes: maxBytes, MinOne: true, Upper: m.l.Offsets().End})
	if err != nil {
		return nil, err
	}
	defer s.Release()
	return s.AppendTo(nil)
}

func (m diskLog) Bounds() (start, end kafka.Offset) {
	o := m.l.Offsets()
	return o.LogStart, o.End
}

func (m diskLog) Dirty() ([]disk.Syncer, kafka.Offset) { return m.l.Dirty() }
func (m diskLog) Flushed(upTo kafka.Offset)            { m.l.Flushed(upTo) }
func (m diskLog) TruncateTo(o kafka.Offset) error      { return m.l.TruncateTo(o) }
func (m diskLog) Restart(o kafka.Offset) error         { return m.l.TruncateFullyAndStartAt(o) }

func (m diskLog) Trim(now kafka.Instant, start kafka.Offset) (int64, error) {
	if err := m.l.AdvanceStart(start); err != nil {
		return m.l.Size(), err
	}
	_, err := m.l.Retain(now, m.l.Offsets().End)
	return m.l.Size(), err
}
