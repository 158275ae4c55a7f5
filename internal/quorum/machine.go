package quorum

import (
	"iter"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// Command and Reply are the machine's business; Record is what the metadata log holds.
type (
	Command = any
	Reply   = any
	Record  = staterecord.Record
)

// Machine is what the quorum needs of the controller's machine. Every call but Load is under the quorum's mutex.
type Machine interface {
	// Lead tells that this node is the active controller from now on, before it decides anything. The next record will get the
	// offset next.
	Lead(now kafka.Instant, next kafka.Offset)
	// Decide answers with the records of the change and the reply to give once they are committed. The first record
	// will get the offset next: broker epochs are offsets.
	Decide(now kafka.Instant, next kafka.Offset, cmd Command) ([]Record, Reply, error)
	// Apply is the only writer of state.
	Apply(offset kafka.Offset, rec Record)
	// Revert undoes every Apply at or above the offset.
	Revert(to kafka.Offset)
	// Commit makes every Apply below the offset final.
	Commit(to kafka.Offset)
	// Due returns what timers ask for.
	Due(now kafka.Instant) []Command
	// Load makes the state of a snapshot that ends before the offset, beside other calls, and returns what puts it in the place
	// of all state.
	Load(end kafka.Offset, records iter.Seq[Record]) (put func())
	// Form tells the kraft.version of the cluster, once, before anything is decided.
	Form(kraftVersion int16)
	// Level is the metadata.version whose schemas records are to be written in, 0 while the log names none.
	Level() staterecord.MetadataVersion
	// Snapshot returns the committed state as records. The sequence is read after the call, beside further changes.
	Snapshot() iter.Seq[Record]
}
