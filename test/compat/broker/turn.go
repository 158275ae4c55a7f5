package broker

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// turn is held while the JVM of a node runs, or those of a cluster: go test runs packages side by side, and two systems of JVMs are
// too much for a small machine.
type turn struct {
	mu      sync.Mutex
	holders int
	lock    *os.File
}

// take waits until no other process of this user runs Apache Kafka through this package.
func (t *turn) take() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.holders > 0 {
		t.holders++
		return nil
	}
	if err := os.MkdirAll(Cache(), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(Cache(), "kafka.turn"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return err
	}
	t.lock, t.holders = f, 1
	return nil
}

// end gives it to others when the last node that holds it ends.
func (t *turn) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.holders--; t.holders == 0 {
		t.lock.Close()
		t.lock = nil
	}
}
