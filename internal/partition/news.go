package partition

import (
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
)

// News hears what takes records away, for the operator. It is called without the mutex of a partition.
type News interface {
	StartMoved(p kafka.TopicPartition, start kafka.Offset)
	Retired(p kafka.TopicPartition, r log.Retired)
}

// retired returns the call that tells of what retention has just removed. Called with the mutex held.
func (p *Partition) retired() func() {
	r := p.log.Retired
	return func() {
		if p.at().News != nil {
			p.at().News.Retired(p.name, r)
		}
	}
}

// started returns the call that tells of a log start that was moved.
func (p *Partition) started(start kafka.Offset) func() {
	return func() {
		if p.at().News != nil {
			p.at().News.StartMoved(p.name, start)
		}
	}
}
