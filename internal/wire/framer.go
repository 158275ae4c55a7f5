package wire

import "encoding/binary"

// Framer cuts a stream of bytes into frames without doing IO itself: Space says where the next bytes belong, Filled
// says how many came. It serves one connection and is not safe for concurrent use.
//
// The length in front of a frame is never believed (architecture D9): memory grows with the bytes received. A frame up to
// 32 KiB has its buffer at once. A longer one is gathered in chunks, each at most as large as what has come so far, and copied
// together at its end; so it never holds more than twice the bytes received, and 64 KiB. The copy is saved for a connection
// that has already sent a frame of that size class: it gets the whole buffer at once, up to 1 MiB, unless memory is
// short. That is still within twice the bytes that this connection has sent.
//
// While memory is short a longer frame doesn't grow: whoever reads asks Starved before every read.
type Framer struct {
	pool    *Pool
	max     int32
	answers bool // frames are answers to requests of ours
	first   bool // no frame was completed yet

	head    [lengthBytes]byte
	headLen int
	need    int // length of the frame that is arriving
	chunks  []*Buffer
	got     int // bytes of it that are here
	earned  int // the largest buffer that a claim is believed for

	overdraft bool // the frame that is arriving may grow although memory is short
}

const (
	firstChunk = 32 << 10
	maxChunk   = 1 << 20
	maxEarned  = 1 << 20 // by requests
)

// NewFramer refuses frames of more than max bytes (socket.request.max.bytes).
func NewFramer(pool *Pool, maxBytes int32) *Framer {
	return &Framer{pool: pool, max: maxBytes, first: true, earned: firstChunk}
}

// NewAnswerFramer is for what comes back from another node: it refuses answers of more than max bytes. Who has sent large
// answers before is believed up to the largest buffer that a Pool keeps, so that a follower's fetches are read straight into
// memory that was used before.
func NewAnswerFramer(pool *Pool, maxBytes int32) *Framer {
	return &Framer{pool: pool, max: maxBytes, answers: true, earned: firstChunk}
}

// SetMax changes the largest frame from the next one on.
func (f *Framer) SetMax(maxBytes int32) { f.max = maxBytes }

// Between reports whether no frame has begun to arrive.
func (f *Framer) Between() bool { return f.headLen == 0 }

// Held returns the bytes of memory that the arriving frame has.
func (f *Framer) Held() int {
	n := 0
	for _, c := range f.chunks {
		n += cap(c.B)
	}
	return n
}

// Starved reports that the frame that is arriving cannot go on for want of memory; Budget.WhenFree tells when to ask
// again. Frames up to 32 KiB never wait: they are heartbeats, fetches and the like, and what gives memory back.
func (f *Framer) Starved() bool {
	b := f.pool.budget
	if b == nil || f.overdraft || f.headLen < lengthBytes || f.need <= firstChunk || f.roomy() || !b.Short() {
		return false
	}
	f.overdraft = b.overdraw()
	return !f.overdraft
}

// WhenFree calls wake, as Budget.WhenFree does, when Starved is worth asking again.
func (f *Framer) WhenFree(wake func()) { f.pool.budget.WhenFree(wake) }

// roomy reports whether the next bytes need no new memory.
func (f *Framer) roomy() bool {
	n := len(f.chunks)
	return n > 0 && len(f.chunks[n-1].B) < cap(f.chunks[n-1].B)
}

// Space returns where the next bytes of the stream go. It is never empty.
func (f *Framer) Space() []byte {
	if f.headLen < lengthBytes {
		return f.head[f.headLen:]
	}
	c := f.chunk()
	n := len(c.B)
	return c.B[n:min(cap(c.B), n+f.need-f.got)]
}

// chunk returns the buffer that has room for the next bytes.
func (f *Framer) chunk() *Buffer {
	if f.roomy() {
		return f.chunks[len(f.chunks)-1]
	}
	var want int
	switch {
	case f.got > 0:
		want = min(f.need-f.got, f.got, maxChunk)
	case f.need <= f.earned && (f.pool.budget == nil || !f.pool.budget.Short()):
		want = f.need
	default:
		want = min(f.need, firstChunk)
	}
	var c *Buffer
	if f.got > 0 && want != 1<<classOf(want) {
		c = f.pool.exact(want) // rounding up to a class could exceed what has come
	} else {
		c = f.pool.Get(want)
	}
	f.chunks = append(f.chunks, c)
	return c
}

// Filled records that n bytes of Space came, and returns a frame when it is whole: its bytes without the length. The
// frame is the caller's to free. After an error the stream cannot be read on.
func (f *Framer) Filled(n int) (*Buffer, error) {
	if f.headLen < lengthBytes {
		f.headLen += n
		if f.headLen < lengthBytes {
			return nil, nil
		}
		return nil, f.begin()
	}
	c := f.chunks[len(f.chunks)-1]
	c.B = c.B[:len(c.B)+n]
	f.got += n
	if f.got < f.need {
		return nil, nil
	}
	return f.end(), nil
}

// begin judges the length.
func (f *Framer) begin() error {
	size := int32(binary.BigEndian.Uint32(f.head[:]))
	if f.first {
		if err := misdirected(f.head); err != nil {
			return err
		}
	}
	if f.answers {
		if size < correlationBytes || size > f.max {
			return malformed("wire.answer", "its length field says %d bytes; between %d and %d are allowed", size, correlationBytes, f.max)
		}
	} else if size < minFrame || size > f.max {
		if err := misdirected(f.head); err != nil {
			return err
		}
		return malformed("wire.frame", "its length field says %d bytes; between %d and %d (socket.request.max.bytes) are allowed",
			size, minFrame, f.max)
	}
	f.need = int(size)
	return nil
}

// minFrame is the shortest request: key, version, correlation id and a null client id.
const minFrame = 10

// correlationBytes is the shortest answer: a header without a body.
const correlationBytes = 4

// end puts the frame together and makes ready for the next one.
func (f *Framer) end() *Buffer {
	frame := f.chunks[0]
	if len(f.chunks) > 1 {
		frame = f.pool.exact(f.need)
		for _, c := range f.chunks {
			frame.B = append(frame.B, c.B...)
			c.Free()
		}
	}
	clear(f.chunks)
	frame.overdraft, f.overdraft = f.overdraft, false
	most := maxEarned
	if f.answers {
		most = maxPooled
	}
	f.earned = max(f.earned, min(1<<classOf(f.need), most))
	f.first, f.headLen, f.need, f.got, f.chunks = false, 0, 0, 0, f.chunks[:0]
	return frame
}

// Drop frees what has arrived of an unfinished frame.
func (f *Framer) Drop() {
	for _, c := range f.chunks {
		c.Free()
	}
	if f.overdraft {
		f.overdraft = false
		f.pool.budget.endOverdraft()
	}
	f.headLen, f.need, f.got, f.chunks = 0, 0, 0, nil
}
