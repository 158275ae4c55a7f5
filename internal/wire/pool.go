package wire

import (
	"math/bits"
	"sync"

	"github.com/milena-io/milena/internal/must"
)

// Size classes of pooled buffers: powers of two from 4 KiB to 16 MiB, which holds what a follower fetches at once
// (replica.fetch.response.max.bytes). Larger buffers are allocated and dropped.
const (
	smallestClass = 12
	largestClass  = 24
	maxPooled     = 1 << largestClass
)

// Pool hands out buffers by size class and charges them to a Budget while they are out. It is safe for concurrent use.
type Pool struct {
	classes [largestClass - smallestClass + 1]sync.Pool
	budget  *Budget
	poison  bool
}

// NewPool returns a pool that charges to budget, which may be nil. With poison every buffer is overwritten when it is
// freed, so that a test sees who kept a slice of it; the build tag poison does that to every pool.
func NewPool(budget *Budget, poison bool) *Pool {
	return &Pool{budget: budget, poison: poison || poisoned}
}

// Buffer is a piece of memory with an owner, who frees it once. B may be resliced and appended to.
type Buffer struct {
	B       []byte
	pool    *Pool
	charged int
	class   int8 // -1 when it is dropped on Free
	freed   bool
	// overdraft says that it grew while memory was short, by a right that others wait for.
	overdraft bool
}

func classOf(n int) int { return max(bits.Len(uint(max(n, 1)-1)), smallestClass) }

// Get returns an empty buffer with room for n bytes.
func (p *Pool) Get(n int) *Buffer {
	class := classOf(n)
	if class > largestClass {
		return p.exact(n)
	}
	b, ok := p.classes[class-smallestClass].Get().(*Buffer)
	if !ok {
		b = &Buffer{B: make([]byte, 0, 1<<class), class: int8(class)}
	}
	b.pool, b.freed = p, false
	b.charge(cap(b.B))
	return b
}

// exact returns a buffer that is not pooled and has room for n bytes and no more.
func (p *Pool) exact(n int) *Buffer {
	b := &Buffer{B: make([]byte, 0, n), class: -1, pool: p}
	b.charge(n)
	return b
}

func (b *Buffer) charge(n int) {
	if b.pool.budget != nil && n != b.charged {
		b.pool.budget.Take(int64(n - b.charged))
	}
	b.charged = n
}

// Recharge settles with the budget after B was appended to.
func (b *Buffer) Recharge() { b.charge(cap(b.B)) }

// Free gives the buffer back. Nobody may touch its bytes afterwards.
func (b *Buffer) Free() {
	if b.freed { // the arguments of must.Hold would be allocated each time
		must.Hold(false, "a buffer of %d bytes is freed twice", cap(b.B))
	}
	b.freed = true
	b.charge(0)
	if b.overdraft {
		b.overdraft = false
		b.pool.budget.endOverdraft()
	}
	if b.pool.poison {
		all := b.B[:cap(b.B)]
		all[0] = 0xdb
		for n := 1; n < len(all); n *= 2 { // and not byte by byte, which the race detector would look at one by one
			copy(all[n:], all[:n])
		}
	}
	if b.class < 0 {
		b.B = nil
		return
	}
	// A buffer that appending has grown belongs to the class it has grown into, if any.
	if cap(b.B) != 1<<b.class {
		class := classOf(cap(b.B))
		if cap(b.B) != 1<<class || class > largestClass {
			b.B = nil
			return
		}
		b.class = int8(class)
	}
	b.B = b.B[:0]
	b.pool.classes[b.class-smallestClass].Put(b)
}
