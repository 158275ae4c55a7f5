package record

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Outline is what a record says of itself, without its content.
type Outline struct {
	Index       int32
	Offset      kafka.Offset
	TimestampMs int64
	Keyed       bool // its key isn't null
}

// Scan calls f for each record in order, like Each and with the same checks, but keeps and allocates none: of a compressed batch
// only a window is in memory at any time, whatever comes out of it. Errors are those of Each.
func (b Batch) Scan(l Limits, f func(Outline) error) error {
	codec := b.Codec()
	if codec == None {
		return b.scanPlain(f)
	}
	c := scannerPool.Get().(*scanner)
	defer c.giveBack()
	p := codec.open(b[HeaderSize:], l.orDefault())
	defer p.Close()
	c.begin(p)
	base, baseMs, appendTime := b.BaseOffset(), b.BaseTimestamp(), b.IsLogAppendTime()
	var o Outline
	for i := range b.Count() {
		o = Outline{Index: i, Offset: base, TimestampMs: baseMs}
		if err := c.record(&o); err != nil {
			return err
		}
		if appendTime {
			o.TimestampMs = b.MaxTimestamp()
		}
		if err := f(o); err != nil {
			return err
		}
	}
	return c.end(b.Count())
}

// scanPlain scans a batch without compression, which is all there.
func (b Batch) scanPlain(f func(Outline) error) error {
	c := reader{b: b[HeaderSize:]}
	base, baseMs, appendTime := b.BaseOffset(), b.BaseTimestamp(), b.IsLogAppendTime()
	var r Record
	var o Outline
	for i := range b.Count() {
		if err := c.record(&r, i, base, baseMs); err != nil {
			return err
		}
		o = Outline{Index: i, Offset: r.Offset, TimestampMs: r.TimestampMs, Keyed: r.Key != nil}
		if appendTime {
			o.TimestampMs = b.MaxTimestamp()
		}
		if err := f(o); err != nil {
			return err
		}
	}
	if len(c.b) > 0 {
		return fault.Corruption("record", "%d bytes follow the last of %d records", len(c.b), b.Count())
	}
	return nil
}

// scanWindow is how much of what a codec yields is held, bytes.
const scanWindow = 16 << 10

// scanner takes fields off a window over what a codec yields.
type scanner struct {
	src    *plainReader
	window []byte
	b      []byte // of the window, not taken yet
	left   int64  // of the record at hand
	bad    string
	err    error // of the codec
}

var scannerPool = sync.Pool{New: func() any { return &scanner{window: make([]byte, scanWindow)} }}

func (c *scanner) begin(src *plainReader) { c.src = src }

func (c *scanner) giveBack() {
	*c = scanner{window: c.window}
	scannerPool.Put(c)
}

// more reads on behind what is not taken; false at the end.
func (c *scanner) more() bool {
	if c.err != nil {
		return false
	}
	n := copy(c.window, c.b)
	for {
		got, err := c.src.Read(c.window[n:])
		c.b = c.window[:n+got]
		c.err = err
		if got > 0 || err != nil {
			return got > 0
		}
	}
}

// record takes one record.
func (c *scanner) record(o *Outline) error {
	c.left = maxRecord
	size := c.varint(maxVarint32)
	if c.bad == "" && size < 1 {
		c.fail("a record is empty")
	}
	c.left = size
	c.skip(1) // attributes, unused
	o.TimestampMs += c.varint(binary.MaxVarintLen64)
	o.Offset += kafka.Offset(c.varint(maxVarint32))
	o.Keyed = c.field(true)
	c.field(true)
	headers := c.varint(maxVarint32)
	if headers < 0 || headers > c.left { // a header has at least two bytes
		c.fail("a lying header count")
	}
	for k := int64(0); k < headers && c.bad == ""; k++ {
		c.field(false)
		c.field(true)
	}
	if c.left > 0 {
		c.fail("bytes follow its headers")
	}
	if c.bad == "" {
		return nil
	}
	if c.err != nil && !errors.Is(c.err, io.EOF) {
		return c.src.explain(c.err)
	}
	return fault.Corruption("record", "record %d: %s", o.Index, c.bad)
}

// maxRecord is more than any record has.
const maxRecord = 1 << 40

// end wants nothing more behind the last record, and the codec's own checks to hold.
func (c *scanner) end(count int32) error {
	if len(c.b) > 0 || c.more() {
		return fault.Corruption("record", "bytes follow the last of %d records", count)
	}
	if c.err != nil && !errors.Is(c.err, io.EOF) {
		return c.src.explain(c.err)
	}
	return nil
}

func (c *scanner) fail(why string) {
	if c.bad == "" {
		c.bad = why
	}
	c.left = 0
}

func (c *scanner) varint(most int) int64 {
	if len(c.b) > 0 && c.b[0] < 0x80 && c.left > 0 { // one byte, as most are
		v := c.b[0]
		c.b = c.b[1:]
		c.left--
		return int64(v>>1) ^ -int64(v&1)
	}
	if c.bad != "" {
		return 0
	}
	v, n := binary.Varint(c.b)
	for n == 0 && len(c.b) < binary.MaxVarintLen64 && c.more() {
		v, n = binary.Varint(c.b)
	}
	if n <= 0 || n > most || int64(n) > c.left {
		c.fail("a torn or overlong varint")
		return 0
	}
	c.b = c.b[n:]
	c.left -= int64(n)
	return v
}

// field passes over a length and that many bytes; it reports whether it wasn't null.
func (c *scanner) field(nullable bool) bool {
	n := c.varint(maxVarint32)
	if n == -1 && nullable {
		return false
	}
	c.skip(n)
	return true
}

func (c *scanner) skip(n int64) {
	if c.bad != "" {
		return
	}
	if n < 0 || n > c.left {
		c.fail("a lying length")
		return
	}
	c.left -= n
	for n > int64(len(c.b)) {
		n -= int64(len(c.b))
		c.b = nil
		if !c.more() {
			c.fail("its bytes end early")
			return
		}
	}
	c.b = c.b[n:]
}
