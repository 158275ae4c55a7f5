package history

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/milena-io/milena/internal/kafka"
)

// decoder reads the body of one frame. After its first error it returns zeros, and keeps the error.
type decoder struct {
	buffer []byte
	rest   []byte
	err    error
	names  map[string]string // topics and groups, once each
}

var errShort = errors.New("it is shorter than it claims")
var errRange = errors.New("a number is out of range")
var errLong = errors.New("bytes are left over")

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.rest = nil
}

func (d *decoder) end() error {
	if d.err == nil && len(d.rest) > 0 {
		return errLong
	}
	return d.err
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.fail(errShort)
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) number() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail(errShort)
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) within(low, high int64) int64 {
	v := d.number()
	if v < low || v > high {
		d.fail(errRange)
		return 0
	}
	return v
}

func (d *decoder) int32() int32 { return int32(d.within(math.MinInt32, math.MaxInt32)) }

func (d *decoder) offset() kafka.Offset { return kafka.Offset(d.number()) }

func (d *decoder) uint32() uint32 { return uint32(d.within(0, math.MaxUint32)) }

// count reads a list's length: each element takes at least least bytes, so that a claim is bounded by what is there.
func (d *decoder) count(least int) int {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || v > uint64(len(d.rest)-n)/uint64(least) {
		d.fail(errShort)
		return 0
	}
	d.rest = d.rest[n:]
	return int(v)
}

func (d *decoder) bool() bool {
	b := d.byte()
	if b > 1 {
		d.fail(errRange)
	}
	return b == 1
}

func (d *decoder) small(below byte) byte {
	b := d.byte()
	if b >= below {
		d.fail(errRange)
		return 0
	}
	return b
}

func (d *decoder) text() string {
	n := d.count(1)
	b := d.rest[:n]
	d.rest = d.rest[n:]
	if s, ok := d.names[string(b)]; ok {
		return s
	}
	s := string(b)
	if d.names != nil {
		d.names[s] = s
	}
	return s
}

func (d *decoder) key() Key {
	topic := d.text()
	return Key{Topic: topic, Partition: d.int32()}
}

func (d *decoder) keys() []Key {
	n := d.count(2)
	if n == 0 {
		return nil
	}
	out := make([]Key, n)
	for i := range out {
		out[i] = d.key()
	}
	return out
}

func (d *decoder) op() Op {
	o := Op{Index: int(d.number()), Process: int(d.number())}
	o.F, o.Kind, o.Committed = Function(d.small(byte(functions))), Kind(d.small(4)), d.bool()
	o.Code = kafka.ErrorCode(d.within(math.MinInt16, math.MaxInt16))
	o.Invoke, o.Complete = d.number(), d.number()
	if n := d.count(1); n > 0 {
		o.Mops = make([]Mop, n)
		for i := range o.Mops {
			o.Mops[i] = d.mop()
		}
	}
	o.Keys, o.Rebalanced, o.Note = d.keys(), d.keys(), d.text()
	return o
}

func (d *decoder) mop() Mop {
	var m Mop
	parts := d.small(partLookup << 1)
	if parts&partSend != 0 {
		m.Send = &Send{Key: d.key(), V: uint64(d.number()), Off: d.offset(), Time: d.number(), CRC: d.uint32()}
	}
	if parts&partPoll != 0 {
		m.Poll = make([]Poll, d.count(5))
		for i := range m.Poll {
			m.Poll[i] = d.poll()
		}
	}
	if parts&partBounds != 0 {
		m.Bounds = &Bounds{Key: d.key(), Earliest: d.offset(), Stable: d.offset(), Latest: d.offset()}
	}
	if parts&partLookup != 0 {
		m.Lookup = &Lookup{Key: d.key(), Time: d.number(), Off: d.offset(), At: d.number()}
	}
	return m
}

func (d *decoder) poll() Poll {
	p := Poll{Key: d.key(), High: d.offset(), Stable: d.offset()}
	if n := d.count(5); n > 0 {
		p.Pairs = make([]Pair, n)
		for i := range p.Pairs {
			p.Pairs[i] = Pair{Off: d.offset(), V: uint64(d.number()), Time: d.number(), CRC: d.uint32(), Torn: d.bool()}
		}
	}
	return p
}

func (d *decoder) group() GroupOp {
	o := GroupOp{Index: int(d.number()), Group: d.text(), Member: d.text()}
	o.F, o.Kind, o.Consumer = GroupFunction(d.small(byte(groupFunctions))), Kind(d.small(4)), d.bool()
	o.Code = kafka.ErrorCode(d.within(math.MinInt16, math.MaxInt16))
	o.Invoke, o.Complete = d.number(), d.number()
	o.Generation, o.Coordinator, o.Epoch = d.int32(), kafka.NodeID(d.int32()), kafka.LeaderEpoch(d.int32())
	o.Keys = d.keys()
	if n := d.count(4); n > 0 {
		o.Offsets = make([]Mark, n)
		for i := range o.Offsets {
			o.Offsets[i] = Mark{Key: d.key(), Off: d.offset(), ID: uint64(d.number())}
		}
	}
	return o
}
