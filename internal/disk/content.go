package disk

import "io"

// chunkBytes is the unit in which a file in memory grows. The last chunk may be shorter, so that many small files stay
// small.
const chunkBytes = 16 << 10

// content is a file's bytes. Copies that share makes hold the same chunks, and whoever writes below what is shared copies
// that chunk first: a crash image costs what is different in it.
type content struct {
	chunks []chunk
	size   int64
}

type chunk struct {
	data   []byte
	shared int // bytes of data that others hold, too
}

// share returns a copy that holds the same bytes.
func (c *content) share() content {
	out := content{chunks: make([]chunk, len(c.chunks)), size: c.size}
	for i := range c.chunks {
		from := &c.chunks[i]
		n := len(from.data)
		if from.shared != n { // what is shared by several goroutines already is only read
			from.shared = n
		}
		out.chunks[i] = chunk{data: from.data[:n:n], shared: n}
	}
	return out
}

func (c *content) readAt(p []byte, off int64) (int, error) {
	if off >= c.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), c.size-off))
	for done := 0; done < n; {
		at := off + int64(done)
		data := c.chunks[at/chunkBytes].data
		in := int(at % chunkBytes)
		k := 0
		if in < len(data) {
			k = copy(p[done:n], data[in:])
		} else { // a hole at the end of a short chunk
			k = min(n-done, chunkBytes-in)
			clear(p[done : done+k])
		}
		done += k
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (c *content) writeAt(p []byte, off int64) {
	end := off + int64(len(p))
	if len(p) == 0 { // which makes no file longer
		return
	}
	for done := 0; done < len(p); {
		at := off + int64(done)
		i, in := int(at/chunkBytes), int(at%chunkBytes)
		for len(c.chunks) <= i {
			c.chunks = append(c.chunks, chunk{})
		}
		k := min(len(p)-done, chunkBytes-in)
		c.chunks[i].own(in, in+k)
		copy(c.chunks[i].data[in:], p[done:done+k])
		done += k
	}
	c.size = max(c.size, end)
}

// own makes the bytes from in to end writable, growing the chunk with zeros and doubling up to a whole one.
func (c *chunk) own(in, end int) {
	if n := max(end, len(c.data)); in < c.shared || n > cap(c.data) {
		bigger := make([]byte, n, max(n, min(max(2*len(c.data), 512), chunkBytes)))
		copy(bigger, c.data)
		*c = chunk{data: bigger}
	}
	if end > len(c.data) {
		c.data = c.data[:end]
	}
}

func (c *content) truncate(size int64) {
	if size < c.size {
		c.chunks = c.chunks[:min(len(c.chunks), int((size+chunkBytes-1)/chunkBytes))]
		if in := int(size % chunkBytes); in > 0 && int(size/chunkBytes) < len(c.chunks) {
			last := &c.chunks[size/chunkBytes]
			if in < len(last.data) {
				// Without capacity, so that what grows there again begins with zeros.
				last.data, last.shared = last.data[:in:in], min(last.shared, in)
			}
		}
	}
	for int64(len(c.chunks))*chunkBytes < size {
		c.chunks = append(c.chunks, chunk{})
	}
	c.size = size
}

// bytes returns a copy of everything.
func (c *content) bytes() []byte {
	out := make([]byte, c.size)
	_, _ = c.readAt(out, 0)
	return out
}
