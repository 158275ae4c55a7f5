package history

import "encoding/binary"

// The parts of a Mop, as flags in a file.
const (
	partSend = 1 << iota
	partPoll
	partBounds
	partLookup
)

func appendOp(b []byte, o *Op) []byte {
	b = binary.AppendVarint(b, int64(o.Index))
	b = binary.AppendVarint(b, int64(o.Process))
	b = append(b, byte(o.F), byte(o.Kind), flag(o.Committed))
	b = binary.AppendVarint(b, int64(o.Code))
	b = binary.AppendVarint(b, o.Invoke)
	b = binary.AppendVarint(b, o.Complete)
	b = binary.AppendUvarint(b, uint64(len(o.Mops)))
	for i := range o.Mops {
		b = appendMop(b, &o.Mops[i])
	}
	b = appendKeys(b, o.Keys)
	b = appendKeys(b, o.Rebalanced)
	return appendText(b, o.Note)
}

func appendMop(b []byte, m *Mop) []byte {
	var parts byte
	if m.Send != nil {
		parts |= partSend
	}
	if m.Poll != nil {
		parts |= partPoll
	}
	if m.Bounds != nil {
		parts |= partBounds
	}
	if m.Lookup != nil {
		parts |= partLookup
	}
	b = append(b, parts)
	if s := m.Send; s != nil {
		b = appendNumbers(appendKey(b, s.Key), int64(s.V), int64(s.Off), s.Time, int64(s.CRC))
	}
	if m.Poll != nil {
		b = binary.AppendUvarint(b, uint64(len(m.Poll)))
		for i := range m.Poll {
			b = appendPoll(b, &m.Poll[i])
		}
	}
	if x := m.Bounds; x != nil {
		b = appendNumbers(appendKey(b, x.Key), int64(x.Earliest), int64(x.Stable), int64(x.Latest))
	}
	if x := m.Lookup; x != nil {
		b = appendNumbers(appendKey(b, x.Key), x.Time, int64(x.Off), x.At)
	}
	return b
}

func appendPoll(b []byte, p *Poll) []byte {
	b = appendNumbers(appendKey(b, p.Key), int64(p.High), int64(p.Stable))
	b = binary.AppendUvarint(b, uint64(len(p.Pairs)))
	for i := range p.Pairs {
		x := &p.Pairs[i]
		b = append(appendNumbers(b, int64(x.Off), int64(x.V), x.Time, int64(x.CRC)), flag(x.Torn))
	}
	return b
}

func appendGroup(b []byte, o *GroupOp) []byte {
	b = binary.AppendVarint(b, int64(o.Index))
	b = appendText(appendText(b, o.Group), o.Member)
	b = append(b, byte(o.F), byte(o.Kind), flag(o.Consumer))
	b = appendNumbers(b, int64(o.Code), o.Invoke, o.Complete, int64(o.Generation), int64(o.Coordinator), int64(o.Epoch))
	b = appendKeys(b, o.Keys)
	b = binary.AppendUvarint(b, uint64(len(o.Offsets)))
	for i := range o.Offsets {
		m := &o.Offsets[i]
		b = appendNumbers(appendKey(b, m.Key), int64(m.Off), int64(m.ID))
	}
	return b
}

func appendNumbers(b []byte, numbers ...int64) []byte {
	for _, n := range numbers {
		b = binary.AppendVarint(b, n)
	}
	return b
}

func appendKeys(b []byte, keys []Key) []byte {
	b = binary.AppendUvarint(b, uint64(len(keys)))
	for _, k := range keys {
		b = appendKey(b, k)
	}
	return b
}

func appendKey(b []byte, k Key) []byte {
	return binary.AppendVarint(appendText(b, k.Topic), int64(k.Partition))
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func flag(on bool) byte {
	if on {
		return 1
	}
	return 0
}
