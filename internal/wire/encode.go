package wire

import "github.com/milena-io/milena/internal/fault"

// Outgoing is one answer on its way to the socket: Head first, then the pieces. Both are given up with Free.
type Outgoing struct {
	Head    *Buffer // length, response header, and the body unless it is a Payload
	Payload *Payload
}

// Size returns the bytes that go over the wire.
func (o *Outgoing) Size() int64 {
	n := int64(len(o.Head.B))
	if o.Payload != nil {
		n += o.Payload.Size()
	}
	return n
}

// Memory returns the bytes of memory it holds; sections of files hold none.
func (o *Outgoing) Memory() int64 {
	n := int64(cap(o.Head.B))
	if o.Payload != nil {
		for i := range o.Payload.Pieces {
			n += int64(len(o.Payload.Pieces[i].Bytes))
		}
	}
	return n
}

// Free gives the memory back, once, when the answer was written or given up.
func (o *Outgoing) Free() {
	if o.Head != nil {
		o.Head.Free()
	}
	if o.Payload != nil && o.Payload.Release != nil {
		o.Payload.Release()
	}
	*o = Outgoing{}
}

// Encode puts the answer to a request into a pooled buffer. r must not be a None.
func (t *Table) Encode(pool *Pool, d *Decoded, r Reply) Outgoing {
	const likely = 4 << 10
	version := d.Version
	if d.UnknownVersion {
		version = 0
	}
	out := Outgoing{Head: pool.Get(likely), Payload: r.Payload}
	dst := appendResponseHeader(out.Head.B, &t.find(d.Key).API, version, d.CorrelationID)
	var extra int64
	switch {
	case r.Payload != nil:
		extra = r.Payload.Size()
	case r.Body != nil:
		dst = r.Body.AppendTo(dst)
	default:
		r.Message.SetVersion(version)
		dst = r.Message.AppendTo(dst)
	}
	finishFrame(dst, extra)
	out.Head.B = dst
	out.Head.Recharge()
	return out
}

// AppendTo appends everything, sections of files read in.
func (o *Outgoing) AppendTo(dst []byte) ([]byte, error) {
	dst = append(dst, o.Head.B...)
	if o.Payload == nil {
		return dst, nil
	}
	for i := range o.Payload.Pieces {
		p := &o.Payload.Pieces[i]
		if p.File == nil {
			dst = append(dst, p.Bytes...)
			continue
		}
		n := len(dst)
		dst = append(dst, make([]byte, p.Len)...)
		if read, err := p.File.ReadAt(dst[n:], p.Pos); int64(read) < p.Len {
			return dst[:n+read], fault.Storage("wire.payload", err)
		}
	}
	return dst, nil
}
