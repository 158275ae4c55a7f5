package listen

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/milena-io/milena/internal/wire"
)

// readerBytes is how much is read from a socket at once: a few small requests fit, and a larger one's body is read
// straight into its frame.
const readerBytes = 16 << 10

// source reads a socket through a buffer that it has only while the connection is in use: one that has been idle for a
// while waits with a few bytes of its own, so that thousands of idle connections cost little.
type source struct {
	nc    net.Conn
	pool  *wire.Pool
	small [64]byte
	big   *wire.Buffer // nil while parked
	data  []byte       // read and not yet taken; of small or big
	awake bool         // not parked

	holds   atomic.Bool // big is there
	parking atomic.Bool // the reaper wants the buffer back
}

// Read takes what is buffered, or reads. It blocks.
func (s *source) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		if len(p) >= readerBytes {
			return s.read(p)
		}
		n, err := s.read(nil)
		if n == 0 {
			return 0, err
		}
	}
	n := copy(p, s.data)
	s.data = s.data[n:]
	return n, nil
}

// read fills p, or the buffer when p is nil.
func (s *source) read(p []byte) (int, error) {
	for {
		to := p
		if to == nil {
			to = s.space()
		}
		n, err := s.nc.Read(to)
		if n > 0 {
			if p == nil {
				s.data = to[:n]
			}
			return n, nil
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || !s.parking.Load() {
			return 0, err
		}
		if err := s.nc.SetReadDeadline(time.Time{}); err != nil {
			return 0, err
		}
		s.park()
		s.parking.Store(false) // last, so that no disturbance comes between and loses its deadline
	}
}

// space returns the buffer to read into. A parked connection that wakes up reads its first bytes into the small one.
func (s *source) space() []byte {
	if !s.awake {
		s.awake = true
		return s.small[:]
	}
	if s.big == nil {
		s.big = s.pool.Get(readerBytes)
		s.holds.Store(true)
	}
	return s.big.B[:readerBytes]
}

// park gives the buffer back, and what is buffered up. Who is disturbed twice has none the second time, and takes none for it.
func (s *source) park() {
	s.awake = false
	if s.big != nil {
		s.big.Free()
		s.big, s.data = nil, nil
		s.holds.Store(false)
	}
}

// rest ends the parking: who reads from now on reads the socket itself.
func (s *source) rest() {
	s.parking.Store(true)                 // no disturbance from now on
	_ = s.nc.SetReadDeadline(time.Time{}) // and none from before; an error means that the connection is gone
}

// disturb makes a blocked Read give its buffer back and go on waiting. Others may call it.
func (s *source) disturb() {
	if !s.parking.Swap(true) {
		_ = s.nc.SetReadDeadline(time.Unix(1, 0)) // an error means that the connection is gone, which Read sees too
	}
}
