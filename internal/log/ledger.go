package log

import "github.com/milena-io/milena/internal/kafka"

// Opened notes that a log has been recovered (Ledger).
func (d *Dir) Opened(tp kafka.TopicPartition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened[tp] = opening{asked: true, done: true}
}

// Forget drops a deleted log from the checkpoints (Ledger).
func (d *Dir) Forget(tp kafka.TopicPartition) {
	d.forget(tp)
	d.Opened(tp)
}
