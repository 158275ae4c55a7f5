package segment

import (
	"errors"
	"fmt"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// DamagedSuffix ends the name of a file that keeps the bytes that stood where a segment was mended. Nothing reads it, and Kafka
// ignores it.
const DamagedSuffix = ".damaged"

// Mending is whole batches, from another replica, that belong where a segment is damaged. They take the place of the bytes that
// do not check, in the same file: those were served to nobody, so a crash in the middle of it leaves damage where there was
// damage. In the middle of a file the batches have to fill the place exactly; at its end, where bytes are gone, they are added.
type Mending struct {
	seg     *Segment
	damage  Damage // as it was when this began
	batches []byte
	next    kafka.Offset // after the last batch
	pos     int64        // after its bytes
}

// Mend holds batches against the damage that begins at an offset. They need not reach the end of it: then the rest stays damaged.
// With worked the records there may have been compacted, so that another replica may have them in another state: then only what
// resembles the bytes that are here is taken. Refusals are fault.Corrupt; nothing has been changed.
func (s *Segment) Mend(from kafka.Offset, batches []byte, worked bool) (*Mending, error) {
	const op = "segment.Mend"
	d, found := s.damages.holding(from)
	if !found || d.First != from {
		return nil, fault.Corruption(op, "no damage of %s begins at offset %d", s.Path(LogSuffix), from)
	}
	m := &Mending{seg: s, damage: d, next: from, pos: d.Pos}
	for rest := batches; len(rest) > 0 && m.next < d.Next; {
		b, more, err := record.Next(rest)
		if errors.Is(err, record.ErrShort) {
			break // an answer may end in the middle of a batch
		}
		if err == nil {
			err = b.CheckCRC()
		}
		if err != nil {
			return nil, err
		}
		if b.BaseOffset() < m.next || b.NextOffset() > d.Next || !worked && b.BaseOffset() != m.next {
			return nil, fault.Corruption(op, "offsets %d to %d are offered where %d to %d are damaged", b.BaseOffset(), b.LastOffset(), m.next, d.Next-1)
		}
		m.next, m.pos, rest = b.NextOffset(), m.pos+int64(len(b)), more
	}
	m.batches = batches[:m.pos-d.Pos]
	whole, fixed := m.next == d.Next, s.mem != nil || d.End < s.size
	switch {
	case len(m.batches) == 0:
		return nil, fault.Corruption(op, "nothing is offered for the offsets %d to %d", from, d.Next-1)
	case whole && m.pos < d.End || fixed && (whole != (m.pos == d.End) || m.pos > d.End):
		return nil, fault.Corruption(op, "%s: %d bytes are offered up to offset %d where %d bytes up to %d are damaged", s.Path(LogSuffix), len(m.batches), m.next, d.End-d.Pos, d.Next)
	case m.pos > 1<<31-1:
		return nil, fault.Corruption(op, "%s would grow past what an index can point to", s.Path(LogSuffix))
	}
	if worked {
		return m, m.resembles()
	}
	return m, nil
}

// resembles reports batches that are not what was here: more than an eighth of the bytes differ, or there are too few to compare.
func (m *Mending) resembles() error {
	old, err := m.replaced()
	if err != nil {
		return err
	}
	same := 0
	for i := range old {
		if old[i] == m.batches[i] {
			same++
		}
	}
	if 8*same < 7*len(m.batches) {
		return fault.Corruption("segment.Mend", "%s was compacted, and of the %d bytes from %d on only %d are as another replica has them", m.seg.Path(LogSuffix), len(m.batches), m.damage.Pos, same)
	}
	return nil
}

// replaced reads the bytes that the batches take the place of.
func (m *Mending) replaced() ([]byte, error) {
	f, err := m.seg.file.acquire(m.seg)
	if err != nil {
		return nil, err
	}
	defer m.seg.file.Release()
	old := make([]byte, min(m.pos, m.damage.End)-m.damage.Pos)
	if n, err := f.ReadAt(old, m.damage.Pos); n < len(old) {
		return nil, fault.Storage("segment.Mend", err)
	}
	return old, nil
}

// Write keeps the bytes that were there in a file of their own, and puts the batches in their place, durably. The seal is the
// caller's to take away before, where the file grows.
func (m *Mending) Write() error {
	s := m.seg
	old, err := m.replaced()
	if err != nil {
		return err
	}
	if len(old) > 0 {
		if err := m.keep(old); err != nil {
			return err
		}
	}
	f, err := s.file.acquire(s)
	if err != nil {
		return err
	}
	defer s.file.Release()
	if _, err := f.WriteAt(m.batches, m.damage.Pos); err != nil {
		return fault.Storage("segment.Mend", err)
	}
	if err := f.Sync(); err != nil {
		return fault.Storage("segment.Mend", err)
	}
	return nil
}

func (m *Mending) keep(old []byte) error {
	name := m.seg.dir + "/" + Name(m.seg.base, fmt.Sprintf("%s.%d%s", LogSuffix, m.damage.Pos, DamagedSuffix))
	f, err := m.seg.fs.Open(name, disk.Write|disk.Create|disk.Trunc)
	if err != nil {
		return fault.Storage("segment.Mend", err)
	}
	_, err = f.WriteAt(old, 0)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fault.Storage("segment.Mend", err)
	}
	return nil
}

// Grows reports whether the file becomes longer.
func (m *Mending) Grows() bool { return m.pos > m.seg.size }

// Whole reports whether nothing of the damage is left.
func (m *Mending) Whole() bool { return m.next == m.damage.Next }

// Damage is what is mended, as it was.
func (m *Mending) Damage() Damage { return m.damage }

// Batches are what is taken of what was offered.
func (m *Mending) Batches() []byte { return m.batches }

// Publish shows readers what was written. The caller holds the log's lock, and has been the only writer since Mend.
func (m *Mending) Publish() (next kafka.Offset) {
	s := m.seg
	s.size = max(s.size, m.pos)
	s.damages.mended(m)
	s.reads.trail.cut(s.damages.generation())
	s.reads.checked.add(m.damage.Pos, m.pos)
	s.repair.Lock()
	s.broken = nil
	s.repair.Unlock()
	if s.mem != nil {
		s.mem.sealing = sealing{} // of what was damaged nothing was summed up: the sums begin behind it
	}
	return m.next
}

// mended takes out what was mended. What readers find in bytes of before says nothing any more.
func (d *damages) mended(m *Mending) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gen++
	for i := range d.list {
		at := &d.list[i]
		if at.First != m.damage.First || at.Pos != m.damage.Pos {
			continue
		}
		if at.First, at.Pos, at.End = m.next, m.pos, max(at.End, m.pos); at.First >= at.Next {
			d.list = append(d.list[:i:i], d.list[i+1:]...)
		}
		break
	}
	d.any.Store(len(d.list) > 0)
}

// Condemn notes a range as damage.
func Condemn(k *Look, r Range, why error) {
	k.seg.damages.add(Damage{Path: k.seg.Path(LogSuffix), Pos: r.Pos, End: r.End, First: r.First, Next: r.Next, Why: why}, k.gen)
}
