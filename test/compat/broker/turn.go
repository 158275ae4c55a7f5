package broker

import (
	"os"
	"path/filepath"
	"syscall"
)

// takeTurn waits until no other process of this user runs an Apache Kafka broker through this package: go test runs
// packages side by side, and two JVM brokers are too much for a small machine.
func (k *kafka) takeTurn() error {
	if k.lock != nil {
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
	k.lock = f
	return nil
}

func (k *kafka) endTurn() {
	if k.lock != nil {
		k.lock.Close()
		k.lock = nil
	}
}
